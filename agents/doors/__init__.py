"""How people and programs reach the workshop from outside. A door translates; it decides nothing."""
