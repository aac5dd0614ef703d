"""The address alerts are sent to, and whether TradingView could reach it."""

import ipaddress
from urllib.parse import urlsplit

from django.http import HttpRequest

WEBHOOK_PATH = "/api/v1/webhook/tradingview"
# What TradingView's help says: where its requests come from, and the ports it sends them to.
TRADINGVIEW_ADDRESSES = ("52.89.214.238", "34.212.75.30", "54.218.53.128", "52.32.178.7")
# The common name of the client certificate that it presents.
TRADINGVIEW_CERTIFICATE = "TradingView Webhooks"
TRADINGVIEW_PORTS = (80, 443)


def webhook_address(request: HttpRequest, token: str = "") -> str:
    """The address as this request's own sender sees the platform; with ``token`` a bot's own."""
    return request.build_absolute_uri(f"{WEBHOOK_PATH}/{token}" if token else WEBHOOK_PATH)


def obstacles(address: str) -> list[str]:
    """Why TradingView could not send to an address, a sentence each; empty where nothing shows."""
    parts = urlsplit(address)
    host, found = parts.hostname or "", []
    if parts.port not in (None, *TRADINGVIEW_PORTS):
        found.append(f"It sends to ports 80 and 443 alone; this address has port {parts.port}.")
    try:
        numeric = ipaddress.ip_address(host)
    except ValueError:
        if host == "localhost" or "." not in host:
            found.append(f"The name {host} is known in this network alone.")
    else:
        if numeric.version == 6:
            found.append("It does not send to IPv6 addresses.")
        elif not numeric.is_global:
            found.append(f"The address {host} is reached from this machine or network alone.")
    return found
