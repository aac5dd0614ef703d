"""An organisation with an account at a running rehearsal exchange, a worker, and a client."""

import json
from dataclasses import dataclass
from typing import Any

import pytest
from django.test import Client

from accounts.models import Account
from common.principal import TRADER, VIEWER
from tests.management.conftest import exchange, shared_exchange, worker
from tests.trading.funded import funded_account
from tests.trading.rehearsal import Exchange
from tests.users.people import Person, new_organisation, new_person
from trading.models import Order
from trading.services import execution, reconcile

__all__ = ["exchange", "shared_exchange", "worker"]

SYMBOL = "BTC/USDT"


@pytest.fixture
def admin(transactional_db: None) -> Person:
    """The administrator of the organisation Ours."""
    return new_organisation("Ours")[1]


@pytest.fixture
def stranger(transactional_db: None) -> Person:
    """The administrator of another organisation."""
    return new_organisation("Theirs")[1]


@pytest.fixture
def viewer(admin: Person) -> Person:
    """A viewer of Ours."""
    return new_person(admin.user.organisation, "vera", VIEWER)


@pytest.fixture
def trader(admin: Person) -> Person:
    """A trader of Ours."""
    return new_person(admin.user.organisation, "tina", TRADER)


@dataclass(frozen=True, slots=True)
class Desk:
    """A person's client, and the exchange behind the accounts that it opens."""

    client: Client
    person: Person
    exchange: Exchange
    name: str

    def account(self, label: str = "one", **fields: Any) -> Account:
        """A new account with 100,000 USDT and 10 BTC at the exchange, read once."""
        key = f"{self.name}-{label}"
        return funded_account(self.exchange, self.person, key, label, **fields)

    def call(
        self, method: str, path: str, body: Any = None, who: Person | None = None, key: str = ""
    ) -> Any:
        """One request; ``key`` is its Idempotency-Key."""
        given: dict[str, Any] = dict((who or self.person).bearer)
        if key:
            given["HTTP_IDEMPOTENCY_KEY"] = key
        if body is not None:
            text = body if isinstance(body, str) else json.dumps(body)
            given.update(data=text, content_type="application/json")
        return self.client.generic(method, path, **given)

    def good(self, method: str, path: str, body: Any = None, **extra: Any) -> Any:
        """The body of an answer that must be a 200."""
        response = self.call(method, path, body, **extra)
        assert response.status_code == 200, response.content
        return response.json()

    def settle(self, *accounts: Account) -> None:
        """Send what waits and poll the accounts."""
        execution.run(list(Order.objects.due_to_send().values_list("pk", flat=True)))
        reconcile.poll([Account.objects.get(pk=account.pk) for account in accounts])


@pytest.fixture
def desk(client: Client, exchange: Exchange, admin: Person, request: pytest.FixtureRequest) -> Desk:
    """The administrator's."""
    return Desk(client, admin, exchange, request.node.name)
