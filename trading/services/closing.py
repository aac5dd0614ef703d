"""Ending things: closing a position, terminating an account."""

import logging
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Q

from accounts.books import mode_of
from accounts.models import Account
from common.errors import Conflict, Denied, Invalid, NotFound, Unavailable
from common.money import ZERO, plain
from common.principal import Principal
from events.log import audit
from trading import states
from trading.models import Command, Execution, Lot, Order, Position
from trading.models.orders import OrderQuerySet

from .admission import FLATTEN
from .cancelling import cancel_order
from .commands import submit
from .intents import LOT, POSITION, OrderIntent, exit_of, payload_hash
from .reconcile import sync_account

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class TerminateResult:
    """How many positions were told to close, and what could not be ended."""

    terminated_positions: int = 0
    cancelled_orders: int = 0
    errors: list[dict[str, Any]] = field(default_factory=list)
    executions: list[Execution] = field(default_factory=list)


def close_position(
    *,
    principal: Principal,
    account: Account,
    symbol: str,
    position_id: int = 0,
    order_type: str = "market",
    request_id: str = "",
    reason: str = "api",
) -> Execution:
    """Close the account's whole position in a symbol by a reduce-only order.

    A hedging account may hold several there: ``position_id`` names one, in any book, else it must
    be the only one in the account's own (Invalid ``position_ambiguous`` with their ids). Raises
    NotFound ``position_not_found``, Conflict ``position_close_in_progress`` with the running order,
    Invalid for another order type than market. A repeat with the same ``request_id`` gives the
    first execution.
    """
    if order_type != "market":
        raise Invalid("A position is closed at market.", fields={"order_type": "market"})
    correlation_id = None
    if request_id:
        key = {"principal": principal.key, "account": account.pk, "close": request_id}
        correlation_id = payload_hash(key)[:32]
    repeated = (
        bool(correlation_id) and Execution.objects.filter(correlation_id=correlation_id).exists()
    )
    position = None if repeated else _only_position(principal, account, symbol, position_id)
    side = "sell" if position is None or position.side == "buy" else "buy"
    execution = submit(
        principal=principal,
        intents=[
            OrderIntent(
                account_id=account.pk,
                symbol=symbol,
                side=side,
                reduce_only=True,
                exit_scope=POSITION,
                position_id=position.pk if position and not position.is_netting else 0,
                reason=reason,
                mode=mode_of(position.book) if position else "",
            )
        ],
        source="close",
        source_ref=symbol,
        correlation_id=correlation_id,
        requested={"symbol": symbol, "account_id": account.pk, "position_id": position_id},
    )
    raise_refusal(execution)
    return execution


def _only_position(
    principal: Principal, account: Account, symbol: str, position_id: int
) -> Position:
    rows = Position.objects.visible_to(principal).open()
    rows = rows.filter(account=account, symbol=symbol, allocated=True).order_by("pk")
    found = list(rows.filter(pk=position_id) if position_id else rows.filter(book=account.book))
    if not found:
        raise NotFound("No open position in this symbol.", code="position_not_found")
    if len(found) > 1:
        raise Invalid(
            "Several positions are open in this symbol: name one.",
            code="position_ambiguous",
            fields={"position_id": "one of " + ", ".join(str(each.pk) for each in found)},
        )
    return found[0]


def raise_refusal(execution: Execution) -> None:
    command = Command.objects.get(execution=execution)
    if command.state != Command.State.DENIED:
        return
    if command.reason_code == "position_close_in_progress":
        raise Conflict(
            "A close of this position is running.",
            code=command.reason_code,
            details={"order_id": command.decision.get("order_id")},
        )
    if command.reason_code == "below_min_amount":
        raise NotFound("Only dust is left in this symbol.", code="position_not_found")
    if command.reason_code in ("permission_denied", "live_not_permitted"):
        raise Denied("Your role does not allow this.", code=command.reason_code)
    raise Conflict(
        str(command.decision.get("message") or "The close was refused."), code=command.reason_code
    )


