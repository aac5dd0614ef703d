"""A trader's key, accounts at a running rehearsal exchange, a client that speaks 000."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from django.test import Client

from accounts.models import Account
from exchanges import gateway
from tests.trading.funded import funded_account
from tests.trading.rehearsal import Exchange, running_exchange
from tests.users.people import Person, new_organisation
from trading.models import Order, Position
from trading.services import execution, reconcile
from users.services import create_api_key

SYMBOL = "BTC/USDT"


@pytest.fixture(scope="session")
def shared_exchange() -> Iterator[Exchange]:
    """One rehearsal exchange for all tests of a process; each test uses keys of its own."""
    with running_exchange() as exchange:
        yield exchange


@pytest.fixture
def exchange(shared_exchange: Exchange, settings: Any) -> Iterator[Exchange]:
    """The rehearsal exchange as the venue ``rehearsal``, without faults, its price at 50,000."""
    settings.EXCHANGE_VENUES = {"rehearsal": {"ccxt": "binance", "base_url": shared_exchange.url}}
    gateway.shutdown()  # one that an earlier test left may know the venue at another address
    shared_exchange.call("DELETE", "/_fault")
    shared_exchange.price(SYMBOL, "50000")
    yield shared_exchange
    gateway.shutdown()


@pytest.fixture
def admin(transactional_db: None) -> Person:
    """The administrator of the organisation Ours."""
    return new_organisation("Ours")[1]


@pytest.fixture
def stranger(transactional_db: None) -> Person:
    """The administrator of another organisation."""
    return new_organisation("Theirs")[1]


@dataclass(frozen=True, slots=True)
class Terminal:
    """A client of 000: one key, and the exchange behind its accounts."""

    client: Client
    key: str
    person: Person
    exchange: Exchange
    name: str

    def account(self, label: str = "one", **fields: Any) -> Account:
        """A new account with 100,000 USDT and 10 BTC at the exchange, read once."""
        key = f"{self.name}-{label}"
        return funded_account(self.exchange, self.person, key, label, **fields)

    def call(self, method: str, path: str, body: Any = None, **extra: Any) -> Any:
        """One request with the key; returns the response."""
        given: dict[str, Any] = {"HTTP_X_API_KEY": self.key, **extra}
        if body is not None:
            text = body if isinstance(body, str) else json.dumps(body)
            given.update(data=text, content_type="application/json")
        return self.client.generic(method, path, **given)

    def send(self, *items: Any, query: str = "") -> list[Any]:
        """The results of a batch."""
        response = self.call("POST", f"/position/commands{query}", list(items))
        assert response.status_code == 200, response.content
        return list(response.json()["results"])

    def items(self, path: str, account: Account, **filters: Any) -> list[Any]:
        """The rows of a list."""
        query = {"account_id": account.pk, **filters}
        response = self.client.get(f"/position/{path}", query, HTTP_X_API_KEY=self.key)
        assert response.status_code == 200, response.content
        return list(response.json()["items"])

    def work(self, *accounts: Account) -> None:
        """Send what waits and poll the accounts."""
        execution.run(list(Order.objects.due_to_send().values_list("pk", flat=True)))
        reconcile.poll([Account.objects.get(pk=account.pk) for account in accounts])

    def position(self, account: Account) -> Position:
        """The account's only open position that somebody owns."""
        return Position.objects.open().get(account=account, allocated=True)


@pytest.fixture
def terminal(
    client: Client, exchange: Exchange, admin: Person, request: pytest.FixtureRequest
) -> Terminal:
    """An administrator's key."""
    _, key = create_api_key(user=admin.user, label="terminal", role="admin")
    return Terminal(client, key, admin, exchange, request.node.name)


Item = Callable[..., dict[str, Any]]


def command(name: str, account: Account, request_id: str = "", **payload: Any) -> dict[str, Any]:
    """One item of a batch."""
    item = {"command": name, "account_id": account.pk, "payload": payload}
    return {**item, "request_id": request_id} if request_id else item


def buy(
    account: Account, qty: str = "0.01", request_id: str = "", **payload: Any
) -> dict[str, Any]:
    """A market buy, or as ``payload`` says."""
    fields = {"symbol": SYMBOL, "side": "buy", "order_type": "market", "qty": qty, **payload}
    return command("send_order", account, request_id, **fields)


def limit(account: Account, qty: str, price: str, request_id: str = "", **payload: Any) -> Any:
    """A limit buy, or as ``payload`` says."""
    return buy(account, qty, request_id, order_type="limit", price=price, **payload)
