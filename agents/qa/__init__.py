"""QA: judges each picture by named measures and says accept or make it again."""
