"""Receiving alerts: authenticate, store, deduplicate, hand on, answer.

An authentic alert is stored before it is acted on. It is routed by the process that took it in when
the venues answer quickly, else by a worker, so that the sender's patience does not depend on an
exchange; both give the same execution.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from django.db import transaction
from django.db.models import F

from bots.models import Bot, PreviousSecret
from common.clock import now
from common.errors import BadJson, Invalid, TooLarge
from common.ids import new_correlation_id
from common.principal import Principal
from common.redaction import redact_body
from common.wake import wake
from events.log import publish_all
from trading.services.legs import PENDING, UNKNOWN, counts, legs, wait_for_legs

from .alerts import kept_fields, load_json
from .authentication import Authentic, Sender, authentic_at, authenticate, stamp_of
from .duplicates import earlier_signal, identity_of
from .lifecycle import refuse, signal_event
from .models import Signal
from .refusals import ENDED, NotAuthentic, Refused
from .routing import accept

MAX_BODY_BYTES = 8192
QUICK_PATIENCE_SECONDS = 0.8


def receive(
    *,
    body: bytes,
    headers: Mapping[str, str],
    token: str | None,
    address: str,
    subject: str = "",
) -> Signal:
    """:func:`store`, and :func:`route` for what is no repeat; raises what they raise."""
    sender = Sender(address=address, subject=subject)
    signal = store(body=body, headers=headers, token=token, sender=sender)
    if not signal.is_duplicate:
        route(signal)
    return signal


def store(*, body: bytes, headers: Mapping[str, str], token: str | None, sender: Sender) -> Signal:
    """Take one delivery of an alert; the returned signal has ``is_duplicate`` set for a repeat.

    Raises TooLarge, BadJson and NotAuthentic; then nothing is stored.
    """
    if len(body) > MAX_BODY_BYTES:
        raise TooLarge(f"An alert has at most {MAX_BODY_BYTES} bytes.")
    try:
        parsed = load_json(body)
    except BadJson:
        if token is not None:
            authentic_at(token, sender)
        raise
    prove = partial(
        authenticate, body=body, parsed=parsed, headers=headers, token=token, sender=sender
    )
    authentic = prove()
    with transaction.atomic():
        bot = Bot.objects.select_for_update(no_key=True).get(pk=authentic.bot.pk)
        authentic = _still(authentic, bot, prove)
        stamp = stamp_of(authentic.mode, headers)
        return _store(authentic, bot, body, parsed, address=sender.address, stamp=stamp)


def route(signal: Signal) -> None:
    """Make a new signal's execution, or have a worker do it where a venue does not answer quickly.

    Raises Invalid (it is stored as refused; the details name the correlation id). A stopped or
    paused bot's refusal is not an error: see the signal's reason code.
    """
    try:
        if not accept(signal, patience=QUICK_PATIENCE_SECONDS, is_new=True):
            wake("webhooks.route_later", bot_id=signal.bot_id)
    except Invalid as error:
        refuse(signal, error.code, error.message)
        error.details["correlation_id"] = signal.correlation_id
        raise


def _still(authentic: Authentic, bot: Bot, prove: Callable[[], Authentic]) -> Authentic:
    """The proof as it stands under the bot's row lock, which every change of what lets alerts in
    takes too: what was retired before is refused. Raises NotAuthentic.
    """
    if bot.door != authentic.bot.door:
        authentic = prove()
    previous = authentic.previous
    if authentic.bot.pk != bot.pk or (previous is not None and not _used(previous)):
        raise NotAuthentic([Refused(bot, ENDED)])
    return authentic


def _used(previous: PreviousSecret) -> bool:
    """Note that a renewed secret is in use still; False where it has ended."""
    moment = now()
    same = PreviousSecret.objects.filter(pk=previous.pk, replaced_at=previous.replaced_at)
    return bool(same.filter(accepted_until__gt=moment).update(last_used_at=moment))


def _store(
    authentic: Authentic,
    bot: Bot,
    body: bytes,
    parsed: dict[str, Any],
    *,
    address: str,
    stamp: str,
) -> Signal:
    """Store the alert with all that judging it needs, or count one more delivery of the same one;
    the bot's row is locked.
    """
    identity = identity_of(bot, body, parsed, stamp=stamp)
    earlier = earlier_signal(bot, identity)
    if earlier is not None:
        Signal.objects.filter(pk=earlier.pk).update(deliveries=F("deliveries") + 1)
        earlier.is_duplicate = True
        return earlier
    signal = Signal.objects.create(
        organisation_id=bot.organisation_id,
        bot=bot,
        correlation_id=new_correlation_id(),
        alert_id=identity.alert_id,
        body=redact_body(body.decode("utf-8", "replace")),
        body_sha256=identity.body_sha256,
        request={"body": kept_fields(parsed)},
        auth_mode=authentic.mode,
        used_previous_secret=authentic.previous is not None,
        address=address or None,
    )
    Bot.objects.filter(pk=bot.pk).update(signals_total=F("signals_total") + 1)
    publish_all([signal_event("signal.received", signal)])
    return signal


def is_unrouted(signal: Signal) -> bool:
    """Whether a worker has still to route the signal; brings the signal up to date."""
    signal.refresh_from_db(fields=("state", "execution"))
    return signal.execution is None and signal.state == Signal.State.RECEIVED


def answer_stored(signal: Signal) -> dict[str, Any]:
    """What is known of a new signal that is not routed yet; asks the database nothing."""
    return {
        "correlation_id": signal.correlation_id,
        "state": Signal.State.RECEIVED,
        "bot": signal.bot.name,
        "duplicate": False,
        "reason_code": "",
        "message": "",
        "success_count": 0,
        "error_count": 0,
        "pending": True,
        "results": [],
    }


def answer(signal: Signal, wait: float = 0.0, *, reader: Principal | None = None) -> dict[str, Any]:
    """What is known of a signal by now, waiting up to ``wait`` seconds (blocking) for its legs.

    A ``reader`` is told of the accounts that it may read; the sender of the alert of all.
    """
    is_duplicate = signal.is_duplicate
    signal = Signal.objects.select_related("execution", "bot").get(pk=signal.pk)
    results = []
    if signal.execution is not None:
        if wait:
            wait_for_legs(signal.execution, wait)
        results = legs(signal.execution, reader)
    success_count, error_count = counts(results)
    waits = signal.state == Signal.State.RECEIVED
    return answer_stored(signal) | {
        "state": signal.state,
        "duplicate": is_duplicate,
        "reason_code": signal.reason_code,
        "message": signal.message,
        "success_count": success_count,
        "error_count": error_count,
        "pending": waits or any(leg.status in (PENDING, UNKNOWN) for leg in results),
        "results": [leg.as_json() for leg in results],
    }
