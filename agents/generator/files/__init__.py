"""Files of strangers, read without trust."""
