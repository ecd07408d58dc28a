"""The planner: validates, plans, counts, and alone decides every attempt."""
