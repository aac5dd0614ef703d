"""Everything that talks to an exchange; the only app that imports ccxt."""
