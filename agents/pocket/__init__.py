"""The pocket model: its renderer, its training, its weights."""
