"""Exchange accounts: credentials, grants, balances, equity."""
