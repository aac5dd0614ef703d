"""A declared venue of another dialect beside a plain ccxt id that still means the real exchange."""

import asyncio
import base64
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any

import aiohttp
import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from accounts.models import Account
from accounts.services import create_account
from bots.services import create_bot
from common.clock import now
from common.principal import Principal
from events.consumers import run_consumers
from events.sequencer import number_events
from exchanges import gateway
from marketdata.models import LastPrice, Market
from tests.dialects.kraken import KrakenVenue
from tests.processes.harness import Platform, alert_body
from tests.processes.proof import await_settled, check_positions
from tests.trading.conftest import Desk
from tests.trading.rehearsal import Exchange
from tests.waiting import PATIENCE, wait_until
from trading import states
from trading.models import Deal, Order, Position
from trading.services import execution, reconcile, recovery
from webhooks.authentication import SIGNATURE_HEADER, sign
from webhooks.models import Signal
from webhooks.services import answer, receive

REAL_BINANCE = "api.binance.com"
LAB_SECRET = base64.b64encode(b"a secret of the laboratory").decode()


class RecordingResolver(AbstractResolver):
    """Stands where names become addresses: writes down every name and resolves none."""

    asked: list[str] = []

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Takes what the real one takes."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Refuse, as a machine without a way out does."""
        self.asked.append(host)
        raise OSError(f"{host} is not to be reached from a test")

    async def close(self) -> None:
        """Nothing to close."""


@contextmanager
def running_lab() -> Iterator[KrakenVenue]:
    """The Kraken-like exchange in a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    venue = KrakenVenue()
    asyncio.run_coroutine_threadsafe(venue.start(), loop).result(PATIENCE)
    try:
        yield venue
    finally:
        asyncio.run_coroutine_threadsafe(venue.stop(), loop).result(PATIENCE)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(PATIENCE)
        loop.close()


def orders_of(venue: KrakenVenue) -> list[Any]:
    """What the laboratory holds."""
    return list(venue.core.accounts["lab-key"].orders.values())


def bitcoin_of(venue: KrakenVenue) -> Decimal:
    """What the laboratory says the account holds."""
    wallet = venue.core.accounts["lab-key"].wallets["BTC"]
    return wallet.free + wallet.used


@dataclass
class Pair:
    """A bot that reaches one account at the laboratory and one at the real Binance."""

    lab: KrakenVenue
    at_lab: Account
    at_binance: Account
    desk: Desk
    asked: list[str] = field(default_factory=list)

    def send(self) -> Signal:
        """Deliver one alert."""
        body = alert_body(self.desk)
        headers = {SIGNATURE_HEADER: sign(self.desk.secrets.hmac_secret, body)}
        return receive(body=body, headers=headers, token=None, address="203.0.113.7")

    def work(self) -> None:
        """What the workers do in one round."""
        execution.run(list(Order.objects.due_to_send().values_list("pk", flat=True)))
        recovery.resolve_unknown()
        reconcile.poll([self.at_lab])
        number_events()
        run_consumers()

    def order_at(self, account: Account) -> Order:
        """The account's only order."""
        return Order.objects.get(account=account)

    def lab_orders(self) -> list[Any]:
        """What the laboratory holds."""
        return orders_of(self.lab)


@pytest.fixture
def lab(exchange: Exchange, settings: Any) -> Iterator[KrakenVenue]:
    """The laboratory, declared beside the rehearsal exchange, with one account of 10,000 USDT."""
    with running_lab() as venue:
        venue.register("lab-key", LAB_SECRET, {"USDT": Decimal(10_000)})
        settings.EXCHANGE_VENUES = {
            **settings.EXCHANGE_VENUES,
            "lab": {"ccxt": "kraken", "base_url": venue.url},
        }
        yield venue
        gateway.shutdown()


@pytest.fixture
def at_lab(lab: KrakenVenue, principal: Principal) -> Account:
    """An account at the laboratory, its balance read."""
    account = create_account(
        principal=principal, venue="lab", api_key="lab-key", api_secret=LAB_SECRET
    )
    reconcile.poll([account])
    return Account.objects.get(pk=account.pk)


@pytest.fixture
def pair(
    exchange: Exchange,
    principal: Principal,
    lab: KrakenVenue,
    at_lab: Account,
    monkeypatch: pytest.MonkeyPatch,
) -> Pair:
    """Both accounts under one bot; names are resolved by the recorder from here on."""
    gateway.shutdown()
    monkeypatch.setattr(RecordingResolver, "asked", [])
    monkeypatch.setattr(aiohttp.connector, "DefaultResolver", RecordingResolver)
    at_binance = create_account(
        principal=principal, venue="binance", api_key="real-key", api_secret="x", mode="live"
    )
    know_binance(at_binance)
    accounts = [at_lab, at_binance]
    desk = desk_of(principal, exchange, accounts)
    return Pair(lab, at_lab, at_binance, desk, RecordingResolver.asked)


