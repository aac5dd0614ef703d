"""What the ledger does: each module one verb's worth of services, keyword-only."""
