"""An organisation with an account whose history the tests make up."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

import pytest

from accounts.models import Account, EquityPoint
from tests.users.people import Person, new_account, new_organisation
from trading.models import CashFlow


@pytest.fixture
def admin(db: None) -> Person:
    """The administrator of the organisation Ours."""
    return new_organisation("Ours")[1]


@pytest.fixture
def account(admin: Person) -> Account:
    """An account that was never read."""
    return new_account(admin, "one")


def write_readings(account: Account, readings: Iterable[tuple[datetime, Decimal]]) -> None:
    """Readings that are kept for ever, one per quarter of an hour at most."""
    EquityPoint.objects.bulk_create(
        EquityPoint(
            account=account,
            book=account.book,
            at=at,
            equity=equity,
            balance=equity,
            quarter=EquityPoint.quarter_of(at),
        )
        for at, equity in readings
    )


def write_flow(
    account: Account,
    at: datetime,
    value: Decimal,
    *,
    reason: str = "",
    before: tuple[datetime, Decimal] | None = None,
) -> CashFlow:
    """A deposit or withdrawal, or what ``reason`` says, in the quote currency."""
    return CashFlow.objects.create(
        organisation_id=account.organisation_id,
        account=account,
        book=account.book,
        reason=reason or ("deposit" if value > 0 else "withdrawal"),
        amount=value,
        value=value,
        currency=account.quote_currency,
        exchange_id=f"{reason}{at.isoformat()}",
        executed_at=at,
        read_at=before[0] if before else None,
        equity_before=before[1] if before else None,
    )
