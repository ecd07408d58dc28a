"""Care of the records: backup, restore, prune."""