def desk_of(principal: Principal, exchange: Exchange, accounts: list[Account]) -> Desk:
    """A bot that reaches these accounts."""
    bot, secrets = create_bot(
        principal=principal, name="pair", account_ids=[account.pk for account in accounts]
    )
    return Desk(principal, exchange, accounts, [], bot, secrets)


def know_binance(account: Account) -> None:
    """What earlier days have left in the database: a market, a price, a balance."""
    Market.objects.create(
        venue="binance", symbol="BTC/USDT", base="BTC", quote="USDT", market_type="spot",
        amount_step=Decimal("0.00001"), price_step=Decimal("0.01"),
    )  # fmt: skip
    LastPrice.objects.create(venue="binance", symbol="BTC/USDT", price=Decimal(50_000), at=now())
    Account.objects.filter(pk=account.pk).update(
        equity=Decimal(10_000), balance=Decimal(10_000), equity_at=now()
    )


def test_the_lab_takes_an_order_and_binance_means_the_real_binance(
    pair: Pair, exchange: Exchange
) -> None:
    assert (pair.at_lab.book, pair.at_binance.book) == ("rehearsal", "live")
    signal = pair.send()
    pair.work()
    lab_order = wait_until(lambda: filled(pair), "the laboratory's order filled")
    assert [each.client_id for each in pair.lab_orders()] == [lab_order.client_order_id]
    assert Deal.objects.get().order_id == lab_order.pk
    assert Position.objects.get().quantity == bitcoin_of(pair.lab)
    assert set(pair.asked) == {REAL_BINANCE}
    assert exchange.call("GET", "/dump?api_key=real-key")["requests"] == []
    stuck = pair.order_at(pair.at_binance)
    assert (stuck.state, stuck.error_code) == (states.CREATED, "exchange_unavailable")
    Order.objects.filter(pk=stuck.pk).update(
        created_at=now() - timedelta(seconds=61), next_attempt_at=now()
    )
    recovery.sweep()
    number_events()
    run_consumers()
    assert pair.order_at(pair.at_binance).state == states.WITHDRAWN
    told = answer(signal)
    assert (told["success_count"], told["error_count"], told["pending"]) == (1, 1, False)
    assert Deal.objects.count() == 1


def filled(pair: Pair) -> Order | None:
    """The laboratory's order once it is filled; polls on."""
    reconcile.poll([pair.at_lab])
    order = pair.order_at(pair.at_lab)
    return order if order.state == states.FILLED else None


@pytest.mark.usefixtures("exchange")
def test_an_unclear_answer_of_the_lab_is_settled_by_a_scan_for_our_client_id(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = KrakenVenue._add

    def accept_and_stumble(venue: KrakenVenue, key: str, form: dict[str, str]) -> Any:
        honest(venue, key, form)
        return {}

    monkeypatch.setattr(KrakenVenue, "_add", accept_and_stumble)
    pair.send()
    execution.run(list(Order.objects.due_to_send().values_list("pk", flat=True)))
    order = pair.order_at(pair.at_lab)
    assert (order.state, order.exchange_order_id) == (states.UNKNOWN, "")
    Order.objects.filter(pk=order.pk).update(next_attempt_at=now())
    recovery.resolve_unknown()
    order.refresh_from_db()
    assert order.state in states.WORKING
    assert order.exchange_order_id
    wait_until(lambda: filled(pair), "the laboratory's order filled")
    assert len(pair.lab_orders()) == 1
    assert Deal.objects.get().order_id == order.pk


@pytest.mark.slow
def test_real_processes_trade_at_the_lab(
    platform: Platform, exchange: Exchange, principal: Principal, lab: KrakenVenue, at_lab: Account
) -> None:
    venues = {"lab": {"ccxt": "kraken", "base_url": lab.url}}
    platform.environment["EXCHANGE_VENUES"] = json.dumps(venues)
    platform.start()
    reply = platform.deliver(desk_of(principal, exchange, [at_lab]))
    assert reply.status == 200
    await_settled()
    assert platform.told(reply.data["correlation_id"])["success_count"] == 1
    order = Order.objects.get()
    assert (order.state, order.filled_quantity) == (states.FILLED, order.quantity)
    assert [each.client_id for each in orders_of(lab)] == [order.client_order_id]
    assert Deal.objects.get().order_id == order.pk
    assert Position.objects.get().quantity == bitcoin_of(lab)
    check_positions()
