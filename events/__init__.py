"""The append-only log: numbered events, audit records, durable consumers."""
