"""From a job to an order: names resolved, source pictures read, or a refusal."""
