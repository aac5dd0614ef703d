"""Private streams feed the ledger: at once, in any order, as often as they like."""

import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from accounts.models import Account, StreamStatus
from accounts.services import create_account, set_status, update_credentials
from common.clock import now
from tests.trading.conftest import Desk
from tests.trading.test_signal_to_ledger import send
from tests.waiting import wait_until
from trading import states
from trading.models import Deal, Order, Position
from trading.services import reconcile, streaming
from trading.services.rebuild import check_stream, streams
from trading.services.retire import delete_account


@pytest.fixture
def polls(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Counts the accounts polled instead of polling them, so that only streams feed the ledger."""
    polled: list[int] = []

    def count(account_ids: list[int]) -> int:
        polled.extend(account_ids)
        return len(account_ids)

    monkeypatch.setattr(streaming, "poll_now", count)
    return polled


@pytest.fixture
def listen() -> Iterator[Callable[[Desk], None]]:
    """Starts this process's streams and waits until those of the desk are live."""

    def start(desk: Desk) -> None:
        streaming.start()
        wait_until(lambda: live() == {account.pk for account in desk.accounts})

    yield start
    streaming.stop()


def live() -> set[int]:
    """The accounts whose stream is live by its row."""
    return set(StreamStatus.objects.healthy().values_list("account_id", flat=True))


def rest(desk: Desk, price: str = "45000") -> Order:
    """A limit order below the market on each account; the first one's row."""
    send(desk, order_type="limit", price=price)
    desk.run_orders()
    assert set(Order.objects.values_list("state", flat=True)) == {states.OPEN}
    return Order.objects.order_by("pk")[0]


def told(desk: Desk) -> bool:
    """Whether every account's deals are exactly the exchange's trades."""
    for account, key in zip(desk.accounts, desk.keys, strict=True):
        trades = [str(trade["id"]) for trade in desk.exchange.dump(key)["trades"]]
        deals = Deal.objects.filter(account=account).exclude(reason="dust")
        if sorted(deals.values_list("exchange_trade_id", flat=True)) != sorted(trades):
            return False
    return True


def test_a_fill_reaches_the_ledger_without_a_poll(
    make_desk: Callable[..., Desk], listen: Callable[[Desk], None], polls: list[int]
) -> None:
    desk = make_desk(1)
    listen(desk)
    order = rest(desk)
    began = time.monotonic()
    desk.exchange.price("BTC/USDT", "44000")
    wait_until(lambda: Order.objects.get().state == states.FILLED)
    print(f"fill to ledger: {(time.monotonic() - began) * 1000:.0f} ms")
    (trade,) = desk.exchange.dump(desk.keys[0])["trades"]
    (deal,) = Deal.objects.all()
    assert (deal.exchange_trade_id, deal.order_id) == (str(trade["id"]), order.pk)
    assert Position.objects.open().get().quantity == desk.exchange.held(desk.keys[0], "BTC")
    assert [event.cause for event in order.events.order_by("pk")][-1] == "deals"
    assert polls == [desk.accounts[0].pk]  # at its connection


def test_an_order_whose_answer_is_lost_is_settled_by_the_stream(
    make_desk: Callable[..., Desk],
    listen: Callable[[Desk], None],
    polls: list[int],
    settings: Any,
) -> None:
    settings.EXCHANGE_TIMEOUT_MS = 3000
    desk = make_desk(1)
    listen(desk)
    desk.exchange.fault("hang_after", seconds=20)
    send(desk)
    began = time.monotonic()
    desk.run_orders()
    spent = time.monotonic() - began
    wait_until(lambda: Order.objects.get().state == states.FILLED)
    order = Order.objects.get()
    assert spent >= 2.9  # the answer's own path waited for its time-out
    causes = [(event.new_state, event.cause) for event in order.events.order_by("pk")]
    assert ("OPEN", "stream") in causes
    assert causes[-1] == ("FILLED", "deals")
    assert told(desk)


@pytest.mark.parametrize("kind", ["ws_duplicate", "ws_reorder", "ws_replay", "ws_delay"])
def test_doubled_late_and_disordered_messages_are_the_same_ledger(
    make_desk: Callable[..., Desk],
    listen: Callable[[Desk], None],
    polls: list[int],
    kind: str,
) -> None:
    desk = make_desk(2)
    listen(desk)
    desk.exchange.call("POST", "/_fault", {"script": [{"kind": kind, "times": 6}]})
    rest(desk)
    desk.exchange.price("BTC/USDT", "44000")
    wait_until(lambda: set(Order.objects.values_list("state", flat=True)) == {states.FILLED})
    time.sleep(0.7)  # what is replayed comes half a second later
    assert told(desk)
    assert Deal.objects.count() == 2
    assert [check_stream(stream) for stream in streams()] == [[], []]


@pytest.mark.parametrize("how", ["cut", "close", "terminate"])
def test_what_happened_while_the_stream_was_gone_is_asked_for(
    make_desk: Callable[..., Desk], listen: Callable[[Desk], None], how: str
) -> None:
    desk = make_desk(1)
    listen(desk)
    rest(desk)
    Account.objects.update(next_poll_at=now() + timedelta(hours=1))
    desk.exchange.call("POST", "/_stream/cut", {"api_key": desk.keys[0], "how": how})
    desk.exchange.price("BTC/USDT", "44000")
    wait_until(lambda: told(desk) and Order.objects.get().state == states.FILLED)
    wait_until(lambda: StreamStatus.objects.get().reconnects == 1)


def test_a_silent_stream_is_noticed_and_made_anew(
    make_desk: Callable[..., Desk], listen: Callable[[Desk], None], settings: Any
) -> None:
    settings.STREAM_SILENCE_SECONDS = 1.5
    desk = make_desk(1)
    listen(desk)
    rest(desk)
    Account.objects.update(next_poll_at=now() + timedelta(hours=1))
    desk.exchange.call("POST", "/_stream/cut", {"api_key": desk.keys[0], "how": "stall"})
    desk.exchange.price("BTC/USDT", "44000")
    wait_until(lambda: told(desk))
    wait_until(lambda: live() and StreamStatus.objects.get().reconnects >= 1)


def test_a_deaf_stream_is_found_out_by_the_poll_and_made_anew(
    make_desk: Callable[..., Desk],
    listen: Callable[[Desk], None],
    polls: list[int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reconcile, "STREAM_PATIENCE", timedelta(0))
    desk = make_desk(1)
    listen(desk)
    rest(desk)
    desk.exchange.call("POST", "/_fault", {"script": [{"kind": "ws_drop", "times": 5}]})
    desk.exchange.price("BTC/USDT", "44000")
    wait_until(lambda: desk.exchange.dump(desk.keys[0])["trades"])
    assert Deal.objects.count() == 0
    reconcile.poll(desk.accounts)
    assert told(desk)
    wait_until(lambda: StreamStatus.objects.get().reconnects == 1 and live())


def test_somebody_elses_trade_is_left_to_the_poll(
    make_desk: Callable[..., Desk], listen: Callable[[Desk], None]
) -> None:
    desk = make_desk(1)
    listen(desk)
    rest(desk)
    Account.objects.update(next_poll_at=now() + timedelta(hours=1))
    body = {"api_key": desk.keys[0], "symbol": "BTC/USDT", "side": "buy", "quantity": "0.01"}
    desk.exchange.call("POST", "/_external", body)
    wait_until(lambda: Deal.objects.exists())
    assert (Deal.objects.get().reason, Deal.objects.get().order) == ("external", None)


def test_a_stream_tells_of_a_symbol_that_nobody_commanded(
    make_desk: Callable[..., Desk], listen: Callable[[Desk], None]
) -> None:
    desk = make_desk(1)
    listen(desk)
    Account.objects.update(next_poll_at=now() + timedelta(hours=1))
    body = {"api_key": desk.keys[0], "symbol": "SOL/USDT", "side": "buy", "quantity": "2"}
    desk.exchange.call("POST", "/_external", body)
    wait_until(lambda: Deal.objects.exists())
    assert (Deal.objects.get().symbol, Deal.objects.get().order) == ("SOL/USDT", None)


def test_streams_follow_their_accounts(
    make_desk: Callable[..., Desk], listen: Callable[[Desk], None]
) -> None:
    desk = make_desk(2)
    listen(desk)
    first, second = desk.accounts
    set_status(principal=desk.principal, account=first, status="suspended", reason="test")
    wait_until(lambda: live() == {second.pk})
    assert StreamStatus.objects.get(account=first).state == "off"
    set_status(principal=desk.principal, account=first, status="active")
    wait_until(lambda: live() == {first.pk, second.pk})
    delete_account(principal=desk.principal, account=second)
    wait_until(lambda: live() == {first.pk})
    desk.exchange.register("new-key", "new-secret", like=desk.keys[0], USDT="10000")
    connected_at = StreamStatus.objects.get(account=first).connected_at
    update_credentials(
        principal=desk.principal, account=first, api_key="new-key", api_secret="new-secret"
    )
    wait_until(lambda: StreamStatus.objects.get(account=first).connected_at != connected_at)
    desk.exchange.register("third", "third-secret", USDT="10000")
    third = create_account(
        principal=desk.principal, venue="rehearsal", api_key="third", api_secret="third-secret"
    )
    wait_until(lambda: live() == {first.pk, third.pk})


def test_a_healthy_stream_makes_the_poll_rarer(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(2)
    first, second = desk.accounts
    StreamStatus.objects.create(account=first, state="live", seen_at=now(), connected_at=now())
    Account.objects.update(next_poll_at=now())
    reconcile.poll_due()
    first.refresh_from_db()
    second.refresh_from_db()
    pause = first.next_poll_at - second.next_poll_at
    assert timedelta(seconds=19) < pause < timedelta(seconds=21)


def test_the_position_is_the_exchanges_after_many_small_fills(
    make_desk: Callable[..., Desk], listen: Callable[[Desk], None], polls: list[int]
) -> None:
    desk = make_desk(3)
    listen(desk)
    for price in ("45000", "44500", "44000"):
        send(desk, order_type="limit", price=price, alert_id=price)
        desk.run_orders()
    for price in ("44900", "44400", "43900"):
        desk.exchange.price("BTC/USDT", price)
    wait_until(lambda: told(desk))
    wait_until(lambda: set(Order.objects.values_list("state", flat=True)) == {states.FILLED})
    for account, key in zip(desk.accounts, desk.keys, strict=True):
        held = Position.objects.open().get(account=account).quantity
        assert held == desk.exchange.held(key, "BTC") > Decimal(0)
