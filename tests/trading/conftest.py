"""Fixtures of the ledger's tests: an organisation, accounts at a running rehearsal exchange, a
bot.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from accounts.models import Account
from accounts.services import create_account
from bots.models import Bot
from bots.secrets import BotSecrets
from bots.services import create_bot
from common.principal import Principal, system_principal
from events.consumers import run_consumers
from events.sequencer import number_events
from exchanges import gateway
from tests.trading.rehearsal import Exchange, running_exchange
from trading.models import Order
from trading.services import execution, reconcile
from users.models import Organisation
from users.services import create_organisation


@pytest.fixture(scope="session")
def shared_exchange() -> Iterator[Exchange]:
    """One rehearsal exchange for all tests of a process; each test uses keys of its own."""
    with running_exchange() as exchange:
        yield exchange


@pytest.fixture
def exchange(shared_exchange: Exchange, settings: object) -> Iterator[Exchange]:
    """The rehearsal exchange, attached as the venue ``rehearsal``, its price back at 50,000."""
    settings.EXCHANGE_VENUES = {"rehearsal": {"ccxt": "binance", "base_url": shared_exchange.url}}
    gateway.shutdown()  # one that an earlier test left may know the venue at another address
    shared_exchange.call("DELETE", "/_fault")
    shared_exchange.price("BTC/USDT", "50000")
    yield shared_exchange
    gateway.shutdown()


@pytest.fixture
def organisation(transactional_db: None) -> Organisation:
    """A tenant."""
    return create_organisation(name="Test House")


@pytest.fixture
def principal(organisation: Organisation) -> Principal:
    """The platform acting for the tenant."""
    return system_principal(organisation.pk)


@dataclass(frozen=True)
class Desk:
    """What a test trades with: accounts and a bot that reaches all of them."""

    principal: Principal
    exchange: Exchange
    accounts: list[Account]
    keys: list[str]
    bot: Bot
    secrets: BotSecrets

    def run_orders(self) -> int:
        """Do what the execution worker does: send all orders that wait."""
        return execution.run(list(Order.objects.due_to_send().values_list("pk", flat=True)))

    def settle(self) -> None:
        """Do what the other workers do: poll every account, number the events, run the
        consumers.
        """
        reconcile.poll(list(Account.objects.filter(deleted_at=None)))
        number_events()
        run_consumers()


@pytest.fixture
def make_desk(
    exchange: Exchange, principal: Principal, request: pytest.FixtureRequest
) -> Callable[..., Desk]:
    """Makes a desk of so many accounts, each with 10,000 USDT at the exchange and a fresh
    balance.
    """

    def make(count: int = 1, *, name: str = "desk", **balances: str) -> Desk:
        keys = [f"{request.node.name}-{name}-{number}" for number in range(count)]
        accounts = []
        for key in keys:
            exchange.register(key, f"secret-of-{key}", **(balances or {"USDT": "10000"}))
            accounts.append(
                create_account(
                    principal=principal,
                    venue="rehearsal",
                    api_key=key,
                    api_secret=f"secret-of-{key}",
                )
            )
        bot, secrets = create_bot(
            principal=principal, name=name, account_ids=[account.pk for account in accounts]
        )
        reconcile.poll(accounts)
        fresh = list(
            Account.objects.filter(pk__in=[account.pk for account in accounts]).order_by("pk")
        )
        return Desk(principal, exchange, fresh, keys, bot, secrets)

    return make
