"""Sending one message through an Apprise address: which addresses are taken, and what came of it.

Apprise prints addresses, and they are credentials: its log goes nowhere (``settings.logs``), and
what is kept of a failure is one of the words of ``RESULTS``, or the number a service answered with.
"""

import ipaddress
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from apprise import AppriseAsset, NotifyType
from apprise.exception import AppriseException
from apprise.plugins.base import NotifyBase
from apprise.plugins.custom_form import NotifyForm
from apprise.plugins.custom_json import NotifyJSON
from apprise.plugins.custom_xml import NotifyXML
from apprise.plugins.discord import NotifyDiscord
from apprise.plugins.email import NotifyEmail
from apprise.plugins.google_chat import NotifyGoogleChat
from apprise.plugins.gotify import NotifyGotify
from apprise.plugins.mattermost import NotifyMattermost
from apprise.plugins.ntfy import NotifyNtfy
from apprise.plugins.pagerduty import NotifyPagerDuty
from apprise.plugins.pushbullet import NotifyPushBullet
from apprise.plugins.pushover import NotifyPushover
from apprise.plugins.rocketchat import NotifyRocketChat
from apprise.plugins.slack import NotifySlack
from apprise.plugins.telegram import NotifyTelegram
from apprise.plugins.twilio import NotifyTwilio
from apprise.plugins.workflows import NotifyWorkflows
from django.conf import settings

from common.addresses import is_public
from common.errors import Invalid

from .models import Alert
from .outward import Outing, outing

logger = logging.getLogger(__name__)

# What neither reads files nor starts programs nor speaks to this machine, with a name for people.
# Apprise's other plugins are not even loaded.
_SERVICES: tuple[tuple[str, type[NotifyBase], tuple[str, ...]], ...] = (
    ("Telegram", NotifyTelegram, ("tgram",)),
    ("e-mail", NotifyEmail, ("mailto", "mailtos")),
    ("Discord", NotifyDiscord, ("discord",)),
    ("Slack", NotifySlack, ("slack",)),
    ("Microsoft Teams", NotifyWorkflows, ("workflows",)),
    ("ntfy", NotifyNtfy, ("ntfy", "ntfys")),
    ("Gotify", NotifyGotify, ("gotify", "gotifys")),
    ("Pushover", NotifyPushover, ("pover",)),
    ("Pushbullet", NotifyPushBullet, ("pbul",)),
    ("Google Chat", NotifyGoogleChat, ("gchat",)),
    ("Mattermost", NotifyMattermost, ("mmost", "mmosts")),
    ("Rocket.Chat", NotifyRocketChat, ("rocket", "rockets")),
    ("PagerDuty", NotifyPagerDuty, ("pagerduty",)),
    ("Twilio", NotifyTwilio, ("twilio",)),
    ("webhook (JSON)", NotifyJSON, ("json", "jsons")),
    ("webhook (XML)", NotifyXML, ("xml", "xmls")),
    ("webhook (form)", NotifyForm, ("form", "forms")),
)
SCHEMES = {scheme: name for name, _, schemes in _SERVICES for scheme in schemes}
_PLUGINS = {scheme: plugin for _, plugin, schemes in _SERVICES for scheme in schemes}
# Parameters of an address that name files, keys or attachments, or lead elsewhere.
FORBIDDEN = frozenset(
    {"attach", "inline", "pgp", "pgpprv", "pgppub", "redirect", "store", "template", "wkd"}
)
# A certificate that is not looked at is for receivers in one's own network.
PRIVATE_ONLY = frozenset({"verify"})
SECONDS = 10.0
CONNECT_SECONDS, READ_SECONDS = 4.0, 6.0

SENT = "sent"
PRIVATE, LATE, UNREADABLE, NOT_TAKEN = "private_address", "too_late", "unreadable", "not_taken"
SWITCHED_OFF = "switched_off"
RESULTS = {
    SENT: "arrived",
    PRIVATE: "it leads into the private network, which NOTIFY_PRIVATE_ADDRESSES does not allow",
    LATE: f"no answer within {SECONDS:g} s",
    UNREADABLE: "the stored address cannot be opened: enter it anew",
    NOT_TAKEN: "not reached, or not taken by the service",
    SWITCHED_OFF: "the channel was taken out of use",
}
_KINDS = {
    Alert.Severity.INFO: NotifyType.INFO,
    Alert.Severity.WARNING: NotifyType.WARNING,
    Alert.Severity.CRITICAL: NotifyType.FAILURE,
}
_ASSET = AppriseAsset(
    app_id="Trading platform",
    app_desc="Trading platform",
    app_url="",
    image_url_mask=False,
    image_path_mask=False,
    async_mode=False,
    http_redirects=False,
    interpret_emojis=False,
    pgp_autogen=False,
    pem_autogen=False,
    storage_mode="memory",
    allow_templates=False,
    secure_logging=True,
)
_ANSWERED = re.compile(r"error=(\d{3})\b")


