"""Groups of accounts."""
