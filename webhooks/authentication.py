"""Whose alert is this? By path token, by HMAC over the raw body, by a secret in the body, or by the
client certificate of its sender; and whether the bot takes alerts from where it came.
"""

import hashlib
import hmac
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bots.models import BODY_SECRET, CERTIFICATE, HMAC, TOKEN, Bot, PreviousSecret
from common.clock import now_ms
from common.crypto import SealError
from common.errors import Invalid
from common.ids import digest

from .alerts import text_of
from .certificates import common_name
from .refusals import ADDRESS, ENDED, WRONG, NotAuthentic, Refused

logger = logging.getLogger(__name__)

SIGNATURE_HEADER = "X-TradingView-Signature"
TIMESTAMP_HEADER = "X-Timestamp"
TIMESTAMP_WINDOW_MS = 300_000


@dataclass(frozen=True, slots=True)
class Sender:
    """What is known of whoever sent an alert: the address it comes from, and the subject of the
    client certificate that a trusted proxy has verified; empty where unknown.
    """

    address: str = ""
    subject: str = ""


@dataclass(frozen=True, slots=True)
class Authentic:
    """The bot an alert is for and how it proved itself: ``token``, ``hmac``, ``secret``, ``mtls``.

    ``previous`` is the secret it did so by where that has been renewed since.
    """

    bot: Bot
    mode: str
    previous: PreviousSecret | None = None

    @property
    def holds(self) -> bool:
        """Whether what it proved itself by is in force, or accepted still."""
        return self.previous is None or self.previous.is_accepted


@dataclass(frozen=True, slots=True)
class Shown:
    """What an alert without a path token shows of whose it is; ``is_bare`` where that is neither a
    signature nor a secret.
    """

    body: bytes = field(repr=False)
    signature: str = field(repr=False)
    timestamp: str
    secret: str = field(repr=False)
    is_bare: bool
    common_name: str

    def proof_of(self, bot: Bot) -> str:
        """By what it is the bot's, empty for nothing. A certificate counts only for a bare alert: a
        wrong signature or secret is refused, whoever sends it.
        """
        if self.signature and self._is_signed_by(bot):
            return HMAC
        if self._holds(bot.body_secret_hash):
            return BODY_SECRET
        fits = self.is_bare and bot.certificate_subject and self.common_name
        if fits and hmac.compare_digest(
            self.common_name.encode(), bot.certificate_subject.encode()
        ):
            return CERTIFICATE
        return ""

    def is_proven_by(self, previous: PreviousSecret) -> bool:
        """Whether it shows a secret that has been renewed."""
        if previous.kind == HMAC:
            return bool(self.signature) and self._is_signed_by(previous)
        return previous.kind == BODY_SECRET and self._holds(previous.secret_hash)

    def _holds(self, kept: str) -> bool:
        return bool(kept and self.secret and hmac.compare_digest(digest(self.secret), kept))

    def _is_signed_by(self, keeper: Bot | PreviousSecret) -> bool:
        """Over the raw body, or over ``timestamp.body`` when a timestamp within five minutes is
        sent.
        """
        try:
            secret = keeper.open_hmac_secret()
        except SealError:
            logger.error("an HMAC secret of bot %s cannot be opened", keeper)
            return False
        if not secret or not self.signature.isascii():
            return False
        if not self.timestamp:
            return hmac.compare_digest(sign(secret, self.body), self.signature)
        if not self.timestamp.isdecimal() or len(self.timestamp) > 14:
            return False
        is_in_ms = len(self.timestamp) > 11
        sent_ms = int(self.timestamp) if is_in_ms else int(self.timestamp) * 1000
        if abs(now_ms() - sent_ms) > TIMESTAMP_WINDOW_MS:
            return False
        signed = self.timestamp.encode() + b"." + self.body
        return hmac.compare_digest(sign(secret, signed), self.signature)


def sign(secret: str, body: bytes) -> str:
    """HMAC-SHA256 hex over the raw body, as the signature header carries it."""
    return hmac.new(secret.encode("utf-8"), body, hashlib.sha256).hexdigest()


def shown_by(
    *, body: bytes, parsed: dict[str, Any], headers: Mapping[str, str], sender: Sender
) -> Shown:
    """What an alert shows of whose it is."""
    secret = parsed.get("secret")
    signature = headers.get(SIGNATURE_HEADER, "").strip().lower().removeprefix("sha256=")
    return Shown(
        body=body,
        signature=signature,
        timestamp=headers.get(TIMESTAMP_HEADER, ""),
        secret=secret if isinstance(secret, str) else "",
        is_bare=not signature and secret in (None, ""),
        common_name=common_name(sender.subject),
    )


def authentic_at(token: str, sender: Sender) -> Authentic:
    """Whose address a path token is, and whether the bot takes alerts from there; raises
    NotAuthentic.
    """
    kept = digest(token)
    bot = Bot.objects.filter(path_token_hash=kept).first()
    if bot is not None:
        return _admitted([Authentic(bot, TOKEN)], sender)
    previous = PreviousSecret.objects.filter(kind=TOKEN, secret_hash=kept).select_related("bot")
    return _admitted([Authentic(each.bot, TOKEN, each) for each in previous], sender)


def authenticate(
    *,
    body: bytes,
    parsed: dict[str, Any],
    headers: Mapping[str, str],
    token: str | None,
    sender: Sender,
) -> Authentic:
    """The alert's bot; raises NotAuthentic, alike for a wrong secret, an unknown bot, a secret that
    has ended and an address that the bot does not list.

    With a path token, a bot name in the body must agree (Invalid ``bot_mismatch``).
    """
    if token is not None:
        found = authentic_at(token, sender)
        demand_own_name(found.bot, parsed)
        return found
    shown = shown_by(body=body, parsed=parsed, headers=headers, sender=sender)
    name = named_bot(parsed)
    bots = list(Bot.objects.filter(name__iexact=name).order_by("pk")) if name else []
    return _admitted(proofs(shown, bots, name), sender, named=bots)


def proofs(shown: Shown, bots: Sequence[Bot], name: str) -> list[Authentic]:
    """How an alert proves to be which of the bots that it may be for, all of the same name; by
    renewed secrets, ended ones too, where it does not by those in force.
    """
    found = [Authentic(bot, mode) for bot in bots if (mode := shown.proof_of(bot))]
    if found:
        return found
    # Asked for a name that no bot has, too: an answer must not tell by its time.
    renewed = PreviousSecret.objects.filter(bot__name__iexact=name).select_related("bot")
    numbers = {bot.pk for bot in bots}
    return [
        Authentic(each.bot, each.kind, each)
        for each in renewed
        if each.bot_id in numbers and shown.is_proven_by(each)
    ]


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


def stamp_of(mode: str, headers: Mapping[str, str]) -> str:
    """A relay's signed time, empty where the alert proved itself otherwise."""
    return headers.get(TIMESTAMP_HEADER, "") if mode == HMAC else ""


def _admitted(
    proven: Iterable[Authentic], sender: Sender, *, named: Iterable[Bot] = ()
) -> Authentic:
    """The first proof that holds; raises NotAuthentic with what spoke against each."""
    against = []
    for each in proven:
        if not each.holds:
            against.append(Refused(each.bot, ENDED))
        elif not each.bot.admits(sender.address):
            against.append(Refused(each.bot, ADDRESS))
        else:
            return each
    raise NotAuthentic(against or [Refused(bot, WRONG) for bot in named])
