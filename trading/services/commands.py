"""The one door to the ledger: every surface, strategy and console action submits here.

Rows first: command, order, reservation, history and events are committed together before a worker
hears of them. Each leg stands alone; a refused one keeps its reason and its decision, and the
others go on.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import IntegrityError, transaction

from accounts.models import Account
from common.bulk import insert_rows
from common.clock import now_ms
from common.crash import crash_point
from common.errors import Conflict, Invalid, NotFound
from common.ids import new_correlation_id
from common.principal import Principal
from events.log import NewEvent
from riskmgmt.limits import NewReservation
from trading.models import Command, Execution, Order

from .admission import read_surroundings
from .announce import RETRIED, execution_event
from .drafting import Draft, called_off, draft_leg
from .fills import hold_streams
from .following import follow
from .intents import OrderIntent, payload_hash
from .legs import REJECTED, refusal_status
from .market_view import MarketView, view_markets
from .new_orders import write_orders

MAX_LEGS = 1000
# A venue's clock may be behind ours.
OVERLAP_MS = 60_000
# Called within the transaction with the execution and how many orders it has, to tie to it what it
# was made for; returns the events that tell of that.
Link = Callable[[Execution, int], Sequence[NewEvent]]


@dataclass(slots=True)
class _Rows:
    """The rows of one submission, collected for bulk inserts."""

    commands: list[Command] = field(default_factory=list)
    orders: list[Order] = field(default_factory=list)
    reservations: list[NewReservation] = field(default_factory=list)


def submit(
    *,
    principal: Principal,
    intents: Sequence[OrderIntent],
    source: str,
    source_ref: str = "",
    correlation_id: str | None = None,
    requested: dict[str, Any] | None = None,
    markets: MarketView | None = None,
    accounts: Iterable[Account] = (),
    link: Link | None = None,
    min_success: int | None = None,
    abort_on_first_reject: bool = False,
) -> Execution:
    """Write an execution with one leg per intent and wake the execution workers.

    Idempotent by ``correlation_id``: a repeat returns the first execution; with another
    ``requested``, or other legs where nothing was ``requested``, it raises Conflict
    ``idempotency_mismatch``. Raises NotFound when an account is not visible to the principal,
    Invalid for an empty or an oversized fan-out. Asks venues for markets and prices (unless given)
    before, not inside, the transaction. ``accounts`` are those of the intents, where the caller has
    just read them as the principal sees them.
    """
    if not 0 < len(intents) <= MAX_LEGS:
        raise Invalid(f"An execution has 1 to {MAX_LEGS} legs.", code="bad_batch_size")
    correlation_id = correlation_id or new_correlation_id()
    earlier = earlier_execution(principal, correlation_id, requested, intents)
    if earlier is not None:
        return earlier
    found = {account.pk: account for account in accounts} or _accounts(principal, intents)
    markets = markets or view_markets(found.values(), {intent.symbol for intent in intents})
    try:
        with transaction.atomic():
            execution = _write(
                principal,
                intents,
                found,
                markets,
                link,
                Execution(
                    organisation_id=principal.organisation_id,
                    correlation_id=correlation_id,
                    source=source,
                    source_ref=source_ref,
                    actor=principal.key,
                    requested=requested or {},
                    min_success=min_success,
                    abort_on_first_reject=abort_on_first_reject,
                ),
            )
            crash_point("before_command_commit")
    except IntegrityError as error:
        earlier = earlier_execution(principal, correlation_id, requested, intents)
        if earlier is None:
            raise Conflict(
                "This request id was used before.", code="idempotency_mismatch"
            ) from error
        return earlier
    crash_point("after_command_commit")
    return execution


def earlier_execution(
    principal: Principal,
    correlation_id: str,
    requested: dict[str, Any] | None,
    intents: Sequence[OrderIntent] = (),
) -> Execution | None:
    """The execution of this correlation id, None where there is none; raises Conflict
    ``idempotency_mismatch`` where it was made for something else.
    """
    execution = Execution.objects.filter(correlation_id=correlation_id).first()
    if execution is None:
        return None
    is_same = execution.organisation_id == principal.organisation_id and (
        execution.requested == (requested or {}) and (requested or _has_legs(execution, intents))
    )
    if not is_same:
        raise Conflict(
            "This idempotency key was used for another request.", code="idempotency_mismatch"
        )
    return execution


def _has_legs(execution: Execution, intents: Sequence[OrderIntent]) -> bool:
    legs = Command.objects.filter(execution=execution).order_by("pk")
    wanted = [(intent.account_id, payload_hash(intent.payload())) for intent in intents]
    return list(legs.values_list("account_id", "payload_sha256")) == wanted


def _accounts(principal: Principal, intents: Iterable[OrderIntent]) -> dict[int, Account]:
    wanted = {intent.account_id for intent in intents}
    found = Account.objects.visible_to(principal).in_bulk(wanted)
    if wanted - found.keys():
        raise NotFound("No such account.")
    return found


def _write(
    principal: Principal,
    intents: Sequence[OrderIntent],
    accounts: dict[int, Account],
    markets: MarketView,
    link: Link | None,
    execution: Execution,
) -> Execution:
    """The execution and its legs."""
    execution.save()
    rows = _draft_legs(principal, intents, accounts, markets, execution)
    linked = link(execution, len(rows.orders)) if link else ()
    _insert(rows, execution, [execution_event(execution, len(rows.commands)), *linked])
    return execution


def add_attempts(
    *,
    principal: Principal,
    execution: Execution,
    intents: Sequence[OrderIntent],
    retried: Sequence[Command],
    accounts: dict[int, Account],
    markets: MarketView,
) -> None:
    """Write another attempt for each of some failed legs of an execution, which the caller has
    locked in this transaction; after the commit the execution workers are woken.

    Raises IntegrityError where one of them was tried again already.
    """
    rows = _draft_legs(principal, intents, accounts, markets, execution)
    for command, previous in zip(rows.commands, retried, strict=True):
        command.retry_of, command.attempt = previous, previous.attempt + 1
    _insert(rows, execution, [execution_event(execution, len(rows.commands), kind=RETRIED)])


def _draft_legs(
    principal: Principal,
    intents: Sequence[OrderIntent],
    accounts: dict[int, Account],
    markets: MarketView,
    execution: Execution,
) -> _Rows:
    """Judge every leg under the accounts' row locks."""
    _follow_symbols(intents, accounts, markets)
    aiming = {intent.magic_id for intent in intents if intent.is_target}
    if aiming:
        hold_streams((each.account_id, each.symbol) for each in intents)
    locked = Account.objects.select_for_update(no_key=True).order_by("pk").in_bulk(accounts)
    symbols = {intent.symbol for intent in intents}
    by_symbol = read_surroundings(locked.values(), symbols, aiming)
    rows, is_over = _Rows(), False
    for number, intent in enumerate(intents):
        account, around = locked[intent.account_id], by_symbol[intent.symbol]
        draft = called_off() if is_over else draft_leg(principal, account, intent, around, markets)
        is_rejected = bool(draft.code) and refusal_status(draft.code) == REJECTED
        is_over = is_over or (is_rejected and execution.abort_on_first_reject)
        if draft.order is not None:
            around.count_in(draft.order, draft.reserved, draft.at_risk)
        request_id = intent.request_id or f"{execution.correlation_id}:{number}"
        _collect(rows, principal, execution, account, intent, request_id, draft)
    return rows


