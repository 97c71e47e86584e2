"""`python -m demo`."""

from demo.program import main

main()
