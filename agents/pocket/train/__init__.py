"""The training of the pocket model, stage by stage."""
