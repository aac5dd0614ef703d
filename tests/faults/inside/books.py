"""Deals, positions, balances, reservations and order figures against the exchange's books."""

from collections import defaultdict
from decimal import Decimal
from typing import Any

from accounts.models import Account
from riskmgmt.models import Reservation
from tests.faults.compare import Findings
from trading import states
from trading.models import Deal, Order, Position, Protection, TradeCursor
from trading.services.closing_by import INTERNAL
from trading.services.exits import held_by
from trading.services.folding import DUST, LIQUIDATION

PREFIX = "tp"
VENUE_STATES = {
    "NEW": {states.OPEN},
    "PARTIALLY_FILLED": {states.PARTIAL},
    "FILLED": {states.FILLED},
    "CANCELED": {states.CANCELED},
    "EXPIRED": {states.EXPIRED},
}


def compare(accounts: dict[str, Any], findings: Findings) -> int:
    """Add every difference; returns how many trades the exchange has made for us."""
    trades = 0
    for account in Account.objects.order_by("pk"):
        books = accounts[account.name]
        trades += len(books["trades"])
        rows = Deal.objects.filter(account=account).exclude(reason__in=(DUST, INTERNAL))
        deals = list(rows.select_related("order", "position"))
        _compare_deals(account, books["trades"], deals, findings)
        _compare_orders(account, books["orders"], findings)
        _compare_balances(account, books, deals, findings)
        _compare_positions(account, books, findings)
        _compare_outsiders(account, books, deals, findings)
        _compare_protection(account, findings)
    _compare_reservations(findings)
    return trades


def _compare_deals(
    account: Account, trades: list[dict[str, Any]], deals: list[Deal], findings: Findings
) -> None:
    """Each trade is one deal with the same figures, tied to the order it belongs to."""
    told = {(trade["symbol"], str(trade["id"])): trade for trade in trades}
    stored = {(deal.symbol, deal.exchange_trade_id): deal for deal in deals}
    for key in told.keys() - stored.keys():
        findings.add(
            "deals_missing", f"{account.name}: trade {told[key]}, {_asked(account, key[0])}"
        )
    for key in stored.keys() - told.keys():
        findings.add("deals_extra", f"{account.name}: deal {key}")
    for key in told.keys() & stored.keys():
        trade, deal = told[key], stored[key]
        figures = (deal.side, deal.quantity, deal.price, deal.fee, deal.fee_currency)
        wanted = (
            trade["side"],
            *(Decimal(trade[name]) for name in ("quantity", "price", "commission")),
            trade["commissionAsset"],
        )
        order_id = "" if deal.order is None else deal.order.exchange_order_id
        if figures != wanted or (deal.order is not None and order_id != str(trade["orderId"])):
            findings.add("deals_wrong", f"{account.name}: {key} is {figures}, told {wanted}")


def _asked(account: Account, symbol: str) -> str:
    """How far the trades of a symbol were asked for, and which orders they may have to wait for."""
    cursor = TradeCursor.objects.filter(account=account, symbol=symbol).values().first()
    rows = Order.objects.filter(account=account, symbol=symbol)
    orders = list(rows.values_list("pk", "state", "finished_at"))
    return f"synced {account.synced_at}, cursor {cursor}, orders {orders}"


def _compare_orders(account: Account, orders: list[dict[str, Any]], findings: Findings) -> None:
    """State and filled quantity of each order at the exchange that a row is tied to."""
    rows = {row.exchange_order_id: row for row in Order.objects.filter(account=account)}
    for order in orders:
        row = rows.get(str(order["orderId"]))
        if row is None:
            continue
        wanted = VENUE_STATES[order["status"]]
        if row.state not in wanted or row.filled_quantity != Decimal(order["filled"]):
            findings.add(
                "order_diff",
                f"{account.name}: order {row.pk} is {row.state} {row.filled_quantity}, "
                f"told {order['status']} {order['filled']}",
            )


