"""The log, its numbers and the audit trail."""
