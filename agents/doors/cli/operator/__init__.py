"""Commands of the operator: clients, costs, dead letters."""
