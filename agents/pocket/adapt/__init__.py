"""Small additions to the pocket model, each learned from pictures of our own."""
