"""The dashboard: pages, scope, live channel."""
