"""``export_performance`` and ``record_transfer``."""

import csv
import json
import uuid
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from accounts.models import Account, Book
from common.terminal import USAGE
from events.models import AuditRecord
from trading.models import CashFlow, Deal

from .conftest import write_flow, write_readings

START = datetime(2024, 12, 31, 23, tzinfo=UTC)  # midnight of the new year in Warsaw


def run(*arguments: str) -> str:
    """What the command prints."""
    printed = StringIO()
    call_command(*arguments, stdout=printed, stderr=StringIO())
    return printed.getvalue()


def table(text: str) -> list[dict[str, str]]:
    """Rows of a CSV."""
    return list(csv.DictReader(StringIO(text)))


def deal(account: Account, at: datetime, number: str, **fields: Any) -> None:
    """One deal that cost a fee of 1."""
    Deal.objects.create(
        organisation_id=account.organisation_id, account=account, book=account.book,
        symbol="BTC/USDT", side="sell", quantity=Decimal("0.5"), net_quantity=Decimal("0.5"),
        price=Decimal(50000), fee_quote=Decimal(1), exchange_trade_id=number, executed_at=at,
        **fields,
    )  # fmt: skip


def test_periods_as_csv(account: Account, tmp_path: Path) -> None:
    Account.objects.filter(pk=account.pk).update(name="=cmd|' /C calc'!A0")
    write_readings(account, [(START, Decimal(1000)), (START + timedelta(days=1), Decimal(1100))])
    deal(account, START + timedelta(hours=2), "1", realised=Decimal("-7.5"))
    file = tmp_path / "out.csv"
    run(
        "export_performance", "--from", "2025-01-01", "--to", "2025-01-01", "--time-zone",
        "Europe/Warsaw", "--output", str(file),
    )  # fmt: skip
    (row,) = table(file.read_text())
    assert row["name"] == "'=cmd|' /C calc'!A0"
    assert (row["from"], row["until"], row["starting_equity"]) == (
        "2025-01-01",
        "2025-01-01",
        "1000",
    )
    assert float(row["time_weighted_return_percent"]) == pytest.approx(10)
    assert (row["realised"], row["trading_fees"], row["net"]) == ("-7.5", "1", "-8.5")
    assert row["sharpe_ratio"] == ""
    assert file.stat().st_mode & 0o077 == 0
    told = AuditRecord.objects.get(action="performance.exported").after
    assert told == {"from": "2025-01-01", "to": "2025-01-01", "kind": "day", "rows": 1}


def test_a_year_for_the_tax_return(account: Account) -> None:
    Account.objects.filter(pk=account.pk).update(book=Book.LIVE)
    account.refresh_from_db()
    deal(account, START - timedelta(seconds=1), "before", realised=Decimal(9))
    deal(account, START, "=first", realised=Decimal("12.5"))
    deal(account, START + timedelta(days=365), "after", realised=Decimal(9))
    write_flow(account, START + timedelta(days=2), Decimal("-0.25"), reason="funding")
    write_flow(account, START + timedelta(days=3), Decimal(500))
    rows = table(run("export_performance", "--year", "2025", "--time-zone", "Europe/Warsaw"))
    assert [(row["kind"], row["realised"], row["fees"], row["net"]) for row in rows] == [
        ("trade", "12.5", "1", "11.5"), ("funding", "-0.25", "0", "-0.25"),
    ]  # fmt: skip
    assert rows[0]["time"] == "2025-01-01T00:00:00+01:00"
    assert (rows[0]["reference"], rows[0]["currency"]) == ("'=first", "USDT")
    assert table(run("export_performance", "--year", "2025", "--book", "paper")) == []


def test_rows_as_json(account: Account) -> None:
    write_readings(account, [(START, Decimal(1000))])
    text = run("export_performance", "--from", "2025-01-01", "--to", "2025-01-31", "--interval",
               "month", "--json")  # fmt: skip
    (row,) = json.loads(text)
    assert (row["account"], row["closing_equity"]) == (str(account.pk), "1000")


@pytest.mark.parametrize(
    "arguments",
    [
        ["--time-zone", "Mars/Base"],
        ["--from", "2025-02-01", "--to", "2025-01-01"],
        ["--year", "1999"],
        ["--account", "987654"],
    ],
)
def test_what_cannot_be_exported_is_a_usage_error(account: Account, arguments: list[str]) -> None:
    with pytest.raises(CommandError) as refused:
        run("export_performance", *arguments)
    assert refused.value.returncode == USAGE
    assert not AuditRecord.objects.filter(action="performance.exported").exists()


def test_a_transfer_is_recorded_by_hand(account: Account) -> None:
    run("record_transfer", str(account.pk), "--note", "to futures", "--", "-250.5")
    flow = CashFlow.objects.get()
    assert (flow.amount, flow.note, flow.reason) == (Decimal("-250.5"), "to futures", "withdrawal")


@pytest.mark.parametrize(
    "arguments",
    [["987654", "5"], ["{}", "0"], ["{}", "x"], ["{}", "5", "--at", "2025-01-01T00:00"]],
)
def test_a_transfer_that_cannot_be_is_a_usage_error(account: Account, arguments: list[str]) -> None:
    with pytest.raises(CommandError) as refused:
        run("record_transfer", *(each.format(account.pk) for each in arguments))
    assert refused.value.returncode == USAGE
    assert not CashFlow.objects.exists()


def test_accounts_that_are_one_at_the_exchange_are_named(
    account: Account,
) -> None:
    Account.objects.filter(pk=account.pk).update(venue_identity="35")
    twin = Account.objects.get(pk=account.pk)
    twin.pk, twin.uuid, twin.name, twin.is_shared = None, uuid.uuid4(), "twin", True
    twin.save()
    said = StringIO()
    call_command("export_performance", "--year", "2025", stdout=StringIO(), stderr=said)
    assert f"Accounts {account.pk} and {twin.pk} are one at the exchange" in said.getvalue()
    said = StringIO()
    arguments = ("--year", "2025", "--account", str(twin.pk))
    call_command("export_performance", *arguments, stdout=StringIO(), stderr=said)
    assert "one at the exchange" not in said.getvalue()
