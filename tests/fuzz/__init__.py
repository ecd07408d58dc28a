"""Hostile commands: every one gets a typed error or a plan, and nothing dies of them."""
