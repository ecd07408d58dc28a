"""The storage agent: files, names, catalogue and contact sheets of finished pictures."""
