"""Specification 004: trading terminals."""
