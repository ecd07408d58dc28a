"""The models of this machine: pulled from a hub, added from files, removed again."""
