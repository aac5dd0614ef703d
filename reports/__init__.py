"""Read-only answers that combine many apps."""
