"""The doors that people and programs come in by. A door translates; it decides nothing."""
