"""Lone orders, positions, portfolio and wallet in the dialects of 004, 003 and 002."""
