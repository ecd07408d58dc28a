"""Pure: from a command and the capabilities at hand to a recipe, a price, a next attempt."""
