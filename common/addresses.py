"""What addresses of callers are counted as one."""

import ipaddress

IPV6_PREFIX = 64


def place_of(address: str) -> str:
    """The address; of an IPv6 one the network, which one household has to itself.

    ``unknown`` for an empty one.
    """
    if ":" not in address:
        return address or "unknown"
    return str(ipaddress.ip_network(f"{address}/{IPV6_PREFIX}", strict=False))
