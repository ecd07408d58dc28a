"""Starting, reaching and examining a workshop."""