def _collect(
    rows: _Rows,
    principal: Principal,
    execution: Execution,
    account: Account,
    intent: OrderIntent,
    request_id: str,
    draft: Draft,
) -> None:
    intent = draft.intent or intent
    payload = intent.payload()
    command = Command(
        organisation_id=account.organisation_id,
        account=account,
        execution=execution,
        principal_key=principal.key,
        request_id=request_id,
        payload_sha256=payload_hash(payload),
        kind=Command.Kind.CLOSE_POSITION if intent.reduce_only else Command.Kind.SEND_ORDER,
        payload=payload,
        state=Command.State.DENIED if draft.code else Command.State.ACCEPTED,
        reason_code=draft.code,
        decision=draft.decision,
    )
    rows.commands.append(command)
    if draft.order is None:
        return
    draft.order.command = command
    rows.orders.append(draft.order)
    if draft.reserved:
        rows.reservations.append(
            NewReservation(
                account.organisation_id,
                account.pk,
                draft.order.book,
                draft.order.uid,
                intent.symbol,
                draft.reserved,
                draft.at_risk,
            )
        )


def _insert(rows: _Rows, execution: Execution, told: Sequence[NewEvent]) -> None:
    insert_rows(rows.commands)
    for order in rows.orders:
        order.command_id = order.command.pk if order.command else None
    write_orders(
        rows.orders, rows.reservations, correlation_id=execution.correlation_id, after=told
    )


def _follow_symbols(
    intents: Iterable[OrderIntent], accounts: dict[int, Account], markets: MarketView
) -> None:
    """From its first command on, the trades of an account in a listed symbol are polled, whatever
    becomes of it.

    Stands before the accounts are locked, as an import takes its cursors before it writes the
    account.
    """
    wanted = [
        (intent.account_id, intent.symbol)
        for intent in intents
        if markets.of(accounts[intent.account_id], intent.symbol).rules is not None
    ]
    follow(wanted, since_ms=now_ms() - OVERLAP_MS)