def terminate_account(
    *, principal: Principal, account: Account, owner: int | None = None
) -> TerminateResult:
    """Cancel every live order of an account and close every position of its ledger at market; of
    one owner alone where ``owner`` is its magic_id, what others hold there stays.

    Coins that the ledger does not know of are left alone. Safe to repeat: a close already running
    counts as told. What could not be ended is listed with its code.
    """
    result = TerminateResult()
    told = {} if owner is None else {"owner": owner}
    audit(principal, "account.terminate", target=f"account:{account.pk}", after=told)
    for order in orders_to_end(account, owner).select_related("account"):
        _cancel_into(result, principal, order)
    _sync_into(result, account)
    for position in positions_to_end(account, owner):
        _close_into(result, principal, position, owner)
    return result


def orders_to_end(account: Account, owner: int | None = None) -> OrderQuerySet:
    """The orders that terminating cancels: live entries, and protective orders at the venue."""
    rows = Order.objects.filter(account=account)
    if owner is not None:
        rows = rows.filter(magic_id=owner)
    entries = Q(state__in=states.LIVE, reduce_only=False)
    return rows.filter(entries | Q(state__in=states.WORKING, is_protective=True)).order_by("pk")


def positions_to_end(account: Account, owner: int | None = None) -> list[Position]:
    """The open positions that terminating closes; of an owner those it has a lot in."""
    rows = Position.objects.open().filter(account=account, allocated=True)
    if owner is None:
        return list(rows)
    lots = Lot.objects.filter(magic_id=owner, position__in=rows).exclude(quantity=ZERO)
    return list(rows.filter(pk__in=lots.values("position")))


def _close_into(
    result: TerminateResult, principal: Principal, position: Position, owner: int | None
) -> None:
    try:
        if owner is None:
            execution = close_position(
                principal=principal,
                account=position.account,
                symbol=position.symbol,
                position_id=position.pk,
                reason=FLATTEN,
            )
        else:
            execution = _close_lot(principal, position, owner)
        result.executions.append(execution)
        result.terminated_positions += 1
    except NotFound:
        return  # closed meanwhile, or dust that its close is about to book
    except Conflict as error:
        if error.code == "position_close_in_progress":
            result.terminated_positions += 1
        else:
            result.errors.append(
                {
                    "symbol": position.symbol,
                    "code": error.code,
                    "quantity": plain(position.quantity),
                }
            )


def _close_lot(principal: Principal, position: Position, owner: int) -> Execution:
    """Close an owner's lot; raises Conflict ``lot_on_other_side`` for one that the others' lots
    outweigh: an exit of the position would not reduce it.
    """
    lot = Lot.objects.get(position=position, magic_id=owner)
    if (lot.quantity > 0) != (position.side == "buy"):
        raise Conflict("The owner's lot is outweighed by others.", code="lot_on_other_side")
    execution = submit(
        principal=principal,
        intents=[
            exit_of(
                position,
                exit_scope=LOT,
                magic_id=owner,
                position_id=0 if position.is_netting else position.pk,
                reason=FLATTEN,
            )
        ],
        source="close",
        source_ref=position.symbol,
        requested={"symbol": position.symbol, "account_id": position.account_id, "owner": owner},
    )
    raise_refusal(execution)
    return execution


def _cancel_into(result: TerminateResult, principal: Principal, order: Order) -> None:
    """Cancel one order; one that is not finished by now is named as pending: it is pursued."""
    try:
        cancel_order(principal=principal, order=order)
    except Conflict:
        return  # finished meanwhile
    if order.state in states.TERMINAL:
        result.cancelled_orders += 1
    else:
        result.errors.append(
            {"order_id": order.pk, "symbol": order.symbol, "code": "cancel_pending"}
        )


def _sync_into(result: TerminateResult, account: Account) -> None:
    try:
        sync_account(account=account)
    except Unavailable as error:
        result.errors.append({"account_id": account.pk, "code": error.code})
