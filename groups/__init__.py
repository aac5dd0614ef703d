"""Groups of accounts and the risk settings they share."""
