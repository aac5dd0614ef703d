"""Pure comparison of what a ledger says with what the exchange holds, order by order."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

EXAMPLES_KEPT = 20


@dataclass(frozen=True, slots=True)
class Leg:
    """One order a ledger knows of: the ids it was sent under, and where it says it stands.

    ``placed`` means that the ledger says the exchange took it, as ``exchange_order_id``.
    """

    account: str
    name: str
    client_ids: frozenset[str]
    exchange_order_id: str
    placed: bool


@dataclass(slots=True)
class Findings:
    """Differences by kind, with the first few of each as sentences."""

    counts: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)

    def add(self, kind: str, sentence: str) -> None:
        """Count one difference."""
        self.counts[kind] += 1
        kept = self.examples.setdefault(kind, [])
        if len(kept) < EXAMPLES_KEPT:
            kept.append(sentence)


def compare_orders(
    legs: Iterable[Leg], accounts: dict[str, Any], prefix: str, findings: Findings
) -> None:
    """Find what is lost, duplicated and phantom; ``accounts`` is the exchange's dump.

    Lost: an order at the exchange under one of our ids whose row is not tied to it. Duplicated: a
    leg with more than one order at the exchange. Phantom: a row that says placed where the exchange
    never had the order.
    """
    by_client_id: dict[tuple[str, str], Leg] = {}
    legs = list(legs)
    for leg in legs:
        by_client_id |= {(leg.account, client_id): leg for client_id in leg.client_ids}
    held: dict[tuple[str, str], list[str]] = {}
    for account, books in accounts.items():
        for order in books["orders"]:
            client_id, order_id = order["clientOrderId"], str(order["orderId"])
            if not client_id.startswith(prefix):
                continue
            owner = by_client_id.get((account, client_id))
            if owner is None or not owner.placed or owner.exchange_order_id != order_id:
                findings.add("lost", f"{account}: order {order_id} ({client_id}) of {owner}")
            if owner is not None:
                held.setdefault((account, owner.name), []).append(order_id)
    for leg in legs:
        orders = held.get((leg.account, leg.name), [])
        if len(orders) > 1:
            findings.add("duplicated", f"{leg.account}: {leg.name} has the orders {orders}")
        if leg.placed and leg.exchange_order_id not in orders:
            findings.add("phantom", f"{leg.account}: {leg} has {orders}")


def compare_attempts(requests: Iterable[dict[str, Any]], prefix: str, findings: Findings) -> None:
    """Find client ids that went over the wire more than once."""
    sent = Counter((row["api_key"], row["client_id"]) for row in requests)
    for (account, client_id), times in sent.items():
        if times > 1 and client_id.startswith(prefix):
            findings.add("sent_twice", f"{account}: {client_id} was sent {times} times")
