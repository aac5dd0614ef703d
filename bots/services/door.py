"""Whose certificate a bot accepts, and from where its alerts may come."""

import ipaddress
from collections.abc import Iterable
from typing import Any

from django.db import IntegrityError, transaction

from accounts.principals import demand_organisation_wide
from bots.models import Bot
from common.errors import Conflict, Invalid
from common.principal import Principal
from events.log import audit

from .rows import locked, tell

MOST_ADDRESSES = 50
MAX_SUBJECT_LENGTH = 64
IPV6_PREFIX_OF_IPV4 = 96


@transaction.atomic
def set_door(
    *, principal: Principal, bot: Bot, certificate_subject: str, allowed_addresses: Iterable[str]
) -> Bot:
    """Accept alerts whose sender's certificate has this common name (empty: none), and no alert
    from elsewhere than these addresses and networks (none: from anywhere); both replace what was.

    Raises Denied, NotFound, Invalid (``no_authentication`` where no way to authenticate would be
    left), Conflict ``certificate_subject_taken``.
    """
    demand_organisation_wide(principal)
    subject, networks = checked_subject(certificate_subject), checked_networks(allowed_addresses)
    row = locked(principal, bot)
    before = _said(row)
    row.certificate_subject, row.allowed_addresses = subject, networks
    if _said(row) == before:
        return row
    if not row.auth_modes:
        raise Invalid(
            "A bot needs a way to authenticate its alerts.",
            code="no_authentication",
            fields={"certificate_subject": "is the only way that this bot has"},
        )
    try:
        with transaction.atomic():
            row.save(update_fields=["certificate_subject", "allowed_addresses"])
    except IntegrityError as error:
        raise subject_taken() from error
    target = f"bot:{row.pk}"
    audit(principal, "bot.door_changed", target=target, before=before, after=_said(row))
    tell(row, "bot.updated")
    return row


def checked_subject(text: str) -> str:
    """A certificate's common name without surrounding blanks; raises Invalid."""
    subject = text.strip()
    if len(subject) > MAX_SUBJECT_LENGTH or not subject.isprintable():
        fault = f"up to {MAX_SUBJECT_LENGTH} printable characters"
        raise Invalid("This is no common name.", fields={"certificate_subject": fault})
    return subject


def checked_networks(texts: Iterable[str]) -> list[str]:
    """Addresses and networks in their usual form, each once; raises Invalid naming one that is
    none. A network is written by its first address, so that no digit too few lets in thousands.
    """
    found: dict[str, None] = {}
    for text in texts:
        try:
            # What stands behind a % is an interface of one machine.
            network = _plain(ipaddress.ip_network(text.strip().replace("%", "?")))
        except ValueError as error:
            raise Invalid(
                "The list of addresses is not usable.",
                fields={"allowed_addresses": f"{text.strip()[:60]!r} is no address or network"},
            ) from error
        is_one = network.num_addresses == 1
        found[str(network.network_address if is_one else network)] = None
    if len(found) > MOST_ADDRESSES:
        fault = f"at most {MOST_ADDRESSES}"
        raise Invalid("The list of addresses is too long.", fields={"allowed_addresses": fault})
    return list(found)


def _plain(
    network: ipaddress.IPv4Network | ipaddress.IPv6Network,
) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    """An IPv4 network that is written as IPv6 (``::ffff:192.0.2.0/120``) as itself."""
    first = network.network_address
    mapped = first.ipv4_mapped if isinstance(first, ipaddress.IPv6Address) else None
    if mapped is None or network.prefixlen < IPV6_PREFIX_OF_IPV4:
        return network
    return ipaddress.IPv4Network((mapped, network.prefixlen - IPV6_PREFIX_OF_IPV4))


def subject_taken() -> Conflict:
    """The refusal of a certificate that a bot of this name accepts elsewhere."""
    return Conflict(
        "Another bot of this name accepts this certificate; give the bot another name.",
        code="certificate_subject_taken",
        fields={"certificate_subject": "is accepted by another bot of this name"},
    )


def _said(bot: Bot) -> dict[str, Any]:
    return {
        "certificate_subject": bot.certificate_subject,
        "allowed_addresses": list(bot.allowed_addresses),
    }
