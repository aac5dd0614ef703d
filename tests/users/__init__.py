"""Organisations, users, sessions, keys."""
