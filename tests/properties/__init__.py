"""Property tests: state machines and exhaustive checks of the order protocol and the ledger."""
