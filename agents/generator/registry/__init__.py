"""What has weights: entries, places, hashes; samplers."""
