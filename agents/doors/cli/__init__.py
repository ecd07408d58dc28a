"""The command line: a room per subject. Heavy packages are imported only by the commands that need them."""
