"""What the property tests share: how many runs, rows to trade with, one transaction per example."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.db import transaction
from hypothesis import HealthCheck, Phase, settings

from accounts.models import Account, Book
from common.clock import now
from common.principal import Principal, system_principal
from exchanges.venues import resolve, venue_key
from marketdata.models import LastPrice, Market
from trading import states
from trading.models import Command, Order
from users.models import Organisation

SYMBOL = "BTC/USDT"
SWAP = "BTC/USDT:USDT"
STEP = Decimal("0.001")
COIN_PRICE = Decimal(600)
# `HYPOTHESIS_RUNS=2000` is the nightly size.
RUNS = int(os.environ.get("HYPOTHESIS_RUNS", "200"))
# A run takes about 0.1 s, on a busy machine several times that.
takes_its_time = pytest.mark.timeout(300 + RUNS)


def runs(**options: Any) -> settings:
    """The settings of a property test; ``options`` as for hypothesis."""
    return settings(
        **{
            "max_examples": RUNS,
            "deadline": None,
            "database": None,
            "suppress_health_check": list(HealthCheck),
            "print_blob": True,
            "phases": [Phase.explicit, Phase.generate, Phase.shrink],
            **options,
        }
    )


def quick_runs(**options: Any) -> settings:
    """Settings for showing that a fault is found: the same examples each time, not made smaller."""
    return runs(
        max_examples=200,
        derandomize=True,
        phases=[Phase.generate],
        report_multiple_bugs=False,
        **options,
    )


@contextmanager
def rolled_back() -> Iterator[None]:
    """A transaction or savepoint whose changes are undone at the end."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def make_account(**fields: Any) -> Account:
    """An account at the rehearsal venue, on spot and netting unless ``fields`` say otherwise, rules
    for ``SYMBOL`` and ``SWAP``, a price for the fee coin.
    """
    key = venue_key("rehearsal", is_testnet=False)
    for symbol, market_type in ((SYMBOL, "spot"), (SWAP, "swap")):
        Market.objects.get_or_create(
            venue=key,
            symbol=symbol,
            base="BTC",
            quote="USDT",
            market_type=market_type,
            defaults={"amount_step": STEP, "price_step": Decimal("0.01")},
        )
    LastPrice.objects.get_or_create(
        venue=key, symbol="BNB/USDT", defaults={"price": COIN_PRICE, "at": now()}
    )
    return Account.objects.create(
        organisation=Organisation.objects.create(name=f"House {uuid4().hex[:8]}"),
        name="one",
        venue="rehearsal",
        pinned_address=resolve("rehearsal").address,
        book=Book.REHEARSAL,
        balance=Decimal(1_000_000),
        equity=Decimal(1_000_000),
        equity_at=now(),
        synced_at=now(),
        **fields,
    )


def twin_of(account: Account, name: str, **fields: Any) -> Account:
    """One more account like it, in the same organisation."""
    twin = Account.objects.get(pk=account.pk)
    twin.pk, twin.uuid, twin.name = None, uuid4(), name
    for field, value in fields.items():
        setattr(twin, field, value)
    twin.save()
    return twin


def platform_of(account: Account) -> Principal:
    """The platform acting for the account's tenant."""
    return system_principal(account.organisation_id)


def make_order(account: Account, **values: Any) -> Order:
    """An order with its command, buying one unit unless ``values`` say otherwise."""
    uid = uuid4()
    command = Command.objects.create(
        organisation_id=account.organisation_id,
        account=account,
        principal_key="system",
        request_id=uid.hex,
        payload_sha256="0" * 64,
        state=Command.State.ACCEPTED,
    )
    return Order.objects.create(
        **{
            "uid": uid,
            "organisation_id": account.organisation_id,
            "account": account,
            "book": account.book,
            "command": command,
            "symbol": SYMBOL,
            "side": "buy",
            "type": "limit",
            "price": Decimal(50000),
            "quantity": Decimal(1),
            "client_order_id": f"tp{uid.hex[:26]}",
            "state": states.OPEN,
            **values,
        }
    )
