"""Which deliveries are one alert: by the sender's own id, else by the same text within a while."""

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from bots.models import Bot
from common.clock import now
from common.ids import digest

from .alerts import TIME_FIELDS
from .authentication import TIMESTAMP_WINDOW_MS
from .models import Signal
from .routing import FUTURE_TOLERANCE

MAX_ALERT_ID_LENGTH = 120
WINDOW = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Identity:
    """What makes two deliveries to a bot the same alert: ``alert_id``, for ever, or where it is
    empty the digest of the raw body within ``window``.
    """

    alert_id: str
    body_sha256: str
    window: timedelta


def identity_of(bot: Bot, body: bytes, parsed: dict[str, Any], *, stamp: str = "") -> Identity:
    """``stamp`` is a relay's signed time: with it, the same text at another time is another
    alert.
    """
    return Identity(
        alert_id=_alert_id(parsed),
        body_sha256=hashlib.sha256(stamp.encode() + b"." + body if stamp else body).hexdigest(),
        window=_window(bot, parsed, stamp),
    )


def earlier_signal(bot: Bot, identity: Identity) -> Signal | None:
    """The signal that a delivery repeats; who stores one asks under the bot's row lock."""
    rows = Signal.objects.filter(bot=bot).select_related("bot", "execution")
    if identity.alert_id:
        return rows.filter(alert_id=identity.alert_id).first()
    recent = rows.filter(body_sha256=identity.body_sha256, received_at__gt=now() - identity.window)
    return recent.order_by("-pk").first()


def _alert_id(parsed: dict[str, Any]) -> str:
    """The sender's own id of the alert, a long one by its digest; empty where it gave none that is
    text or a number.
    """
    value = parsed.get("alert_id", parsed.get("id"))
    if isinstance(value, bool) or not isinstance(value, (str, int, Decimal)):
        return ""
    text = str(value)
    return text if len(text) <= MAX_ALERT_ID_LENGTH else digest(text)


def _window(bot: Bot, parsed: dict[str, Any], stamp: str) -> timedelta:
    """How long the same text is the same alert: as long as its own time lets it pass, a minute for
    one without a time.
    """
    if stamp:
        return 2 * timedelta(milliseconds=TIMESTAMP_WINDOW_MS)
    if any(parsed.get(name) is not None for name in TIME_FIELDS):
        return timedelta(seconds=bot.max_alert_age_seconds) + 2 * FUTURE_TOLERANCE
    return WINDOW
