"""Whose alert is this? By path token, by HMAC over the raw body, or by a secret in the body."""

import hashlib
import hmac
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bots.models import BODY_SECRET, HMAC, TOKEN, Bot
from common.clock import now_ms
from common.crypto import SealError
from common.errors import Invalid, Unauthenticated
from common.ids import digest

from .alerts import text_of

logger = logging.getLogger(__name__)

SIGNATURE_HEADER = "X-TradingView-Signature"
TIMESTAMP_HEADER = "X-Timestamp"
TIMESTAMP_WINDOW_MS = 300_000
REFUSAL = "The alert is not authentic."


@dataclass(frozen=True, slots=True)
class Authentic:
    """The bot an alert is for and how it proved itself: ``token``, ``hmac`` or ``secret``."""

    bot: Bot
    mode: str


def sign(secret: str, body: bytes) -> str:
    """HMAC-SHA256 hex over the raw body, as the signature header carries it."""
    return hmac.new(secret.encode("utf-8"), body, hashlib.sha256).hexdigest()


def bot_of_token(token: str) -> Bot:
    """The bot a path token names; raises Unauthenticated."""
    bot = Bot.objects.filter(path_token_hash=digest(token)).first()
    if bot is None:
        raise _refused("path token")
    return bot


def authenticate(
    *, body: bytes, parsed: dict[str, Any], headers: Mapping[str, str], token: str | None
) -> Authentic:
    """The alert's bot; raises Unauthenticated, alike for a wrong secret and an unknown bot.

    With a path token, a bot name in the body must agree (Invalid ``bot_mismatch``).
    """
    if token is not None:
        bot = bot_of_token(token)
        demand_own_name(bot, parsed)
        return Authentic(bot, TOKEN)
    name = named_bot(parsed)
    for bot in Bot.objects.filter(name__iexact=name).order_by("pk") if name else ():
        if mode := proof_in(bot, body=body, parsed=parsed, headers=headers):
            return Authentic(bot, mode)
    raise _refused("signature or secret")


def named_bot(parsed: dict[str, Any]) -> str:
    """The bot's name in an alert, empty where it has none."""
    return text_of(parsed, "botname", "bot", "bot_name")


def demand_own_name(bot: Bot, parsed: dict[str, Any]) -> None:
    """Raise Invalid ``bot_mismatch`` where an alert for this bot names another one."""
    name = named_bot(parsed)
    if name and name.lower() != bot.name.lower():
        raise Invalid(
            "The address belongs to another bot.",
            code="bot_mismatch",
            fields={"botname": "is not the bot of this address"},
        )


def proof_in(bot: Bot, *, body: bytes, parsed: dict[str, Any], headers: Mapping[str, str]) -> str:
    """By what an alert shows, without a path token, that it is the bot's: ``hmac``, ``secret``, or
    empty for nothing.
    """
    signature = headers.get(SIGNATURE_HEADER, "").strip().lower().removeprefix("sha256=")
    if signature and _signature_fits(bot, body, signature, headers.get(TIMESTAMP_HEADER, "")):
        return HMAC
    secret = parsed.get("secret")
    fits = (
        isinstance(secret, str)
        and bot.body_secret_hash
        and hmac.compare_digest(digest(secret), bot.body_secret_hash)
    )
    return BODY_SECRET if fits else ""


def stamp_of(mode: str, headers: Mapping[str, str]) -> str:
    """A relay's signed time, empty where the alert proved itself otherwise."""
    return headers.get(TIMESTAMP_HEADER, "") if mode == HMAC else ""


def _signature_fits(bot: Bot, body: bytes, signature: str, timestamp: str) -> bool:
    """Over the raw body, or over ``timestamp.body`` when a timestamp within five minutes is
    sent.
    """
    try:
        secret = bot.open_hmac_secret()
    except SealError:
        logger.error("the HMAC secret of bot %s cannot be opened", bot.pk)
        return False
    if not secret or not signature.isascii():
        return False
    if not timestamp:
        return hmac.compare_digest(sign(secret, body), signature)
    if not timestamp.isdecimal() or len(timestamp) > 14:
        return False
    sent_ms = int(timestamp) if len(timestamp) > 11 else int(timestamp) * 1000
    if abs(now_ms() - sent_ms) > TIMESTAMP_WINDOW_MS:
        return False
    return hmac.compare_digest(sign(secret, timestamp.encode() + b"." + body), signature)


def _refused(what: str) -> Unauthenticated:
    logger.warning("an alert with a wrong %s was refused", what)
    return Unauthenticated(REFUSAL, code="unauthorized")
