"""Models that a vendor hosts: what they take, who makes their pictures, and the journal of what was paid."""
