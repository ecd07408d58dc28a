"""The command line: one file per subject; what is heavy is imported only by the command that needs it."""
