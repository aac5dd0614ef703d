"""Alerts with a life cycle and the registry of health checks."""
