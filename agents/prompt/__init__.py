"""The prompt agent: from a brief, or from no brief, to prompts in a style."""
