"""Renewing what a bot's alerts prove themselves by, and retiring what they did before."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import transaction

from accounts.principals import demand_organisation_wide
from bots.models import BODY_SECRET, HMAC, TOKEN, Bot, PreviousSecret
from bots.secrets import check_body_secret
from common.clock import iso, now
from common.errors import Invalid, NotFound
from common.ids import digest, new_secret_token
from common.principal import Principal
from events.log import audit

from .rows import locked, tell

DEFAULT_GRACE_SECONDS = 24 * 3600
LONGEST_GRACE_SECONDS = 30 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Renewed:
    """A new secret, in the clear this once, and until when the one before is accepted; None where
    there was none or it is not.
    """

    kind: str
    secret: str = field(repr=False)
    previous_until: datetime | None


@transaction.atomic
def renew_secret(
    *,
    principal: Principal,
    bot: Bot,
    kind: str,
    body_secret: str = "",
    grace_seconds: int = DEFAULT_GRACE_SECONDS,
) -> Renewed:
    """Give the bot a new secret of a kind: ``token`` (its address), ``hmac`` or ``secret``, which
    the caller may choose (``body_secret``); under the bot's row lock.

    The one before is accepted for ``grace_seconds`` more (0 to 30 days); one that was still
    accepted beside it ends at once, since two are in force at most. A kind that the bot had not is
    added. Raises Denied, NotFound, Invalid (``weak_secret``, ``same_secret``).
    """
    demand_organisation_wide(principal)
    _check_kind(kind)
    if not 0 <= grace_seconds <= LONGEST_GRACE_SECONDS:
        fault = f"must be 0 to {LONGEST_GRACE_SECONDS} seconds (30 days)"
        raise Invalid("The old secret cannot be kept so long.", fields={"grace_seconds": fault})
    row = locked(principal, bot)
    secret = _new_secret(row, kind, body_secret)
    had_one = kind in row.auth_modes
    until = _keep(row, kind, grace_seconds) if had_one else None
    _put(row, kind, secret)
    audit(
        principal,
        "bot.secret_renewed",
        target=f"bot:{row.pk}",
        before={"kind": kind, "had_one": had_one},
        after={"kind": kind, "previous_accepted_until": iso(until) if until else None},
    )
    tell(row, "bot.updated")
    return Renewed(kind, secret, until if grace_seconds else None)


@transaction.atomic
def retire_secret(*, principal: Principal, bot: Bot, kind: str) -> PreviousSecret:
    """Accept the renewed secret of a kind no more, from the commit on; one that has ended stays as
    it is. Raises Denied, Invalid, NotFound (``no_previous_secret``).
    """
    demand_organisation_wide(principal)
    _check_kind(kind)
    row = locked(principal, bot)
    previous = PreviousSecret.objects.select_for_update().filter(bot=row, kind=kind).first()
    if previous is None:
        raise NotFound("No secret of this kind was renewed.", code="no_previous_secret")
    if previous.is_accepted:
        before = previous.accepted_until
        previous.accepted_until = now()
        previous.save(update_fields=["accepted_until"])
        audit(
            principal,
            "bot.secret_retired",
            target=f"bot:{row.pk}",
            before={"kind": kind, "previous_accepted_until": iso(before)},
            after={"kind": kind, "previous_accepted_until": iso(previous.accepted_until)},
        )
        tell(row, "bot.updated")
    return previous


def _check_kind(kind: str) -> None:
    if kind not in PreviousSecret.Kind.values:
        known = ", ".join(PreviousSecret.Kind.values)
        raise Invalid("There is no such secret.", fields={"kind": f"one of {known}"})


def _new_secret(bot: Bot, kind: str, chosen: str) -> str:
    if not chosen:
        return new_secret_token()
    if kind != BODY_SECRET:
        fault = "only a secret in the alert's text can be chosen"
        raise Invalid("This secret is made by the platform.", fields={"body_secret": fault})
    check_body_secret(chosen)
    if digest(chosen) == bot.body_secret_hash:
        raise Invalid(
            "This is the secret that the bot has.",
            code="same_secret",
            fields={"body_secret": "is the one in force"},
        )
    return chosen


def _keep(bot: Bot, kind: str, seconds: int) -> datetime:
    """Keep the secret in force as the one before; until when it is accepted."""
    moment = now()
    until = moment + timedelta(seconds=seconds)
    hashes = {TOKEN: bot.path_token_hash, BODY_SECRET: bot.body_secret_hash}
    PreviousSecret.objects.update_or_create(
        bot=bot,
        kind=kind,
        defaults={
            "secret_hash": hashes.get(kind, ""),
            "secret_sealed": bot.hmac_secret_sealed if kind == HMAC else "",
            "accepted_until": until,
            "replaced_at": moment,
            "last_used_at": None,
        },
    )
    return until


def _put(bot: Bot, kind: str, secret: str) -> None:
    if kind == HMAC:
        bot.set_hmac_secret(secret)
        column = "hmac_secret_sealed"
    else:
        column = "path_token_hash" if kind == TOKEN else "body_secret_hash"
        setattr(bot, column, digest(secret))
    bot.save(update_fields=[column])
