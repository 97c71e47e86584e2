"""Long runs on the lab: an operator killed a thousand times, and hours of releases among faults.

`python -m tests.soak kills` and `python -m tests.soak soak`; `make soak` runs both.
"""
