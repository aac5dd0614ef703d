"""What the live channels of all dialects share: one reading of the log, cursors, limits."""
