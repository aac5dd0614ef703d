"""What an exchange's word does to an order, whoever heard it: the sender, recovery or the poll."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from accounts.models import Account
from common.clock import now
from common.errors import DomainError
from common.redaction import redact_json
from events.log import publish
from exchanges.outcomes import NOT_SENT, REFUSED, VenueError
from exchanges.protocol import CANCELED, EXPIRED, FILLED, REJECTED, VenueOrder
from exchanges.quirks import Quirks, quirks_of
from exchanges.venues import resolve
from monitoring.alerts import raise_alert
from monitoring.models import Alert
from trading import states
from trading.models import Order

from .agenda import DEAD_WATCHED_FOR
from .fills import Told, import_told, import_trades
from .lanes import wake_sweep
from .transitions import Moves

RETRY_NOT_SENT_FOR = timedelta(seconds=60)
RETRY_PAUSE = timedelta(seconds=1)
FIRST_LOOK_AFTER = timedelta(milliseconds=500)
MARGIN = timedelta(seconds=1)
UNBOUNDED_WINDOW = timedelta(seconds=60)
TRANSIENT = frozenset(
    {
        "send_deadline_passed",
        "venue_banned",
        "timeout",
        "network_error",
        "exchange_unavailable",
        "rate_limited",
        "protection_unclear",
    }
)
_FINAL = {CANCELED: states.CANCELED, EXPIRED: states.EXPIRED, REJECTED: states.REJECTED}


def quirks_of_venue(venue: str, market_type: str, *, is_testnet: bool) -> Quirks:
    """The differences of a venue by its name; raises Invalid ``unknown_venue``."""
    return quirks_of(resolve(venue, is_testnet=is_testnet).ccxt_id, market_type)


def quirks_of_account(account: Account) -> Quirks:
    """The differences of the account's venue."""
    return quirks_of_venue(account.venue, account.market_type, is_testnet=account.is_testnet)


def acceptance_bound(quirks: Quirks) -> timedelta:
    """How long after the sending of a request the venue may still accept it: the signed request's
    window and the venue's own processing limit; a guess where a venue has no window.
    """
    if quirks.request_window_ms is None:
        return UNBOUNDED_WINDOW
    return timedelta(milliseconds=quirks.request_window_ms + quirks.processing_ms) + MARGIN


def last_acceptance(order: Order, quirks: Quirks) -> datetime:
    """The moment after which the venue cannot accept this order any more.

    From the stamped wire time where it is known, else from the send deadline, by which the claim's
    holder had to send.
    """
    sent_by = order.wire_at or order.send_deadline or order.created_at
    return sent_by + acceptance_bound(quirks)


def may_still_come(order: Order) -> bool:
    """Whether an order held for never placed may come to rest at its venue after all: it was sent
    to one that knows no request window, and is still watched for.
    """
    if order.state != states.NOT_PLACED or order.claimed_at is None:
        return False
    is_watched = order.finished_at is None or order.finished_at > now() - DEAD_WATCHED_FOR
    return is_watched and quirks_of_account(order.account).request_window_ms is None


def settle_all(
    answers: Sequence[tuple[Order, VenueOrder | VenueError]], moves: Moves, *, cause: str
) -> None:
    """Apply answers to different orders; the caller holds their streams (hold_streams) and rows.

    They are written with the moves, in a number of statements that does not grow with the batch.
    """
    moves.hold(order for order, _ in answers)
    placed = []
    for order, result in answers:
        if isinstance(result, VenueOrder):
            if _take_over(order, result, moves, cause):
                placed.append((order, result))
        elif result.outcome == REFUSED:
            _refuse(order, result, moves, cause)
        elif result.outcome == NOT_SENT:
            _not_sent(order, result, moves, cause)
        else:
            _unknown(order, result, moves, cause)
    import_told(_by_stream(placed), moves)
    for order, found in placed:
        follow_status(order, found, moves, cause=cause)


def settle_found(order: Order, found: VenueOrder, moves: Moves, *, cause: str) -> None:
    """The venue holds the order: note its id, import the deals that came along, follow its state.

    A final state of the venue is taken over only once our deals cover what it says was filled;
    until then the order stays working and the poll fetches the rest. What the venue refused stays
    refused when a refusal or an older word of it comes again.
    """
    if not _take_over(order, found, moves, cause):
        return
    if found.trades:
        import_trades(order.seat, order.symbol, found.trades, moves, known_orders=(order,))
    follow_status(order, found, moves, cause=cause)


def _take_over(order: Order, found: VenueOrder, moves: Moves, cause: str) -> bool:
    """Tie the row to the venue's order and let it work; False where nothing new was told."""
    is_told_again = found.status == REJECTED or order.exchange_order_id
    if order.state in states.ADOPTABLE and found.filled == 0 and is_told_again:
        return False
    known_by = _identity(order, found)
    if order.state in states.UNSETTLED | states.ADOPTABLE:
        if order.error_code:
            # Why it was in doubt stays in its history; an order that works has no error.
            known_by |= {"error_code": "", "error_message": ""}
        working = states.PARTIAL if order.filled_quantity > 0 else states.OPEN
        details = {"venue_status": found.status, "raw": redact_json(found.raw)}
        moves.move(order, working, cause=cause, details=details, next_attempt_at=None, **known_by)
        if order.cancel_requested_at is not None:
            moves.move(order, states.PENDING_CANCEL, cause="cancel", next_attempt_at=now())
            wake_sweep(order.account_id)
    elif known_by:
        moves.put(order, **known_by)
    return True


