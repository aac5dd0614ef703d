"""Splits the log by what it is about: the exchanges, the positions, and the rest, the API."""

import logging

API, CCXT, POSITION = "api", "ccxt", "position"
_DOMAINS = {
    "ccxt": CCXT,
    "exchanges": CCXT,
    "accounts": POSITION,
    "bots": POSITION,
    "groups": POSITION,
    "marketdata": POSITION,
    "riskmgmt": POSITION,
    "strategies": POSITION,
    "trading": POSITION,
}


class DomainFilter(logging.Filter):
    """Lets the records of one domain pass; a logger belongs where its first word does."""

    def __init__(self, domain: str) -> None:
        super().__init__()
        self._domain = domain

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is of this domain."""
        return _DOMAINS.get(record.name.partition(".")[0], API) == self._domain
