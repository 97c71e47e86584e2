"""`python -m lab`.

Law: one call.
"""

from lab.cli import main

main()
