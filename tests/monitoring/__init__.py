"""Alerts and notifications out."""
