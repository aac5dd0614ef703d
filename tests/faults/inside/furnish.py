"""Makes the tables and what the campaign trades with; prints what its clients need to know."""

import json
import secrets
import sys
from typing import Any

import httpx
from django.core.management import call_command

from accounts.services import create_account
from bots.services import create_bot
from common.principal import system_principal
from exchanges import gateway
from groups.services import create_group
from trading.services.reconcile import poll
from users.models import Organisation, Role
from users.services import create_api_key, create_organisation, create_user

ACCOUNTS_PER_BOT = 3
OPENING = {"USDT": "1000000"}
# A hedging account on spot sells what it had before.
HEDGING_OPENING = OPENING | {"BTC": "10", "ETH": "100", "SOL": "2000"}


def furnish(given: dict[str, Any]) -> dict[str, Any]:
    """Organisations, each with its share of the accounts, bots over them and two groups."""
    call_command("migrate", verbosity=0, interactive=False)
    count = given["organisations"]
    share = given["accounts"] // count
    return {
        "organisations": [
            _organisation(number, share, given["exchange"]) for number in range(count)
        ]
    }


def _organisation(number: int, accounts: int, exchange: str) -> dict[str, Any]:
    organisation = create_organisation(name=f"House {number}")
    password = secrets.token_urlsafe(16)
    user = create_user(
        organisation=organisation,
        username=f"chief{number}",
        email=f"chief{number}@example.com",
        password=password,
        role=Role.ADMIN,
    )
    _, api_key = create_api_key(user=user, label="campaign")
    names = [f"key-{organisation.pk}-{number}" for number in range(accounts)]
    rows = _accounts(organisation, names, exchange, OPENING)
    hedging = _accounts(
        organisation, [f"hedge-{organisation.pk}"], exchange, HEDGING_OPENING, position_mode="hedge"
    )
    ids = [row["id"] for row in rows]
    return {
        "api_key": api_key,
        "username": user.username,
        "password": password,
        "accounts": rows,
        "hedging": hedging[0],
        "bots": _bots(organisation, ids),
        "groups": _groups(organisation, ids),
    }


def _accounts(
    organisation: Organisation,
    names: list[str],
    exchange: str,
    opening: dict[str, str],
    **fields: Any,
) -> list[dict[str, Any]]:
    principal = system_principal(organisation.pk)
    made = []
    for key in names:
        secret = secrets.token_urlsafe(24)
        httpx.post(
            f"{exchange}/_account",
            json={"api_key": key, "api_secret": secret, "balances": opening},
        ).raise_for_status()
        made.append(
            create_account(
                principal=principal, venue="rehearsal", api_key=key, api_secret=secret, name=key,
                **fields,
            )
        )  # fmt: skip
    poll(made)
    return [
        {"id": account.pk, "key": account.name, "secret": account.open_secret("api_secret")}
        for account in made
    ]


def _bots(organisation: Organisation, ids: list[int]) -> list[dict[str, Any]]:
    """Bots over three accounts each; the ones of a second round share accounts with the first."""
    principal = system_principal(organisation.pk)
    slices = [ids[at : at + ACCOUNTS_PER_BOT] for at in range(0, len(ids), ACCOUNTS_PER_BOT)]
    slices.append(ids[1::4])
    found = []
    for number, chosen in enumerate(slices):
        name = f"bot-{organisation.pk}-{number}"
        _, keys = create_bot(principal=principal, name=name, account_ids=chosen)
        found.append({"name": name, "token": keys.path_token, "accounts": chosen})
    return found


def _groups(organisation: Organisation, ids: list[int]) -> list[dict[str, Any]]:
    principal = system_principal(organisation.pk)
    halves = (ids[: len(ids) // 4], ids[-(len(ids) // 4) :])
    groups = [
        create_group(
            principal=principal, name=f"group-{organisation.pk}-{number}", account_ids=half
        )
        for number, half in enumerate(halves)
    ]
    return [{"id": group.pk} for group in groups]


if __name__ == "__main__":
    document = furnish(json.load(sys.stdin))
    gateway.shutdown()
    json.dump(document, sys.stdout)
