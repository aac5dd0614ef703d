"""The campaign's comparison finds each kind of difference, and nothing in equal books."""

from typing import Any

import pytest

from tests.faults.compare import Findings, Leg, compare_attempts, compare_orders


def held(*orders: tuple[str, int]) -> dict[str, Any]:
    """The exchange's books of one account with these client ids and order ids."""
    rows = [{"clientOrderId": client_id, "orderId": number} for client_id, number in orders]
    return {"key": {"orders": rows}}


def leg(client_id: str, order_id: str = "", *, placed: bool = False) -> Leg:
    """One row of the ledger."""
    return Leg("key", client_id, frozenset({client_id}), order_id, placed)


@pytest.mark.parametrize(
    ("legs", "books", "counts"),
    [
        ([leg("tp1", "7", placed=True)], held(("tp1", 7)), {}),
        ([leg("tp1")], held(), {}),
        ([leg("tp1", "7", placed=True)], held(("tp1", 7), ("manual", 8)), {}),
        ([leg("tp1")], held(("tp1", 7)), {"lost": 1}),
        ([], held(("tp1", 7)), {"lost": 1}),
        ([leg("tp1", "8", placed=True)], held(("tp1", 7)), {"lost": 1, "phantom": 1}),
        (
            [leg("tp1", "7", placed=True)],
            held(("tp1", 7), ("tp1", 8)),
            {"lost": 1, "duplicated": 1},
        ),
        ([leg("tp1", "7", placed=True)], held(), {"phantom": 1}),
        ([leg("tp1", "", placed=True)], held(), {"phantom": 1}),
    ],
)
def test_orders_are_lost_duplicated_or_phantom(
    legs: list[Leg], books: dict[str, Any], counts: dict[str, int]
) -> None:
    findings = Findings()
    compare_orders(legs, books, "tp", findings)
    assert dict(findings.counts) == counts


def test_a_client_id_that_went_over_the_wire_twice_is_found() -> None:
    findings = Findings()
    row = {"api_key": "key", "client_id": "tp1"}
    stranger = {"api_key": "key", "client_id": "web_1"}
    compare_attempts(
        [row, {"api_key": "other", "client_id": "tp1"}, stranger, stranger], "tp", findings
    )
    assert dict(findings.counts) == {}
    compare_attempts([row, row], "tp", findings)
    assert dict(findings.counts) == {"sent_twice": 1}
