"""What the five agents share and none of them owns."""
