"""Alerts with a life cycle, the registry of health checks, notifications out."""
