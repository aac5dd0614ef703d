"""What must hold once everything has settled: the ledger equals the exchange, order by order."""

from django.core.management import call_command

from tests.trading.conftest import Desk
from tests.waiting import wait_until
from trading import states
from trading.models import Command, Deal, Order, Position
from webhooks.models import Signal

SETTLED = (Signal.State.FINISHED, Signal.State.REFUSED)
ABSENT = frozenset({states.NOT_PLACED, states.WITHDRAWN})


def await_settled() -> None:
    """Wait until no order is under way and no signal is unfinished."""
    wait_until(lambda: not _unsettled(), "every order terminal, every signal finished")


def _unsettled() -> bool:
    return (
        Order.objects.exclude(state__in=states.TERMINAL).exists()
        or Signal.objects.exclude(state__in=SETTLED).exists()
    )


def placed_at_exchange(desk: Desk) -> int:
    """How many orders the exchange holds for the desk's accounts."""
    return sum(len(desk.exchange.orders(key)) for key in desk.keys)


def prove(desk: Desk) -> int:
    """Every account of the desk got one order, or none and says so; returns how many got one.

    The desk's bot has sent one alert and its accounts have only bought.
    """
    signal = Signal.objects.get(bot=desk.bot)
    assert (signal.state, signal.reason_code) == (Signal.State.FINISHED, ""), desk.bot.name
    placed = sum(
        _prove_account(account.pk, desk, key)
        for account, key in zip(desk.accounts, desk.keys, strict=True)
    )
    counted = (signal.success_count, signal.error_count)
    assert counted == (placed, len(desk.accounts) - placed), desk.bot.name
    return placed


def _prove_account(account_id: int, desk: Desk, key: str) -> int:
    refusals = Command.objects.filter(account=account_id).exclude(reason_code="")
    assert list(refusals.values_list("reason_code", flat=True)) == [], desk.bot.name
    order = Order.objects.get(account=account_id)
    truth = desk.exchange.dump(key)
    deals = list(Deal.objects.filter(account=account_id))
    held = [each["clientOrderId"] for each in truth["orders"]]
    if order.state in ABSENT:
        assert (held, truth["trades"], deals) == ([], [], []), (desk.bot.name, order)
        return 0
    assert held == [order.client_order_id], (desk.bot.name, order.state, held)
    assert str(truth["orders"][0]["orderId"]) == order.exchange_order_id
    assert (order.state, order.filled_quantity) == (states.FILLED, order.quantity)
    trades = sorted(str(trade["id"]) for trade in truth["trades"])
    assert sorted(deal.exchange_trade_id for deal in deals) == trades
    assert {deal.order_id for deal in deals} == {order.pk}
    position = Position.objects.get(account=account_id)
    assert position.allocated
    assert position.quantity == desk.exchange.held(key, "BTC")
    return 1


def wire_requests(desk: Desk) -> dict[str, int]:
    """How often each client order id was sent to the exchange by the desk's accounts."""
    counted: dict[str, int] = {}
    for key in desk.keys:
        for row in desk.exchange.call("GET", f"/dump?api_key={key}")["requests"]:
            counted[row["client_id"]] = counted.get(row["client_id"], 0) + 1
    return counted


def check_positions() -> None:
    """`rebuild_positions --check` finds nothing; it exits with 1 when it does."""
    call_command("rebuild_positions", "--check", "--quiet")
