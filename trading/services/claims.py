"""Claiming orders: the right to send them, taken for a whole batch by one conditional UPDATE.

The kill switches are read inside the same transaction, after the UPDATE, so that no entry leaves
the claim after a switch's commit; only what stands in a lane that this process holds is claimed.
What the checks forbid by now moves out of the claim before it is returned. The number of
statements does not grow with the batch.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, F, Subquery, prefetch_related_objects

from accounts.books import SIMULATED
from common.clock import now
from common.errors import Invalid
from trading import states
from trading.models import Order

from . import lanes
from .aborting import ABORTED, aborted_among
from .admission import Surroundings, read_surroundings, recheck
from .blind import one_at_a_time
from .exits import Exits
from .settlement import UNBOUNDED_WINDOW, acceptance_bound, quirks_of_venue, suspend_account
from .transitions import Moves
from .venue_access import moved_address


@dataclass(frozen=True, slots=True)
class Claim:
    """Orders this worker alone may send until ``deadline`` (monotonic seconds); ``exits`` knows
    what stands in the way of those that close.
    """

    token: UUID
    orders: tuple[Order, ...]
    deadline: float
    exits: Exits


def claim_orders(order_ids: Sequence[int]) -> Claim:
    """Claim what may be sent by this process, which holds the orders' lanes longer than the claim
    lasts; what risk forbids by now is withdrawn with its reason.
    """
    token = uuid4()
    budget = timedelta(milliseconds=settings.EXECUTION_SEND_BUDGET_MS)
    deadline = time.monotonic() + budget.total_seconds()
    with transaction.atomic():
        moment = now()  # before the board is read: a claim after a switch's commit sees the switch
        lease = lanes.here.lease_covering(budget)
        claimed = 0
        for window, ids in _by_window(order_ids).items():
            claimed += (
                Order.objects.due_to_send()
                .filter(Exists(lease), pk__in=ids)
                .update(
                    state=states.SENDING,
                    version=F("version") + 1,
                    claim_token=token,
                    fence=Subquery(lease.values("fence")[:1]),
                    claimed_at=moment,
                    send_deadline=moment + budget,
                    valid_until=moment + budget + window.bound,
                    is_blind=window.is_blind,
                    updated_at=moment,
                )
            )
        if not claimed:
            return Claim(token, (), deadline, Exits(()))
        moves = Moves()
        claim = _judged(token, deadline, moves)
        moves.flush()
    return claim


@dataclass(frozen=True, slots=True)
class _Window:
    """How long after its deadline a venue may still accept an order; whether it knows our id."""

    bound: timedelta
    is_blind: bool


def _by_window(order_ids: Sequence[int]) -> dict[_Window, list[int]]:
    """The waiting orders that may be claimed, by what their venues do. One UPDATE each: a join
    inside the UPDATE would let two claims of one order pass.
    """
    rows = Order.objects.due_to_send().filter(pk__in=order_ids).order_by("pk")
    kinds: dict[tuple[str, str, bool], _Window] = {}
    windows: dict[_Window, list[int]] = {}
    blind: list[tuple[int, int, str]] = []
    fields = ("account__venue", "account__market_type", "account__is_testnet", "book")
    for pk, account_id, symbol, *venue in rows.values_list("pk", "account_id", "symbol", *fields):
        key = (str(venue[0]), str(venue[1]), bool(venue[2]))
        if key not in kinds:
            kinds[key] = _window(*key)
        window = kinds[key] if venue[3] not in SIMULATED else replace(kinds[key], is_blind=False)
        windows.setdefault(window, []).append(int(pk))
        if window.is_blind:
            blind.append((int(pk), int(account_id), str(symbol)))
    return _serial(windows, blind) if blind else windows


def _serial(
    windows: dict[_Window, list[int]], blind: list[tuple[int, int, str]]
) -> dict[_Window, list[int]]:
    """Leave out the orders at venues without ids that have to wait for another one."""
    allowed = set(one_at_a_time(blind))
    return {
        window: [pk for pk in ids if not window.is_blind or pk in allowed]
        for window, ids in windows.items()
    }


def _window(venue: str, market_type: str, is_testnet: bool) -> _Window:
    try:
        quirks = quirks_of_venue(venue, market_type, is_testnet=is_testnet)
    except Invalid:  # the operator took the venue away: the order is refused below
        return _Window(UNBOUNDED_WINDOW, is_blind=False)
    return _Window(acceptance_bound(quirks), not quirks.has_client_id)


def _judged(token: UUID, deadline: float, moves: Moves) -> Claim:
    """The claimed orders, those that may not go withdrawn."""
    claimed = Order.objects.filter(claim_token=token).select_related("account")
    rows = list(claimed.order_by("pk"))
    leaving = [order for order in rows if order.reduce_only]
    prefetch_related_objects(leaving, "command")
    exits = Exits(leaving)
    accounts = {order.account_id: order.account for order in rows}
    around = read_surroundings(accounts.values(), {order.symbol for order in rows})
    refused: dict[str, list[Order]] = {}
    details: dict[int, dict[str, Any]] = {}
    shrunk: list[Order] = []
    aborted = aborted_among(rows)
    for order in rows:
        moves.note(order, states.CREATED, cause="claim")
        code, details[order.pk] = _verdict(order, around[order.symbol])
        if not code and order.pk in aborted:
            code = ABORTED
        elif not code and exits.is_forestalled(order):
            code = "exit_under_way"
        elif not code and order.reduce_only:
            held = exits.still_held(order, around[order.symbol].position_of(order))
            code = "" if held else "nothing_to_close"
            if held and held != order.quantity:
                order.quantity = held
                shrunk.append(order)
        if code:
            refused.setdefault(code, []).append(order)
    Order.objects.bulk_update(shrunk, ["quantity"])
    for code, orders in refused.items():
        moves.move_together(
            orders, states.WITHDRAWN, cause="risk", details=details, error_code=code
        )
    sendable = tuple(order for order in rows if order.state == states.SENDING)
    return Claim(token, sendable, deadline, exits)


def _verdict(order: Order, around: Surroundings) -> tuple[str, dict[str, Any]]:
    """Why the order may not be sent now (empty when it may), and the decision for the history."""
    decision = recheck(order, around)
    return decision.code or _address_problem(order), decision.as_json()


def _address_problem(order: Order) -> str:
    """Why the account's venue cannot be reached as it was when the account was made."""
    try:
        code = "venue_address_changed" if moved_address(order.account) else ""
    except Invalid as error:
        code = error.code
    if code:
        message = "The account's venue is not where it was."
        suspend_account(order.account, reason=code, message=message)
    return code