def _compare_balances(
    account: Account, books: dict[str, Any], deals: list[Deal], findings: Findings
) -> None:
    """Opening balance plus all deals is what the exchange holds, exactly; and what we stored is."""
    expected: dict[str, Decimal] = defaultdict(Decimal)
    for currency, amount in books["initial"].items():
        expected[currency] += Decimal(amount)
    for deal in deals:
        base, quote = deal.symbol.split("/")
        sign = 1 if deal.side == "buy" else -1
        expected[base] += sign * deal.quantity
        expected[quote] -= sign * deal.quantity * deal.price
        expected[deal.fee_currency] -= deal.fee
    held = {
        currency: Decimal(wallet["free"]) + Decimal(wallet["used"])
        for currency, wallet in books["balances"].items()
    }
    stored = {row.currency: row.total for row in account.balances.all()}
    for currency in held.keys() | expected.keys():
        amounts = [source.get(currency, Decimal(0)) for source in (held, expected, stored)]
        if len(set(amounts)) > 1:
            findings.add(
                "balance_diff",
                f"{account.name} {currency}: exchange, deals, stored: {[str(a) for a in amounts]}",
            )


def _compare_positions(account: Account, books: dict[str, Any], findings: Findings) -> None:
    """All open positions of a coin together are what the exchange holds of it."""
    positions: dict[str, Decimal] = defaultdict(Decimal)
    for position in Position.objects.open().filter(account=account):
        sign = 1 if position.side == "buy" else -1
        positions[position.symbol.split("/")[0]] += sign * position.quantity
    for currency, wallet in books["balances"].items():
        if currency == account.quote_currency:
            continue
        opening = Decimal(books["initial"].get(currency, "0"))
        held = Decimal(wallet["free"]) + Decimal(wallet["used"]) - opening
        if positions[currency] != held:
            findings.add(
                "position_diff", f"{account.name} {currency}: {positions[currency]}, holds {held}"
            )


def _compare_outsiders(
    account: Account, books: dict[str, Any], deals: list[Deal], findings: Findings
) -> None:
    """What others traded at the exchange stands in the inbox: deals of no order of ours, in
    positions that nobody owns. What the exchange liquidated ends what was ours.
    """
    theirs = {
        str(order["orderId"])
        for order in books["orders"]
        if not order["clientOrderId"].startswith(PREFIX)
    }
    stored = {(deal.symbol, deal.exchange_trade_id): deal for deal in deals}
    for trade in books["trades"]:
        deal = stored.get((trade["symbol"], str(trade["id"])))
        if str(trade["orderId"]) not in theirs or deal is None:
            continue
        position = deal.position
        is_known = position is not None and (not position.allocated or deal.reason == LIQUIDATION)
        if deal.order is not None or not is_known:
            findings.add("external_unknown", f"{account.name}: trade {trade['id']} is {deal}")


def _compare_protection(account: Account, findings: Findings) -> None:
    """Every share that asked for it is protected, by no more than it holds, and nothing protects
    what is gone.
    """
    for position in Position.objects.filter(account=account):
        live = Order.objects.live().filter(position=position, is_protective=True)
        if position.state == Position.State.CLOSED and live.exists():
            findings.add("protection_left", f"{account.name}: position {position.pk}")
        if position.protection not in ("none_wanted", "protected"):
            sets = list(position.protections.values_list("magic_id", "state", "problem"))
            findings.add("unprotected", f"{account.name}: position {position.pk}, {sets}")
    for row in Protection.objects.active().filter(position__account=account):
        held = held_by(row.position, row.magic_id)
        live = Order.objects.live().filter(
            position=row.position, magic_id=row.magic_id, is_protective=True
        )
        for kind in ("limit", "stop_loss"):
            orders = [each for each in live if each.type == kind]
            if len(orders) > 1 or sum(each.remaining for each in orders) > held:
                findings.add("protection_doubled", f"{account.name}: {row} has {orders} of {held}")


def _compare_reservations(findings: Findings) -> None:
    """Live entries hold their reservation, finished ones have let go of it."""
    live = set(Order.objects.live().filter(reduce_only=False).values_list("uid", flat=True))
    held = set(Reservation.objects.held().values_list("order_uid", flat=True))
    for uid in held - live:
        findings.add("reservations_kept", f"order {uid} is finished and still holds its value")
    for uid in live - held:
        findings.add("reservations_missing", f"order {uid} is live and holds nothing")
