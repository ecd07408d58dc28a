"""The device: its lock, its memory, what stays on it, how it is tuned."""
