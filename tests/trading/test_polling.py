"""How far back a poll asks, and how often an account is polled."""

from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import timedelta
from decimal import Decimal
from threading import Barrier, Thread

import pytest
from django.db import connections

from accounts.models import Account
from common.clock import from_ms, now, now_ms, to_ms
from exchanges.limiter import VenueLimiter
from exchanges.protocol import VenueTrade
from tests.trading.conftest import Desk
from tests.trading.test_signal_to_ledger import send
from trading.models import Deal, TradeCursor
from trading.services import poll_rounds, reconcile
from trading.services.agenda import LONG_LOOK_EVERY_MS, OVERLAP_MS, Report, agenda_of
from trading.services.poll_rounds import RoundSizes
from trading.services.reconcile import import_report

SYMBOL = "BTC/USDT"


def cursor_of(account: Account, **values: object) -> TradeCursor:
    """The account's cursor, with these columns."""
    cursor, _ = TradeCursor.objects.update_or_create(
        account=account, symbol=SYMBOL, defaults=values
    )
    return cursor


def trade(trade_id: str, at_ms: int, **values: object) -> VenueTrade:
    """A stranger's trade at the venue."""
    return VenueTrade(
        **{
            "trade_id": trade_id,
            "exchange_order_id": f"order-{trade_id}",
            "client_order_id": "",
            "symbol": SYMBOL,
            "side": "buy",
            "quantity": Decimal("0.01"),
            "price": Decimal(50_000),
            "fee": Decimal(0),
            "fee_currency": "USDT",
            "executed_ms": at_ms,
            **values,
        }  # type: ignore[arg-type]
    )


def told(account: Account, *trades: VenueTrade) -> int:
    """One poll in which the venue tells these of its trades that it is asked for; how many."""
    agenda = agenda_of(account)
    since_ms = agenda.trades_since[SYMBOL]
    asked = [each for each in trades if each.executed_ms >= since_ms]
    import_report(agenda, Report(trades={SYMBOL: asked}))
    return len(asked)


def make_old(account: Account) -> Account:
    """An account that was made long before its trades."""
    Account.objects.filter(pk=account.pk).update(created_at=now() - timedelta(days=1))
    return Account.objects.get(pk=account.pk)


def in_one_turn(cursor: TradeCursor) -> None:
    """Set the last check to a moment ago within the five minutes that run now."""
    TradeCursor.objects.filter(pk=cursor.pk).update(checked_at=now())


def test_a_poll_asks_again_for_the_minute_before_the_last_one(
    make_desk: Callable[..., Desk],
) -> None:
    account = make_old(make_desk(1).accounts[0])
    since_ms = now_ms() - OVERLAP_MS - 200_000
    cursor = cursor_of(account, since_ms=since_ms, checked_at=None)
    assert agenda_of(account).trades_since == {SYMBOL: since_ms}
    checked_at = now()
    TradeCursor.objects.filter(pk=cursor.pk).update(checked_at=checked_at)
    assert agenda_of(account).trades_since == {SYMBOL: to_ms(checked_at) - 60_000}
    passed = checked_at - timedelta(milliseconds=LONG_LOOK_EVERY_MS)
    TradeCursor.objects.filter(pk=cursor.pk).update(checked_at=passed)
    assert agenda_of(account).trades_since == {SYMBOL: since_ms}


def test_a_trade_told_late_is_found_by_the_next_long_look(make_desk: Callable[..., Desk]) -> None:
    account = make_old(make_desk(1).accounts[0])
    start = now_ms() - OVERLAP_MS
    cursor = cursor_of(account, since_ms=start, checked_at=None)
    late = trade("7", now_ms() - 180_000)
    in_one_turn(cursor)
    assert told(account, late) == 0
    cursor.refresh_from_db()
    assert cursor.since_ms == start
    assert cursor.checked_at is not None
    five_minutes_ago = from_ms(to_ms(cursor.checked_at) - LONG_LOOK_EVERY_MS)
    TradeCursor.objects.filter(pk=cursor.pk).update(checked_at=five_minutes_ago)
    assert told(account, late) == 1
    assert list(Deal.objects.values_list("exchange_trade_id", flat=True)) == ["7"]
    cursor.refresh_from_db()
    assert cursor.since_ms > start


