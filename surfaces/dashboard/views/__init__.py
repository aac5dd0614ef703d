"""Pages of the dashboard, by subject."""
