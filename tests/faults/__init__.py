"""The fault campaign: ``python -m tests.faults`` proves that no order is lost, doubled or invented.

It starts servers of its own, sends commands through the platform's HTTP doors while processes are
killed and the exchange misbehaves, then compares the ledger with the exchange's own books.
"""
