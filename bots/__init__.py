"""Named signal receivers: which accounts a signal reaches."""
