"""Clients and their limits, reservations, intents of paid calls, charges."""
