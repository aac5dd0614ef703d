"""Symbols as the specifications spell them, brought to the unified form and back."""

import re

from common.errors import Invalid

MAX_LENGTH = 60
_PART = r"[^\s/_:-]{1,30}"
_PAIR = re.compile(rf"({_PART})[-_]({_PART})((?::[^\s/_]{{1,40}})?)\Z")
_UNIFIED = re.compile(rf"{_PART}/{_PART}(?::[^\s/_]{{1,40}})?\Z")


def unified_symbol(text: str, *, field: str = "symbol") -> str:
    """``BTC/USDT`` of ``BTC/USDT``, ``BTC-USDT`` or ``BTC_USDT``, with ``:USDT`` for a contract.

    Case is kept, as venues tell symbols apart by it. Raises Invalid naming ``field``.
    """
    symbol = text.strip()
    pair = _PAIR.match(symbol)
    if pair is not None:
        symbol = f"{pair[1]}/{pair[2]}{pair[3]}"
    if len(symbol) > MAX_LENGTH or not _UNIFIED.match(symbol):
        raise Invalid(
            "This is no symbol.", fields={field: "must look like BTC/USDT, BTC-USDT or BTC_USDT"}
        )
    return symbol


def spelled(symbol: str, separator: str) -> str:
    """A unified symbol with another sign between base and quote."""
    return symbol.replace("/", separator, 1)


def market_type_of(symbol: str) -> str:
    """``swap`` for a contract's unified symbol (``BTC/USDT:USDT``), else ``spot``."""
    return "swap" if ":" in symbol else "spot"


def symbol_in_market(symbol: str, market_type: str) -> str:
    """A unified symbol as an account of this market trades it: a pair (``BTC/USDT``) stands for its
    linear contract (``BTC/USDT:USDT``) where contracts are traded; a contract is that everywhere.
    """
    if market_type != "swap" or ":" in symbol:
        return symbol
    return f"{symbol}:{symbol.rpartition('/')[2]}"
