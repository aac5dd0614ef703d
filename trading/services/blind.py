"""Venues whose orders carry no id of ours: a snapshot before the wire, a comparison after.

One order per account and symbol is under way at a time (a database constraint says so); an order
that only a person can settle keeps its symbol closed for the account until that person has spoken.
"""

from collections.abc import Iterable
from decimal import Decimal
from functools import partial
from uuid import UUID

from django.db import transaction

from common.clock import now, to_ms
from common.errors import Conflict, Denied, Invalid, NotFound
from common.money import plain
from common.principal import TRADE, Principal
from events.log import audit
from exchanges.gateway import gateway
from exchanges.protocol import AccountRef, VenueClient, VenueOrder
from monitoring.alerts import raise_alert, resolve_alerts
from monitoring.models import Alert
from trading import states
from trading.matching import ABSENT, ADOPT, ASK, After, Before, Patience, Verdict, judge
from trading.models import Order, Snapshot

from .fills import hold_streams
from .settlement import settle_found
from .transitions import Moves
from .venue_access import account_ref, order_request

SEEN_BACK_MS = 3_600_000
ALERT = "order_needs_operator"
IN_FLIGHT = frozenset({states.SENDING, states.UNKNOWN, states.NEEDS_OPERATOR})


def one_at_a_time(waiting: Iterable[tuple[int, int, str]]) -> list[int]:
    """Of waiting orders (row, account, symbol) at such venues those that may be claimed now: the
    first of each account and symbol, where none is under way.
    """
    rows = list(waiting)
    busy = set(
        Order.objects.filter(
            is_blind=True, state__in=IN_FLIGHT, account__in={account for _, account, _ in rows}
        ).values_list("account_id", "symbol")
    )
    chosen = []
    for pk, account, symbol in rows:
        if (account, symbol) not in busy:
            busy.add((account, symbol))
            chosen.append(pk)
    return chosen


async def take_snapshot(order_id: int, token: UUID, symbol: str, client: VenueClient) -> None:
    """Ask for orders, trades and balances and store them; raises VenueError, DatabaseError."""
    taken_at = now()
    after = await _ask(client, symbol, to_ms(taken_at) - SEEN_BACK_MS)
    values = {
        "claim_token": token,
        "taken_at": taken_at,
        "order_ids": sorted(order.exchange_order_id for order in after.open_orders),
        "trade_ids": sorted(trade.trade_id for trade in after.trades),
        "balances": {
            name: [plain(each.free), plain(each.used)] for name, each in after.balances.items()
        },
        "empty_looks": 0,
        "empty_since": None,
    }
    store = partial(Snapshot.objects.update_or_create, order_id=order_id, defaults=values)
    await gateway().in_database(store)


async def _ask(client: VenueClient, symbol: str, since_ms: int) -> After:
    return After(
        open_orders=await client.open_orders(symbol),
        trades=await client.trades(symbol, since_ms),
        balances=await client.balances(),
    )


async def look(order: Order) -> After:
    """The venue as it is now, for :func:`conclude`."""
    client = await gateway().client(account_ref(order.seat))
    return await _ask(client, order.symbol, to_ms(order.claimed_at or now()) - SEEN_BACK_MS)


def conclude(order: Order, after: After, moves: Moves) -> None:
    """Apply a look to an unknown order; the caller holds its stream and its row."""
    snapshot = Snapshot.objects.filter(order=order).first()
    if snapshot is None or snapshot.claim_token != order.claim_token:
        if now() > (order.send_deadline or now()):
            moves.move(order, states.NOT_PLACED, cause="no_snapshot", error_code="not_placed")
        return
    snapshot.empty_looks += 1
    snapshot.empty_since = snapshot.empty_since or now()
    snapshot.save(update_fields=["empty_looks", "empty_since"])
    verdict = _judged(order, snapshot, after)
    details = {
        "candidates": [each.exchange_order_id for each in verdict.candidates],
        "looks": snapshot.empty_looks,
        "reason": verdict.reason,
    }
    if verdict.conclusion == ADOPT:
        settle_found(order, verdict.candidates[0], moves, cause="matched")
    elif verdict.conclusion == ABSENT:
        moves.move(
            order, states.NOT_PLACED, cause="matched", details=details, error_code="not_placed"
        )
    elif verdict.conclusion == ASK:
        moves.move(
            order,
            states.NEEDS_OPERATOR,
            cause="matched",
            details=details,
            error_code=verdict.reason,
            next_attempt_at=None,
        )
        _call_operator(order, details)


