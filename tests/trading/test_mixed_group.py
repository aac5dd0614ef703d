"""A hundred accounts at two exchanges of different dialects and on paper, in one group."""

from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from accounts.models import Account
from accounts.services import create_account
from common.principal import Principal
from exchanges import gateway
from groups.services import create_group
from tests.dialects.kraken import KrakenVenue
from tests.processes.test_second_venue import LAB_SECRET, running_lab
from tests.trading.rehearsal import Exchange
from trading.models import Deal, Order, Position
from trading.services import execution, reconcile
from trading.services.fan_out import GroupOrder, group_execution
from trading.services.legs import legs, tally

AT_EACH = {"rehearsal": 40, "lab": 30, "paper": 30}
FUNDS = {"USDT": Decimal(10_000)}
ORDER = GroupOrder(symbol="BTC/USDT", side="buy", order_type="market", risk_percentage=Decimal(2))


@pytest.fixture
def lab(exchange: Exchange, settings: Any) -> Iterator[KrakenVenue]:
    """An exchange in another dialect beside the rehearsal exchange."""
    with running_lab() as venue:
        settings.EXCHANGE_VENUES = {
            **settings.EXCHANGE_VENUES,
            "lab": {"ccxt": "kraken", "base_url": venue.url, "requests_per_second": 500},
        }
        yield venue
        gateway.shutdown()


def opened(principal: Principal, exchange: Exchange, lab: KrakenVenue) -> dict[str, list[Account]]:
    """The accounts by where they trade, each with 10,000 USDT, read once."""
    found: dict[str, list[Account]] = {}
    for kind, count in AT_EACH.items():
        for number in range(count):
            key, secret = f"mixed-{kind}-{number}", LAB_SECRET
            if kind == "lab":
                lab.register(key, secret, FUNDS)
            else:
                exchange.register(key, secret, USDT="10000")
            account = create_account(
                principal=principal,
                venue="lab" if kind == "lab" else "rehearsal",
                api_key=key,
                api_secret=secret,
            )
            if kind == "paper":
                Account.objects.filter(pk=account.pk).update(book="paper")
                account.refresh_from_db()
            found.setdefault(kind, []).append(account)
    reconcile.poll([each for members in found.values() for each in members])
    return found


def test_each_account_has_one_order_in_its_own_dialect_and_book(
    principal: Principal, exchange: Exchange, lab: KrakenVenue
) -> None:
    members = opened(principal, exchange, lab)
    accounts = [each for rows in members.values() for each in rows]
    group = create_group(
        principal=principal, name="mixed", account_ids=[each.pk for each in accounts]
    )
    done = group_execution(principal=principal, group=group, order=ORDER)
    assert execution.run(list(Order.objects.due_to_send().values_list("pk", flat=True))) == 100
    reconcile.poll(accounts)
    assert tally(legs(done)) == {
        "placed": 100, "unchanged": 0, "skipped": 0, "rejected": 0, "unknown": 0, "pending": 0
    }  # fmt: skip
    assert [leg.account_id for leg in legs(done)] == [account.pk for account in accounts]
    books = Counter(Order.objects.values_list("account__venue", "book", "state"))
    assert books == {
        ("rehearsal", "rehearsal", "FILLED"): 40,
        ("lab", "rehearsal", "FILLED"): 30,
        ("rehearsal", "paper", "FILLED"): 30,
    }
    ids = {order.account_id: order.client_order_id for order in Order.objects.all()}
    assert len(ids) == 100
    for kind, rows in members.items():
        for number, account in enumerate(rows):
            assert ids_there(exchange, lab, kind, number) == (
                [] if kind == "paper" else [ids[account.pk]]
            )
    assert Deal.objects.count() == Position.objects.open().count() == 100
    # 2 % of 10,000 at 50,000 here, at 46,000 in the laboratory, cut to each venue's step.
    quantities = Counter(Order.objects.values_list("account__venue", "quantity"))
    assert quantities == {
        ("rehearsal", Decimal("0.004")): 70, ("lab", Decimal("0.00434")): 30
    }  # fmt: skip


def ids_there(exchange: Exchange, lab: KrakenVenue, kind: str, number: int) -> list[str]:
    """The client order ids that the exchange holds of an account."""
    key = f"mixed-{kind}-{number}"
    if kind == "lab":
        return [order.client_id for order in lab.core.accounts[key].orders.values()]
    return [order["clientOrderId"] for order in exchange.orders(key)]
