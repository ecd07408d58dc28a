"""`python -m agents.doors.cli` is `bottega`."""

from agents.doors.cli.app import main

main()