def _judged(order: Order, snapshot: Snapshot, after: After) -> Verdict:
    before = Before(
        taken_at=snapshot.taken_at,
        order_ids=frozenset(snapshot.order_ids),
        trade_ids=frozenset(snapshot.trade_ids),
        balances={
            name: (Decimal(free), Decimal(used)) for name, (free, used) in snapshot.balances.items()
        },
    )
    taken = Order.objects.filter(account=order.account_id, book=order.book, symbol=order.symbol)
    patience = Patience(
        looks=snapshot.empty_looks,
        since=snapshot.empty_since or now(),
        moment=now(),
        taken=frozenset(
            taken.exclude(exchange_order_id="").values_list("exchange_order_id", flat=True)
        ),
    )
    return judge(order_request(order), before, after, patience)


def _call_operator(order: Order, details: dict[str, object]) -> None:
    raise_alert(
        ALERT,
        message=f"Whether order {order.pk} was placed cannot be told; {order.symbol} is closed for "
        f"account {order.account_id} until an operator settles it.",
        organisation_id=order.organisation_id,
        subject=f"order:{order.pk}",
        severity=Alert.Severity.CRITICAL,
        details=details,
    )


def settle_by_operator(
    *, principal: Principal, order: Order, exchange_order_id: str, reason: str
) -> Order:
    """An operator's word on an order that waits for one: "it was placed as order X", or with an
    empty id "it was not placed".

    The named order is asked for at the exchange and must fit. Raises Denied, Invalid without a
    reason, Conflict ``not_waiting``, NotFound ``no_such_order``, and what the gateway raises.
    """
    if not principal.may(TRADE, order.account_id):
        raise Denied("Your role does not allow this.", code="permission_denied")
    if not reason.strip():
        raise Invalid("Say how you know.", fields={"reason": "required"})
    found = _named_order(order, exchange_order_id.strip()) if exchange_order_id.strip() else None
    with transaction.atomic():
        hold_streams([(order.account_id, order.symbol)])
        rows = Order.objects.select_for_update(of=("self",), no_key=True).select_related("account")
        row = rows.get(pk=order.pk)
        if row.state != states.NEEDS_OPERATOR:
            raise Conflict("The order waits for nobody.", code="not_waiting")
        moves = Moves()
        if found is None:
            moves.move(row, states.NOT_PLACED, cause="operator", error_code="not_placed")
        else:
            settle_found(row, found, moves, cause="operator")
        moves.flush()
        audit(
            principal,
            "orders.settle",
            target=f"order:{row.pk}",
            before={"state": states.NEEDS_OPERATOR},
            after={"state": row.state, "placed_as": exchange_order_id, "reason": reason},
        )
        resolve_alerts(ALERT, organisation_id=row.organisation_id, subject=f"order:{row.pk}")
    return row


def _named_order(order: Order, exchange_order_id: str) -> VenueOrder:
    """The order an operator names, as the exchange tells it, if it can be ours."""
    ref = account_ref(order.seat)
    found = gateway().run(_ask_for(ref, order.symbol, exchange_order_id))
    if found is None:
        raise NotFound("The exchange knows no such order.", code="no_such_order")
    if (found.symbol, found.side) != (order.symbol, order.side) or found.quantity > order.quantity:
        raise Invalid("That order differs in symbol, side or quantity.", code="order_differs")
    others = Order.objects.filter(
        account=order.account_id, symbol=order.symbol, exchange_order_id=exchange_order_id
    )
    if others.exists():
        raise Conflict("That order belongs to another row.", code="order_taken")
    return found


async def _ask_for(account: AccountRef, symbol: str, exchange_order_id: str) -> VenueOrder | None:
    client = await gateway().client(account)
    return await client.find_order(symbol, "", exchange_order_id)