def _by_stream(placed: Iterable[tuple[Order, VenueOrder]]) -> list[Told]:
    """The trades that came along with orders, those of one stream together."""
    together: dict[tuple[int, str, str], list[tuple[Order, VenueOrder]]] = {}
    for order, found in placed:
        if found.trades:
            stream = (order.account_id, order.book, order.symbol)
            together.setdefault(stream, []).append((order, found))
    return [
        Told(
            pairs[0][0].seat,
            pairs[0][0].symbol,
            [trade for _, found in pairs for trade in found.trades],
            tuple(order for order, _ in pairs),
        )
        for pairs in together.values()
    ]


def _identity(order: Order, found: VenueOrder) -> dict[str, Any]:
    """The columns that tie the row to the venue's order, where they are not set yet."""
    if order.exchange_order_id:
        return {}
    return {
        "exchange_order_id": found.exchange_order_id,
        "acknowledged_at": order.acknowledged_at or now(),
    }


def follow_status(order: Order, found: VenueOrder, moves: Moves, *, cause: str) -> None:
    """Move a working order along with the venue's status, deals permitting."""
    if order.state in states.TERMINAL or order.filled_quantity < found.filled:
        return
    if found.status in _FINAL:
        target = _FINAL[found.status]
        if target == states.REJECTED and order.filled_quantity > 0:
            target = states.EXPIRED
        moves.move(order, target, cause=cause, details={"venue_status": found.status})
    elif found.status == FILLED and order.filled_quantity > 0:
        # The venue calls it done although the quantities differ (a fee, a rounding): it is done.
        moves.move(order, states.FILLED, cause=cause, details={"venue_status": found.status})


def _error_values(error: VenueError) -> dict[str, Any]:
    return {"error_code": error.code, "error_message": error.message[:500]}


def _refuse(order: Order, error: VenueError, moves: Moves, cause: str) -> None:
    details = {"venue_code": error.venue_code, "message": error.message}
    moves.move(
        order,
        states.REJECTED,
        cause=cause,
        details=details,
        wire_at=error.wire_at,
        **_error_values(error),
    )
    if error.code == "key_refused":
        suspend_refused(order.account, error.credentials_version)


def _not_sent(order: Order, error: VenueError, moves: Moves, cause: str) -> None:
    details = {"outcome": NOT_SENT, "message": error.message}
    is_young = now() - order.created_at < RETRY_NOT_SENT_FOR
    may_wait = order.reduce_only or error.code != "venue_banned"
    if error.code in TRANSIENT and is_young and may_wait:
        moves.move(
            order,
            states.CREATED,
            cause=cause,
            details=details,
            claim_token=None,
            next_attempt_at=now() + RETRY_PAUSE,
            **_error_values(error),
        )
        return
    is_void = error.code in TRANSIENT or error.code == "nothing_to_close"
    target = states.WITHDRAWN if is_void else states.REJECTED
    moves.move(order, target, cause=cause, details=details, **_error_values(error))


def _unknown(order: Order, error: VenueError, moves: Moves, cause: str) -> None:
    details = {"outcome": "unknown", "message": error.message, "venue_code": error.venue_code}
    moves.move(
        order,
        states.UNKNOWN,
        cause=cause,
        details=details,
        wire_at=error.wire_at,
        next_attempt_at=now() + FIRST_LOOK_AFTER,
        **_error_values(error),
    )


def suspend_moved(account: Account, error: BaseException) -> None:
    """Suspend an account whose venue stands where nobody confirmed it, so that a person sees why
    nothing of it is asked or cancelled; any other error changes nothing.
    """
    code = error.code if isinstance(error, DomainError) else ""
    if code == "venue_address_changed":
        message = "Its venue's address changed and nobody has confirmed it: activate the account."
        suspend_account(account, reason=code, message=message)


def suspend_refused(account: Account, version: int) -> None:
    """Suspend an account whose key the exchange refuses, unless it has got other credentials since
    this ``version`` was used (0: not known): an answer may come late.
    """
    suspend_account(
        account,
        reason="key_refused",
        message="The exchange refuses the account's key.",
        credentials_version=version,
    )


def suspend_account(
    account: Account, *, reason: str, message: str, credentials_version: int = 0
) -> None:
    """Suspend an account that cannot trade any more, where a ``credentials_version`` is given only
    as long as that is the account's; safe to repeat.
    """
    rows = Account.objects.filter(pk=account.pk, status=Account.Status.ACTIVE)
    if credentials_version:
        rows = rows.filter(credentials_version=credentials_version)
    if not rows.update(status=Account.Status.SUSPENDED, status_reason=reason):
        return
    publish(
        "account.suspended",
        organisation_id=account.organisation_id,
        topics=(f"account:{account.pk}",),
        payload={"account_id": account.pk, "reason": reason},
    )
    raise_alert(
        "account_suspended",
        message=f"{message} Account {account.pk} was suspended.",
        organisation_id=account.organisation_id,
        subject=f"account:{account.pk}",
        severity=Alert.Severity.CRITICAL,
    )
