"""Venues: what an account's ``venue`` names, and where its traffic goes.

A ccxt id is a venue and always talks to the real exchange (or that exchange's own testnet). The
operator's setting ``EXCHANGE_VENUES`` declares further venues: the unmodified ccxt class of an id
at another address.
"""

import json
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import ccxt.async_support as ccxt_async
from django.conf import settings

from common.errors import ConfigurationError, Invalid

SETTING = "EXCHANGE_VENUES"
_KEYS = frozenset({"ccxt", "base_url", "hosts", "requests_per_second"})


def _key(name: str, is_testnet: bool) -> str:
    return f"{name}:testnet" if is_testnet else name


@dataclass(frozen=True, slots=True)
class Venue:
    """A venue: ``base_url`` for all hosts or ``hosts`` one by one when it is declared, else
    neither.

    ``requests_per_second`` is a declared venue's own budget, where it has one.
    """

    name: str
    ccxt_id: str
    base_url: str = ""
    hosts: dict[str, str] = field(default_factory=dict, hash=False)
    is_testnet: bool = False
    requests_per_second: float | None = None

    @property
    def is_declared(self) -> bool:
        """Whether the operator declared the venue (its book is then ``rehearsal``)."""
        return bool(self.base_url or self.hosts)

    @property
    def address(self) -> str:
        """Where the traffic goes, as one text that accounts are pinned to; empty for a ccxt id."""
        return self.base_url or (json.dumps(self.hosts, sort_keys=True) if self.hosts else "")

    @property
    def key(self) -> str:
        """The name that connections and market data are shared under."""
        return _key(self.name, self.is_testnet)


def _is_address(value: Any, schemes: tuple[str, ...]) -> bool:
    if not isinstance(value, str):
        return False
    parts = urlsplit(value)
    return parts.scheme in schemes and bool(parts.hostname) and not (parts.query or parts.fragment)


def _declared(name: str, entry: Any) -> Venue:
    if not isinstance(entry, dict) or entry.keys() - _KEYS:
        raise ConfigurationError(
            SETTING,
            f'venue "{name}" takes the keys ccxt, base_url or hosts, and requests_per_second',
        )
    if name in ccxt_async.exchanges:
        raise ConfigurationError(SETTING, f'"{name}" is a ccxt id and cannot be redirected')
    if entry.get("ccxt") not in ccxt_async.exchanges:
        raise ConfigurationError(SETTING, f'venue "{name}" names no known ccxt id')
    base_url, hosts = entry.get("base_url", ""), entry.get("hosts", {})
    if bool(base_url) == bool(hosts):
        raise ConfigurationError(SETTING, f'venue "{name}" needs either base_url or hosts')
    if base_url and not _is_address(base_url, ("http", "https")):
        raise ConfigurationError(SETTING, f'the base_url of venue "{name}" is not an http address')
    if hosts and not (
        isinstance(hosts, dict)
        and all(_is_address(target, ("http", "https", "ws", "wss")) for target in hosts.values())
    ):
        raise ConfigurationError(SETTING, f'the hosts of venue "{name}" are not addresses')
    budget = entry.get("requests_per_second")
    if budget is not None and (type(budget) not in (int, float) or budget <= 0):
        raise ConfigurationError(
            SETTING, f'requests_per_second of venue "{name}" is not a number above 0'
        )
    return Venue(
        name=name,
        ccxt_id=entry["ccxt"],
        base_url=base_url,
        hosts=dict(hosts or {}),
        requests_per_second=budget,
    )


def parse_venues(entries: Any) -> dict[str, Venue]:
    """The declared venues by name; raises ConfigurationError naming the setting and the venue."""
    if not isinstance(entries, dict):
        raise ConfigurationError(SETTING, "must be a JSON object of venues by name")
    return {name: _declared(name, entry) for name, entry in entries.items()}


class _Declared:
    """The parsed setting; parsed again where the setting is another object."""

    def __init__(self) -> None:
        self._of: tuple[Any, dict[str, Venue]] = (None, {})

    def venues(self, entries: Any) -> dict[str, Venue]:
        """Those of the setting as it is; raises ConfigurationError."""
        of, venues = self._of
        if of is not entries:
            venues = parse_venues(entries)
            self._of = (entries, venues)
        return venues


_declared_ones = _Declared()


def declared_venues() -> dict[str, Venue]:
    """The operator's declared venues by name."""
    return _declared_ones.venues(settings.EXCHANGE_VENUES)


@cache
def _has_testnet(ccxt_id: str) -> bool:
    """Making one of ccxt's exchanges to look takes milliseconds."""
    return "test" in getattr(ccxt_async, ccxt_id)().urls


def resolve(name: str, *, is_testnet: bool = False) -> Venue:
    """The venue of a name; raises Invalid ``unknown_venue`` or ``no_testnet``."""
    declared = declared_venues().get(name)
    if declared is not None:
        return declared
    if name not in ccxt_async.exchanges:
        raise Invalid(
            "No such venue.", code="unknown_venue", fields={"exchange": "not a known venue"}
        )
    if is_testnet and not _has_testnet(name):
        raise Invalid(
            "This exchange has no testnet.", code="no_testnet", fields={"is_testnet": "none"}
        )
    return Venue(name=name, ccxt_id=name, is_testnet=is_testnet)


def venue_key(name: str, *, is_testnet: bool) -> str:
    """The key of the venue an account names, also of one that does not resolve any more."""
    return _key(name, is_testnet and name not in declared_venues())


def known_venues() -> list[str]:
    """Declared venues first, then every ccxt id."""
    return [*sorted(declared_venues()), *ccxt_async.exchanges]
