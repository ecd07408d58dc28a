"""`python -m agents.cli` is `bottega`."""

from agents.cli.app import main

main()
