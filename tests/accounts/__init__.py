"""Exchange accounts."""
