"""The ledger: commands, orders, deals, positions, and what moves them."""