def test_a_trade_that_has_to_wait_is_asked_for_until_it_is_booked(
    make_desk: Callable[..., Desk],
) -> None:
    account = make_old(make_desk(1).accounts[0])
    at_ms = now_ms() - 180_000
    cursor = cursor_of(account, since_ms=at_ms - 1, checked_at=None)
    bad = trade("8", at_ms, quantity=Decimal(0))
    for _ in range(3):
        assert told(account, bad) == 1
        cursor.refresh_from_db()
        assert (cursor.since_ms, cursor.checked_at) == (at_ms - 1, None)
    assert told(account, trade("8", at_ms)) == 1
    cursor.refresh_from_db()
    assert cursor.checked_at is not None
    assert Deal.objects.count() == 1


def pause_of(accounts: int, settings: object) -> float:
    """Seconds until the next poll of one of so many accounts."""
    settings.RECONCILE_SECONDS = 10  # type: ignore[attr-defined]
    return poll_rounds.pause_among(accounts)


@pytest.mark.parametrize(("accounts", "seconds"), [(1, 10), (80, 10), (160, 20), (1_000, 24)])
def test_many_accounts_are_polled_more_rarely_but_before_balances_are_too_old(
    settings: object, accounts: int, seconds: int
) -> None:
    settings.BALANCE_MAX_AGE_SECONDS = 60  # type: ignore[attr-defined]
    assert pause_of(accounts, settings) == seconds


def test_the_pause_is_never_shorter_than_the_setting(settings: object) -> None:
    settings.BALANCE_MAX_AGE_SECONDS = 5  # type: ignore[attr-defined]
    assert pause_of(1_000, settings) == 10


def test_each_due_account_is_claimed_by_one_of_several_pollers(
    make_desk: Callable[..., Desk],
) -> None:
    desk = make_desk(4)
    Account.objects.update(next_poll_at=now() - timedelta(seconds=1))
    start, claimed = Barrier(4), []

    def claim() -> None:
        start.wait()
        claimed.extend(account.pk for account in reconcile._claim_due())
        connections.close_all()

    threads = [Thread(target=claim) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(claimed) == sorted(account.pk for account in desk.accounts)


def test_a_venue_is_polled_for_its_own_accounts(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(2)
    here, elsewhere = desk.accounts
    Account.objects.update(next_poll_at=now() - timedelta(seconds=1))
    Account.objects.filter(pk=elsewhere.pk).update(venue="kraken")
    assert poll_rounds.due_venues() == ["kraken", "rehearsal"]
    assert reconcile.poll_due("rehearsal") == 1
    assert poll_rounds.due_venues() == ["kraken"]
    elsewhere.refresh_from_db()
    assert elsewhere.next_poll_at < now()


def test_a_poll_lets_orders_go_first(
    make_desk: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = make_desk(1)
    asked: Counter[str] = Counter()

    def counted(name: str) -> Callable[..., Awaitable[None]]:
        honest = getattr(VenueLimiter, name)

        async def acquire(limiter: VenueLimiter, cost: float = 1.0) -> None:
            asked[name] += 1
            await honest(limiter, cost)

        return acquire

    for name in ("acquire", "acquire_patiently"):
        monkeypatch.setattr(VenueLimiter, name, counted(name))
    Account.objects.update(next_poll_at=now() - timedelta(seconds=1))
    assert reconcile.poll_due() == 1
    polled = asked["acquire_patiently"]
    assert polled > 0
    assert asked["acquire"] == 0
    send(desk)
    desk.run_orders()
    assert asked == {"acquire": 2, "acquire_patiently": polled}  # a price and an order


def test_a_round_asks_for_as_many_accounts_as_the_venue_answers_for_in_time() -> None:
    sizes = RoundSizes()
    assert sizes.of("slow") == 50
    sizes.took("slow", 6, 30.0)  # all of them timed out
    assert (sizes.of("slow"), sizes.of("other")) == (1, 50)
    sizes.took("slow", 1, 4.0)
    assert sizes.of("slow") == 1
    sizes.took("slow", 1, 1.0)
    assert sizes.of("slow") == 2
    for _ in range(10):
        sizes.took("slow", sizes.of("slow"), 0.1)
    assert sizes.of("slow") == 50


def test_a_slow_venue_is_asked_for_fewer_accounts_the_longest_due_first(
    make_desk: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = make_desk(3)
    for place, account in enumerate(desk.accounts):
        due = now() - timedelta(seconds=10 + place)
        Account.objects.filter(pk=account.pk).update(next_poll_at=due)
    sizes = RoundSizes()
    sizes.took("rehearsal", 2, 5.1)
    monkeypatch.setattr(reconcile, "_round_sizes", sizes)
    assert reconcile.poll_due("rehearsal") == 1
    due = Account.objects.filter(next_poll_at__lte=now())
    assert set(due.values_list("pk", flat=True)) == {each.pk for each in desk.accounts[:2]}
    assert sizes.of("rehearsal") == 2
