"""Messages kept with the transition that causes them, and their publishing."""
