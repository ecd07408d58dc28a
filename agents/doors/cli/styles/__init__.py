"""`bottega styles`: the styles and style references that a command can name."""
