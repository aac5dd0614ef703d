"""Accounts at the rehearsal exchange with money in them."""

from typing import Any

from accounts.models import Account
from accounts.services import create_account
from tests.trading.rehearsal import Exchange
from tests.users.people import Person
from trading.services import reconcile


def funded_account(
    exchange: Exchange, person: Person, key: str, name: str, **fields: Any
) -> Account:
    """A new account of the person with 100,000 USDT and 10 BTC at the exchange, read once."""
    exchange.register(key, f"secret-of-{key}", USDT="100000", BTC="10")
    account = create_account(
        principal=person.principal,
        name=name,
        venue="rehearsal",
        api_key=key,
        api_secret=f"secret-of-{key}",
        **fields,
    )
    reconcile.poll([account])
    return Account.objects.get(pk=account.pk)
