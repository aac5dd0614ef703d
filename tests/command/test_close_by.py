"""``close_by``: two opposite positions of a hedging account end each other, without an order."""

from decimal import Decimal
from threading import Barrier, Thread
from typing import Any

import pytest
from django.db import connections

from accounts.models import Account
from common.errors import DomainError
from events.models import AuditRecord, Event
from tests.command.conftest import SYMBOL, Terminal, buy, command
from tests.trading.hedging import ledger_differences
from tests.waiting import PATIENCE
from trading.models import Command, Deal, Order, Position
from trading.services import closing_by
from trading.services.closing_by import close_by


@pytest.fixture
def account(terminal: Terminal) -> Account:
    """A hedging account on spot, whose wallet has coins to sell."""
    return terminal.account(position_mode="hedge")


def pair(terminal: Terminal, account: Account) -> tuple[Position, Position]:
    """Long 0.05 at 50,000 and short 0.03 at 52,000."""
    terminal.send(buy(account, "0.05", side="buy"))
    terminal.work(account)
    terminal.exchange.price(SYMBOL, "52000")
    terminal.send(buy(account, "0.03", side="sell"))
    terminal.work(account)
    long = Position.objects.open().get(side="buy")
    short = Position.objects.open().get(side="sell")
    return long, short


def against(account: Account, a: Position, b: Position, request_id: str = "", **more: Any) -> Any:
    """One item."""
    return command("close_by", account, request_id, position_id_a=a.pk, position_id_b=b.pk, **more)


def told() -> list[tuple[str, str, str, str, Decimal]]:
    """The internal deals: side, entry, quantity, price, result."""
    rows = Deal.objects.filter(reason="close_by_internal").order_by("pk")
    return [
        (deal.side, deal.entry, str(deal.quantity), str(deal.price), deal.realised) for deal in rows
    ]


def test_both_legs_close_at_the_others_average_and_the_result_stands_on_the_first(
    terminal: Terminal, account: Account
) -> None:
    long, short = pair(terminal, account)
    item = against(account, long, short, "cb")
    (result,) = terminal.send(item)
    assert (result["ok"], result["order_id"], result["error"]) == (True, None, None)
    # The short of 0.03 was sold with a fee in USDT; the long's fee was taken in coins.
    assert told() == [
        ("sell", "out_by", "0.03", "52000", Decimal("60")),
        ("buy", "out_by", "0.03", "52000", Decimal("0")),
    ]
    long.refresh_from_db()
    short.refresh_from_db()
    assert (long.state, str(long.quantity)) == ("open", "0.01995")
    assert (str(long.average_price), long.realised) == ("50000", Decimal("60"))
    assert (short.state, short.quantity, short.realised) == ("closed", 0, 0)
    ids = Deal.objects.filter(reason="close_by_internal").order_by("pk")
    assert [deal.exchange_trade_id for deal in ids] == [
        f"cb:{result['command_id']}:1", f"cb:{result['command_id']}:2",
    ]  # fmt: skip
    assert terminal.send(item) == [result]
    assert len(told()) == 2
    assert ledger_differences() == []
    assert AuditRecord.objects.filter(action="position.close_by").count() == 1
    event = Event.objects.get(kind="close_by.executed")
    assert (event.payload["quantity"], event.payload["price"]) == ("0.03", "52000")


def test_the_other_way_round_the_total_is_the_same(terminal: Terminal, account: Account) -> None:
    long, short = pair(terminal, account)
    terminal.send(against(account, short, long))
    assert told() == [
        ("buy", "out_by", "0.03", "50000", Decimal("60")),
        ("sell", "out_by", "0.03", "50000", Decimal("0")),
    ]
    assert ledger_differences() == []


