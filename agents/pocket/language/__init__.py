"""What the pocket model and its scorer make of a text: which of its words they know, and which say nothing to them."""
