"""Two organisations, people of every role, and a client that speaks strict JSON."""

import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from accounts.models import Account
from accounts.services import create_account
from common.principal import EXPORTER, TRADER, VIEWER
from events.consumers import run_consumers
from events.sequencer import number_events
from exchanges import gateway
from surfaces.management import webhook
from tests.trading.rehearsal import Exchange, running_exchange
from tests.users.people import Person, new_account, new_organisation, new_person
from tests.waiting import PATIENCE
from trading.models import Order
from trading.services import execution
from trading.services.reconcile import sync_account

Call = Callable[..., Any]


@pytest.fixture
def admin(db: None) -> Person:
    """The administrator of the organisation Ours."""
    return new_organisation("Ours")[1]


@pytest.fixture
def stranger(db: None) -> Person:
    """The administrator of another organisation."""
    return new_organisation("Theirs")[1]


@pytest.fixture
def viewer(admin: Person) -> Person:
    """A viewer of Ours."""
    return new_person(admin.user.organisation, "vera", VIEWER)


@pytest.fixture
def exporter(admin: Person) -> Person:
    """An exporter of Ours."""
    return new_person(admin.user.organisation, "edda", EXPORTER)


@pytest.fixture
def trader(admin: Person) -> Person:
    """A trader of Ours."""
    return new_person(admin.user.organisation, "tina", TRADER)


@pytest.fixture
def account(admin: Person) -> Account:
    """An account of Ours whose venue nobody asks."""
    return new_account(admin, "one")


@pytest.fixture
def call(client: Client) -> Call:
    """``call(method, path, body, person)``: a request under /api/v1 with a JSON body."""

    def request(
        method: str, path: str, body: Any = None, person: Person | None = None, **extra: Any
    ) -> Any:
        given: dict[str, Any] = {**(person.bearer if person else {}), **extra}
        if body is not None:
            text = body if isinstance(body, str) else json.dumps(body)
            given.update(data=text, content_type="application/json")
        return client.generic(method, f"/api/v1{path}", **given)

    return request


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
    shared_exchange.price("BTC/USDT", "50000")
    yield shared_exchange
    gateway.shutdown()


@pytest.fixture
def worker(
    transactional_db: None,
    exchange: Exchange,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[None]:
    """Orders, events and signals are worked on while the test goes on, as a server would; whoever
    asks waits until that is done.
    """
    settings.WEBHOOK_WAIT_SECONDS = settings.ORDER_WAIT_SECONDS = PATIENCE
    monkeypatch.setattr(webhook, "LONGEST_WAIT_SECONDS", PATIENCE)
    ended = threading.Event()
    thread = threading.Thread(target=_work, args=(ended,))
    thread.start()
    yield
    ended.set()
    thread.join()


def _work(ended: threading.Event) -> None:
    try:
        while not ended.wait(0.02):
            waiting = list(Order.objects.due_to_send().values_list("pk", flat=True))
            if waiting:
                execution.run(waiting)
            number_events()
            run_consumers()
    finally:
        connection.close()


@pytest.fixture
def funded(exchange: Exchange, admin: Person, request: pytest.FixtureRequest) -> list[Account]:
    """Two accounts with 10,000 USDT each at the exchange, read once."""
    accounts = []
    for name in ("one", "two"):
        key, secret = f"{request.node.name}-{name}", f"secret-of-{name}-0123456789"
        exchange.register(key, secret, USDT="10000")
        account = create_account(
            principal=admin.principal, name=name, venue="rehearsal", api_key=key, api_secret=secret
        )
        accounts.append(sync_account(account=account))
    return accounts
