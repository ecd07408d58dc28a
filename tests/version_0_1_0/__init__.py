"""What version 0.1.0 left on disk: a ledger in the middle of its work, a catalogue, a picture."""
