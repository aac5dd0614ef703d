"""May this order go? Limits, reservations, kill switches."""
