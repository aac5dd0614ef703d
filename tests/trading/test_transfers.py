"""Deposits and withdrawals: each written once, valued, with what the account was worth before."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from accounts.models import Account, Book
from accounts.services import create_account
from common.clock import now, to_ms
from common.errors import Denied, Invalid
from common.principal import VIEWER, Principal
from events.models import AuditRecord
from exchanges.answers import venue_deposit, venue_wallet_transfer, venue_withdrawal
from exchanges.protocol import VenueBalance, VenueTransfer
from marketdata.models import LastPrice
from trading.models import CashFlow, TransferCursor
from trading.services.agenda import Report, agenda_of
from trading.services.reconcile import import_report
from trading.services.transfers import ASK_EVERY, record_transfer


@pytest.fixture
def account(principal: Principal, settings: Any) -> Account:
    """A spot account made an hour ago, worth 10,000 at its last reading."""
    settings.EXCHANGE_VENUES = {"rehearsal": {"ccxt": "binance", "base_url": "http://127.0.0.1:9"}}
    made = create_account(
        principal=principal, venue="rehearsal", api_key="key", api_secret="secret"
    )
    Account.objects.filter(pk=made.pk).update(created_at=now() - timedelta(hours=1))
    made.refresh_from_db()
    hear(made)
    TransferCursor.objects.update(checked_at=now() - ASK_EVERY)
    return made


def hear(account: Account, held: str = "10000", **told: Any) -> None:
    """One poll's report."""
    balances = {"USDT": VenueBalance("USDT", Decimal(held), Decimal(0))}
    import_report(agenda_of(account), Report(balances=balances, **told))
    account.refresh_from_db()


def told(number: str, amount: str, currency: str = "USDT") -> VenueTransfer:
    """As a venue tells it, just now."""
    return VenueTransfer(number, Decimal(amount), currency, to_ms(now()))


def test_a_transfer_is_written_once_with_the_equity_before_it(account: Account) -> None:
    arrived = told("deposit:1", "500")
    for _ in range(2):
        TransferCursor.objects.update(checked_at=now() - ASK_EVERY)
        hear(account, "10500", transfers=[arrived, told("withdrawal:1", "-20")])
    rows = CashFlow.objects.order_by("pk")
    assert [(row.reason, row.amount, row.value, row.equity_before) for row in rows] == [
        ("deposit", Decimal(500), Decimal(500), Decimal(10000)),
        ("withdrawal", Decimal(-20), Decimal(-20), Decimal(10000)),
    ]
    assert {row.book for row in rows} == {Book.REHEARSAL}


def test_another_currency_is_valued_at_the_last_price(account: Account) -> None:
    LastPrice.objects.create(venue="rehearsal", symbol="BTC/USDT", price=Decimal(50000), at=now())
    hear(account, transfers=[told("1", "0.1", "BTC"), told("2", "3", "NEWCOIN")])
    values = dict(CashFlow.objects.values_list("currency", "value"))
    assert values == {"BTC": Decimal(5000), "NEWCOIN": Decimal(0)}


def test_the_venue_is_asked_now_and_then_and_from_the_accounts_beginning(
    account: Account,
) -> None:
    assert agenda_of(account).transfers_since == to_ms(account.created_at)
    hear(account, transfers=[])
    assert agenda_of(account).transfers_since is None
    TransferCursor.objects.update(checked_at=now() - ASK_EVERY)
    assert agenda_of(account).transfers_since == to_ms(account.created_at)


def test_a_venue_that_does_not_tell_moves_nothing(account: Account) -> None:
    TransferCursor.objects.update(since_ms=7)
    hear(account, transfers_error="not_supported")
    cursor = TransferCursor.objects.get()
    assert (cursor.error, cursor.since_ms) == ("not_supported", 7)
    assert not CashFlow.objects.exists()
    assert account.equity == Decimal(10000)


def test_books_of_our_own_are_asked_for_none(account: Account) -> None:
    for book in (Book.PAPER, Book.SHADOW):
        assert agenda_of(account.in_book(book)).transfers_since is None


def test_an_operator_records_what_the_venue_does_not_tell(
    account: Account, principal: Principal
) -> None:
    flow = record_transfer(
        principal=principal, account=account, amount=Decimal("-250.5"), note="to the futures wallet"
    )
    assert (flow.reason, flow.value, flow.currency) == ("withdrawal", Decimal("-250.5"), "USDT")
    assert flow.equity_before == Decimal(10000)
    assert AuditRecord.objects.get(action="account.transfer_recorded").after["amount"] == "-250.5"


def test_a_record_that_cannot_be_is_refused(account: Account, principal: Principal) -> None:
    with pytest.raises(Invalid):
        record_transfer(principal=principal, account=account, amount=Decimal(0))
    with pytest.raises(Invalid):
        record_transfer(
            principal=principal, account=account, amount=Decimal(1), at=now() + timedelta(hours=1)
        )
    with pytest.raises(Denied):
        record_transfer(
            principal=replace(principal, role=VIEWER), account=account, amount=Decimal(1)
        )
    assert not CashFlow.objects.exists()


def test_rows_of_ccxt_are_read() -> None:
    row = {"id": "7", "amount": 2.5, "currency": "USDT", "timestamp": 1000, "status": "ok"}
    assert venue_deposit(row) == VenueTransfer("deposit:7", Decimal("2.5"), "USDT", 1000)
    assert venue_deposit({**row, "status": "pending"}) is None
    paid = venue_withdrawal({**row, "updated": 2000, "fee": {"cost": 0.5, "currency": "USDT"}})
    assert paid == VenueTransfer("withdrawal:7", Decimal("-3.0"), "USDT", 2000)
    other = venue_withdrawal({**row, "fee": {"cost": 0.5, "currency": "BNB"}})
    assert other is not None
    assert other.amount == Decimal("-2.5")
    moved = {"id": "9", "type": "transfer", "direction": "out", "amount": 4, "timestamp": 5}
    assert venue_wallet_transfer({**moved, "currency": "USDT"}) == VenueTransfer(
        "9", Decimal(-4), "USDT", 5
    )
    assert venue_wallet_transfer({**moved, "type": "fee"}) is None
