"""How many statements one order costs at most, step by step; BEGIN and COMMIT are not counted."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from events.consumers import run_consumers
from events.sequencer import number_events
from tests.trading.conftest import Desk
from trading.models import Order
from trading.services import execution, lanes
from trading.services.commands import submit
from trading.services.intents import OrderIntent

MOST = {"submit": 14, "claim": 6, "write_back": 14, "number": 3, "consume": 14}


class Counter:
    """Statements by step; the steps of a second order count, when everything is there already."""

    def __init__(self) -> None:
        self.found: dict[str, int] = {}

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Count what is done inside."""
        with CaptureQueriesContext(connection) as queries:
            yield
        texts = [query["sql"] for query in queries]
        asked = [text for text in texts if not text.startswith(("BEGIN", "COMMIT"))]
        self.found[name] = len(asked)

    def around(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, counted."""

        def counted(*args: Any) -> Any:
            with self.step(name):
                return function(*args)

        return counted


def test_one_order_costs_no_more_statements_than_this(
    make_desk: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    desk, counter = make_desk(1), Counter()
    monkeypatch.setattr(execution, "claim_orders", counter.around("claim", execution.claim_orders))
    monkeypatch.setattr(execution, "write_back", counter.around("write_back", execution.write_back))
    intent = OrderIntent(desk.accounts[0].pk, "BTC/USDT", "buy", quantity=Decimal("0.001"))
    for _ in range(2):
        with counter.step("submit"):
            submit(principal=desk.principal, intents=[intent], source="test")
        lanes.here.keep()
        desk.run_orders()
        with counter.step("number"):
            number_events()
        with counter.step("consume"):
            run_consumers()
    assert set(Order.objects.values_list("state", flat=True)) == {"FILLED"}
    assert counter.found.keys() == MOST.keys()
    assert {name: count for name, count in counter.found.items() if count > MOST[name]} == {}
