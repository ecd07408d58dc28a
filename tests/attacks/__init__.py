"""Attacks from a client's login, from an agent's, and with hostile files: one file for each row of the attack table.

The rows are numbered as in `.github/SECURITY.md`. Each test is one sentence about what an attacker does not reach.
"""
