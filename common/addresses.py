"""What addresses of callers are counted as one, and which are those of the open internet."""

import ipaddress
from collections.abc import Iterable

IPV6_PREFIX = 64
# Carries an IPv4 address in its last 32 bits (RFC 6052).
_TRANSLATED = ipaddress.IPv6Network("64:ff9b::/96")


def place_of(address: str) -> str:
    """The address; of an IPv6 one the network, which one household has to itself.

    ``unknown`` for an empty one.
    """
    if ":" not in address:
        return address or "unknown"
    return str(ipaddress.ip_network(f"{address}/{IPV6_PREFIX}", strict=False))


def is_within(address: str, networks: Iterable[str]) -> bool:
    """Whether an address is one of these, or in one of these networks. False for what is no
    address; an IPv4 address in an IPv6 form (``::ffff:192.0.2.1``) counts as itself.
    """
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    found = getattr(found, "ipv4_mapped", None) or found
    return any(found in ipaddress.ip_network(each, strict=False) for each in networks)


def is_public(address: str) -> bool:
    """Whether an IP address is one of the open internet: not private, loopback, link-local,
    multicast or reserved, nor an IPv6 form of such an IPv4 address. False for what is no address.
    """
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address):
        found = _carried(found) or found
    return found.is_global and not found.is_multicast


def _carried(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that packets to this one reach in the end."""
    if address in _TRANSLATED:
        return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    relayed = address.teredo
    return address.ipv4_mapped or address.sixtofour or (relayed[1] if relayed else None)
