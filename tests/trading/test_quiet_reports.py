"""Polls that only confirm what is known are written together; whatever brings news is not."""

from collections.abc import Callable
from decimal import Decimal

import pytest
from django.db import DatabaseError, connection
from django.test.utils import CaptureQueriesContext

from accounts.models import Account
from common.clock import now_ms
from exchanges.protocol import VenueBalance
from tests.trading.conftest import Desk
from tests.trading.test_polling import SYMBOL, cursor_of, told, trade
from tests.trading.test_signal_to_ledger import send
from trading.models import Deal, TradeCursor
from trading.services import quiet_reports, reconcile
from trading.services.agenda import Agenda, Report, agenda_of
from trading.services.quiet_reports import newest_deal, write_quiet


def traded(make_desk: Callable[..., Desk], count: int) -> Desk:
    """Accounts that hold what one signal bought them."""
    desk = make_desk(count)
    send(desk)
    assert desk.run_orders() == count
    return desk


def confirming(account: Account, wallet: str = "1") -> tuple[Agenda, Report]:
    """A report that tells the account's deals again, and what its wallet holds."""
    agenda = agenda_of(Account.objects.get(pk=account.pk))
    rows = Deal.objects.filter(account=account).values_list("exchange_trade_id", flat=True)
    balances = {
        "BTC": VenueBalance("BTC", Decimal(wallet), Decimal(0)),
        "USDT": VenueBalance("USDT", Decimal(7), Decimal(2)),
    }
    trades = {SYMBOL: [trade(each, now_ms()) for each in rows]}
    return agenda, Report(trades=trades, balances=balances)


def checked(account: Account) -> bool:
    """Whether a poll has moved the account's cursor on."""
    return TradeCursor.objects.get(account=account).checked_at is not None


def test_polls_of_several_accounts_cost_as_many_statements_as_one(
    make_desk: Callable[..., Desk],
) -> None:
    desk = traded(make_desk, 4)
    reconcile.poll(desk.accounts)
    counts = []
    for accounts in (desk.accounts[:2], desk.accounts):
        with CaptureQueriesContext(connection) as queries:
            reconcile.poll(list(Account.objects.filter(pk__in=[each.pk for each in accounts])))
        updates = ("UPDATE", "SAVEPOINT", "RELEASE")  # SQLite writes row by row
        counts.append(sum(not each["sql"].startswith(updates) for each in queries))
    assert counts[0] == counts[1]
    assert Deal.objects.count() == 4


def test_a_trade_that_is_no_deal_yet_keeps_its_report_back_and_no_other(
    make_desk: Callable[..., Desk],
) -> None:
    desk = traded(make_desk, 2)
    pairs = [confirming(account) for account in desk.accounts]
    TradeCursor.objects.update(checked_at=None)
    pairs[0][1].trades[SYMBOL].append(trade("unseen", now_ms()))
    written, others = write_quiet(pairs, newest_deal())
    assert (written, others) == ([desk.accounts[1]], [pairs[0]])
    assert [checked(account) for account in desk.accounts] == [False, True]
    figures = [Account.objects.get(pk=account.pk).balance for account in desk.accounts]
    assert figures == [10_000, 9]
    assert Deal.objects.count() == 2


def test_a_symbol_without_a_cursor_is_no_quiet_one(make_desk: Callable[..., Desk]) -> None:
    desk = traded(make_desk, 1)
    pair = confirming(desk.accounts[0])
    TradeCursor.objects.all().delete()
    assert write_quiet([pair], newest_deal()) == ([], [pair])


@pytest.mark.parametrize("is_later", [True, False])
def test_what_was_booked_since_the_question_is_not_compared(
    make_desk: Callable[..., Desk], is_later: bool
) -> None:
    desk = traded(make_desk, 1)
    held = Deal.objects.get().net_quantity
    pair = confirming(desk.accounts[0], wallet="0")
    write_quiet([pair], 0 if is_later else newest_deal())
    difference = "" if is_later else f"the wallet lacks {held.normalize():f} BTC"
    assert TradeCursor.objects.get().mismatch == difference


def test_a_group_that_cannot_be_written_is_imported_one_by_one(
    make_desk: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = traded(make_desk, 2)
    cursors = [cursor_of(account, checked_at=None) for account in desk.accounts]
    pairs = [confirming(account) for account in desk.accounts]

    def broken(*_: object) -> None:
        raise DatabaseError

    with monkeypatch.context() as patch:
        patch.setattr(quiet_reports, "store_all_balances", broken)
        assert write_quiet(pairs, newest_deal()) == ([], pairs)
    assert [checked(account) for account in desk.accounts] == [False, False]
    assert told(desk.accounts[0]) == 0
    assert checked(desk.accounts[0])
    assert len(cursors) == 2
