"""Many rows in one statement: exact, in order, and only over the row that was read."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from uuid import uuid4

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from common.bulk import insert_rows, update_rows, upsert_rows
from events.models import Event
from riskmgmt.models import Reservation
from tests.trading.conftest import Desk
from trading.models import Lot, Order, OrderEvent, TradeCursor
from trading.services import execution
from trading.services.commands import submit
from trading.services.intents import OrderIntent
from users.models import Organisation

AMOUNTS = ["0.000000000000000001", "123456789012345678.123456789012345678", "1E+3", "-7.50"]
ODD_TEXT = 'a\'b\\c "d" %s {x} é \t 🚀'


def held(organisation: Organisation, amount: str) -> Reservation:
    return Reservation(
        organisation=organisation,
        account_id=1,
        order_uid=uuid4(),
        symbol=ODD_TEXT,
        notional=Decimal(amount),
        released_at=datetime(2026, 1, 2, 3, 4, 5, 678901, UTC),
    )


def test_inserted_rows_come_back_exactly_and_know_their_keys(organisation: Organisation) -> None:
    rows = [held(organisation, amount) for amount in AMOUNTS]
    insert_rows(rows)
    for row, amount in zip(rows, AMOUNTS, strict=True):
        stored = Reservation.objects.get(pk=row.pk)
        assert (stored.notional, stored.symbol) == (Decimal(amount), ODD_TEXT)
        assert (stored.order_uid, stored.released_at) == (row.order_uid, row.released_at)
        assert stored.created_at == row.created_at
    assert [row.pk for row in rows] == sorted(row.pk for row in rows)


def test_json_columns_and_absent_values_come_back_as_they_were(organisation: Organisation) -> None:
    payload = {"text": ODD_TEXT, "n": 1, "none": None, "list": [True, {"deep": "1.10"}]}
    insert_rows(
        [Event(organisation=organisation, kind="test", topics=["a:1"], payload=payload)],
        with_ids=False,
    )
    stored = Event.objects.get(kind="test")
    assert (stored.payload, stored.topics, stored.seq) == (payload, ["a:1"], None)


def test_money_that_is_not_exact_is_refused_and_nothing_is_written(
    organisation: Organisation,
) -> None:
    wrong = held(organisation, "1")
    wrong.notional = 0.5  # type: ignore[assignment]
    with pytest.raises((ValueError, ValidationError)), transaction.atomic():
        insert_rows([held(organisation, "1"), wrong])
    assert Reservation.objects.count() == 0


def test_a_doubled_row_stops_the_insert_or_is_left_alone(make_desk: Callable[..., Desk]) -> None:
    account = make_desk().accounts[0]
    insert_rows([TradeCursor(account=account, symbol="A", since_ms=1)])
    again = [TradeCursor(account=account, symbol=name, since_ms=2) for name in ("A", "B")]
    with pytest.raises(IntegrityError), transaction.atomic():
        insert_rows(again)
    insert_rows(again, ignore_conflicts=True)
    rows = TradeCursor.objects.filter(symbol__in="AB").order_by("symbol")
    assert list(rows.values_list("symbol", "since_ms")) == [("A", 1), ("B", 2)]


def test_only_rows_of_the_version_that_was_read_are_written(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(2)
    submit(principal=desk.principal, intents=buys(desk), source="test")
    first, second = Order.objects.order_by("pk")
    for order in (first, second):
        order.error_code, order.average_price = "changed", Decimal("0.1")
    Order.objects.filter(pk=second.pk).update(version=5)
    assert update_rows([first, second], ("error_code", "average_price"), versions=[0, 0]) == 1
    found = Order.objects.order_by("pk").values_list("error_code", "average_price")
    assert list(found) == [("changed", Decimal("0.1")), ("", None)]


def test_an_upsert_changes_what_is_there_and_adds_the_rest(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk()
    submit(principal=desk.principal, intents=buys(desk), source="test")
    desk.run_orders()
    lot = Lot.objects.get()
    rows = [Lot(position_id=lot.position_id, magic_id=n, quantity=Decimal(9)) for n in (0, 7)]
    upsert_rows(rows, unique_fields=("position", "magic_id"), update_fields=("quantity",))
    found = Lot.objects.order_by("magic_id").values_list("magic_id", "quantity", "average_price")
    assert list(found) == [(0, Decimal(9), lot.average_price), (7, Decimal(9), Decimal(0))]


def test_ten_answers_are_written_back_in_as_many_statements_as_two(
    make_desk: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("on SQLite rows are updated one by one")
    counted = []
    write_back = execution.write_back

    def counting(batch: object) -> None:
        with CaptureQueriesContext(connection) as queries:
            write_back(batch)  # type: ignore[arg-type]
        counted.append(len(queries))

    monkeypatch.setattr(execution, "write_back", counting)
    monkeypatch.setattr(execution, "LINGER_SECONDS", 10)
    monkeypatch.setattr(execution, "LONGEST_LINGER_SECONDS", 20)
    for n in (2, 10):
        desk = make_desk(n, name=f"desk{n}")
        submit(principal=desk.principal, intents=buys(desk), source="test")
        desk.run_orders()
    assert counted[0] == counted[1]
    assert set(Order.objects.values_list("state", flat=True)) == {"FILLED"}
    assert OrderEvent.objects.filter(new_state="FILLED").count() == 12


def buys(desk: Desk) -> list[OrderIntent]:
    return [
        OrderIntent(account.pk, "BTC/USDT", "buy", quantity=Decimal("0.001"))
        for account in desk.accounts
    ]