def scheme_of(address: str) -> str:
    """The scheme of an address that messages can be sent to; nothing is sent.

    Raises Invalid ``unknown_channel_address`` for what Apprise does not understand or what is not
    on the list, ``private_address`` for one that names this machine or its network by number.
    """
    service = _service(address)
    host = str(service.host or "").strip("[]")
    names_machine = host == "localhost" or (_is_number(host) and not is_public(host))
    # Names, and numbers in odd spellings, are looked at when the connection is made.
    if names_machine and not settings.NOTIFY_PRIVATE_ADDRESSES:
        raise Invalid(
            "The address leads into the private network.",
            code="private_address",
            fields={"address": RESULTS[PRIVATE]},
        )
    return str(service.schema)


def send(address: str, *, title: str, body: str, severity: str) -> str:
    """Send one message and wait for the answer, ten seconds at most; what came of it is ``SENT``,
    another of ``RESULTS``, or ``answered_<status>``. Raises nothing for what the other side does.
    """
    try:
        service = _service(address)
    except Invalid:
        return UNREADABLE
    service.socket_connect_timeout, service.socket_read_timeout = CONNECT_SECONDS, READ_SECONDS
    limits: dict[str, Any] = {
        "seconds": SECONDS,
        "allow_private": settings.NOTIFY_PRIVATE_ADDRESSES,
    }
    with outing(**limits) as trip, _heard() as lines:
        try:
            arrived = service.notify(body=body, title=title, notify_type=_KINDS[severity])
        except Exception as error:  # a plugin may raise anything; its text may hold the address
            logger.warning("a channel of scheme %s: %s", service.schema, type(error).__name__)
            arrived = False
    return SENT if arrived else _why(trip, lines)


def told(result: str) -> str:
    """A result in words; empty for none."""
    status = result.removeprefix("answered_")
    return RESULTS.get(result, f"the service answered {status}" if result else "")


def _service(address: str) -> Any:
    """Apprise's object for an address."""
    scheme = address.partition("://")[0].lower()
    if scheme not in SCHEMES:
        known = ", ".join(f"{each}://" for each in SCHEMES)
        raise _refused(f"must begin with one of {known}")
    with _heard():
        return _made(scheme, address)


def _made(scheme: str, address: str) -> Any:
    plugin = _PLUGINS[scheme]
    # As Apprise itself reads an address.
    parts = plugin.parse_url(address.replace("/#", "/%23")) or {}
    asked = {str(key).lower() for key in parts.get("qsd") or {}}
    only_there = frozenset() if settings.NOTIFY_PRIVATE_ADDRESSES else PRIVATE_ONLY
    forbidden = asked & (FORBIDDEN | only_there)
    if forbidden:
        raise _refused(f"may not have {', '.join(sorted(forbidden))}")
    fault = f"is not complete for {SCHEMES[scheme]}: see the Apprise manual"
    if not parts:
        raise _refused(fault)
    try:
        return plugin(**{**parts, "asset": _ASSET, "tag": set()})
    except (AppriseException, TypeError, ValueError) as error:
        raise _refused(fault) from error


def _refused(fault: str) -> Invalid:
    return Invalid(
        "This is no address for messages.",
        code="unknown_channel_address",
        fields={"address": fault},
    )


def _is_number(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _why(trip: Outing, lines: list[str]) -> str:
    if trip.was_refused:
        return PRIVATE
    if trip.is_over:
        return LATE
    status = next((found[1] for line in lines if (found := _ANSWERED.search(line))), "")
    return f"answered_{status}" if status else NOT_TAKEN


_lines: ContextVar[list[str] | None] = ContextVar("apprise_lines", default=None)


class _Listener(logging.Handler):
    """Hands Apprise's own words to whoever is sending in this thread; they go no further."""

    def emit(self, record: logging.LogRecord) -> None:
        lines = _lines.get()
        if lines is not None:
            lines.append(record.getMessage())


_listener = _Listener()


@contextmanager
def _heard() -> Iterator[list[str]]:
    lines: list[str] = []
    source = logging.getLogger("apprise")
    source.addHandler(_listener)  # once, however often it is added
    token = _lines.set(lines)
    try:
        yield lines
    finally:
        _lines.reset(token)
