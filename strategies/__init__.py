"""Strategies in sections, indicators, sessions and backtests."""
