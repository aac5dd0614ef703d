"""Inbound signals: authenticate, store, deduplicate, hand on."""
