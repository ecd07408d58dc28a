"""Requests answered: of clients, of the operator, of generators that pay."""
