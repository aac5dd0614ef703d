"""Specification 000: commands, orders, deals and positions in the manner of MetaTrader."""