def test_a_part_leaves_both_open_and_the_exchange_is_not_asked(
    terminal: Terminal, account: Account
) -> None:
    long, short = pair(terminal, account)
    held = terminal.exchange.dump(account.open_secret("api_key"))
    terminal.send(against(account, long, short, qty="0.01"))
    long.refresh_from_db()
    short.refresh_from_db()
    assert (str(long.quantity), str(short.quantity)) == ("0.03995", "0.02")
    assert terminal.exchange.dump(account.open_secret("api_key")) == held
    terminal.work(account)
    assert Order.objects.count() == 2
    listed = terminal.items("deals", account, position_id=long.pk)
    assert [row["entry"] for row in listed] == ["out_by", "in"]
    assert listed[0]["pnl"] == "20"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"qty": "0.04"}, "quantity_above_position"),
        ({"qty": "0.0100001"}, "off_precision"),
        ({"qty": "-1"}, "validation_error"),
        ({"position_id_b": 10**9}, "position_not_found"),
        ({"position_id_b": None}, "validation_error"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_moves(
    terminal: Terminal, account: Account, change: dict[str, Any], code: str
) -> None:
    long, short = pair(terminal, account)
    item = against(account, long, short)
    item["payload"].update(change)
    (result,) = terminal.send(item)
    assert (result["ok"], result["error"]["code"]) == (False, code)
    assert told() == []
    assert not Command.objects.filter(kind="close_by").exists()


def test_positions_of_one_side_and_of_nobody_are_refused(
    terminal: Terminal, account: Account
) -> None:
    long, short = pair(terminal, account)
    (same,) = terminal.send(against(account, long, long))
    assert same["error"]["code"] == "positions_not_opposite"
    Position.objects.filter(pk=short.pk).update(allocated=False)
    (nobody,) = terminal.send(against(account, long, short))
    assert nobody["error"]["code"] == "position_not_reconciled"
    assert told() == []


def test_a_netting_account_and_an_exchange_that_hedges_are_refused(
    terminal: Terminal, account: Account
) -> None:
    long, short = pair(terminal, account)
    Account.objects.update(venue_position_mode="hedge")
    (hedged,) = terminal.send(against(account, long, short))
    assert hedged["error"]["code"] == "venue_hedge_mode"
    Account.objects.update(venue_position_mode="", position_mode="netting")
    (netting,) = terminal.send(against(account, long, short))
    assert netting["error"]["code"] == "account_not_hedging"
    assert told() == []


def test_a_close_in_flight_locks_its_position(terminal: Terminal, account: Account) -> None:
    long, short = pair(terminal, account)
    (closing,) = terminal.send(command("close_position", account, position_id=long.pk))
    (result,) = terminal.send(against(account, short, long))
    assert result["error"]["code"] == "position_close_in_progress"
    assert result["error"]["details"] == {"order_id": closing["order_id"]}
    assert told() == []


def run_twice(terminal: Terminal, account: Account, long: Position, short: Position) -> list[str]:
    """Two callers at the same moment, each with an id of its own; what refused them."""
    start, codes = Barrier(2), []

    def call(number: int) -> None:
        start.wait()
        try:
            close_by(
                principal=terminal.person.principal,
                account=account,
                position_id=long.pk,
                by_id=short.pk,
                request_id=f"r{number}",
            )
        except DomainError as error:
            codes.append(error.code)
        finally:
            connections.close_all()

    threads = [Thread(target=call, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return codes


def test_two_at_once_close_once(terminal: Terminal, account: Account) -> None:
    long, short = pair(terminal, account)
    assert run_twice(terminal, account, long, short) == ["position_not_found"]
    assert len(told()) == 2
    assert ledger_differences() == []


@pytest.mark.distributed
def test_without_the_locks_two_at_once_close_twice(
    terminal: Terminal, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    long, short = pair(terminal, account)
    met, book = Barrier(2), closing_by._book

    def together(*arguments: Any) -> None:
        met.wait(PATIENCE)
        book(*arguments)

    monkeypatch.setattr(closing_by, "_book", together)
    monkeypatch.setattr(closing_by, "locked_cursor", lambda *_: None)
    monkeypatch.setattr("django.db.models.QuerySet.select_for_update", lambda rows, **_: rows)
    assert run_twice(terminal, account, long, short) == []
    assert len(told()) == 4
    assert ledger_differences() != []


def test_strangers_and_viewers_close_nothing(
    terminal: Terminal, account: Account, stranger: Any
) -> None:
    long, short = pair(terminal, account)
    with pytest.raises(DomainError) as error:
        close_by(principal=stranger.principal, account=account, position_id=long.pk, by_id=short.pk)
    assert error.value.code == "position_not_found"
    assert told() == []
