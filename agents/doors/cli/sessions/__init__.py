"""`bottega batch`: sessions of catalogues and combos."""
