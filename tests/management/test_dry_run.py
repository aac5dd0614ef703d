"""``POST /webhook/tradingview/test``: an alert tried out by somebody who is signed in."""

import json
from typing import Any

import pytest
from django.test import Client

from accounts.models import Account
from bots.models import Bot
from bots.services import create_bot
from tests.management.answers import masked, refusal
from tests.management.conftest import Call
from tests.users.people import Person
from trading.models import Command, Order
from users.services import create_api_key
from webhooks.models import Signal

PATH = "/webhook/tradingview/test"
ALERT = {"botname": "trend", "symbol": "BTCUSDT", "side": "buy", "size": "2"}


@pytest.fixture
def bot(admin: Person, funded: list[Account]) -> Bot:
    """A bot of both funded accounts."""
    numbers = [account.pk for account in funded]
    return create_bot(principal=admin.principal, name="Trend", account_ids=numbers)[0]


def nothing_stored() -> bool:
    """No signal, command or order came of it."""
    return not any(model.objects.exists() for model in (Signal, Command, Order))


def test_a_trader_is_told_what_each_account_would_send(
    call: Call, trader: Person, bot: Bot, funded: list[Account]
) -> None:
    answer = call("POST", PATH, ALERT, person=trader).json()
    assert (answer["success"], answer["message"]) == (
        True,
        "2 of 2 accounts would place an order; nothing was sent",
    )
    data = answer["data"]
    assert (data["bot"], data["bot_status"], data["duplicate"]) == ("Trend", "ACTIVE", False)
    assert data["authentication"] == {
        "accepts": ["token", "hmac"],
        "proven_by": None,
        "by_previous_secret": False,
        "address_admitted": True,
    }
    first = data["results"][0]
    assert {name: first[name] for name in ("account_id", "status", "side", "qty", "notional")} == {
        "account_id": str(funded[0].pk),
        "status": "would_place",
        "side": "buy",
        "qty": "0.004",
        "notional": "200",
    }
    assert {"name": "funds", "ok": True}.items() <= {
        each["name"]: each for each in first["checks"]
    }["funds"].items()
    assert nothing_stored()


@pytest.mark.parametrize("kind", ["application/json", "text/plain; charset=utf-8"])
def test_an_alert_that_names_no_bot_is_for_the_one_in_the_query(
    client: Client, trader: Person, bot: Bot, kind: str
) -> None:
    body = json.dumps({**ALERT, "botname": None})
    address = f"/api/v1{PATH}?bot_id={bot.pk}"
    answer = client.generic("POST", address, body, content_type=kind, **trader.bearer)
    assert answer.json()["data"]["success_count"] == 2


def test_a_key_of_one_account_is_told_of_that_one(
    call: Call, admin: Person, bot: Bot, funded: list[Account]
) -> None:
    _, text = create_api_key(user=admin.user, label="one", account_ids=[funded[0].pk])
    data = call("POST", PATH, ALERT, HTTP_X_API_KEY=text).json()["data"]
    assert [each["account_id"] for each in data["results"]] == [str(funded[0].pk)]


def test_who_may_not_trade_is_refused_and_looking_is_for_everybody(
    call: Call, viewer: Person, exporter: Person, bot: Bot
) -> None:
    refusal(call("POST", PATH, ALERT), 401, "unauthorized")
    for person in (viewer, exporter):
        refusal(call("POST", PATH, ALERT, person=person), 403, "permission_denied")
    for credential in ({}, {"HTTP_AUTHORIZATION": "Bearer nonsense"}):
        assert call("GET", PATH, **credential).status_code == 200


def test_a_foreign_bot_is_a_missing_one(
    call: Call, trader: Person, stranger: Person, bot: Bot
) -> None:
    for path in (f"{PATH}?bot_id={bot.pk}", PATH):
        foreign = call("POST", path, ALERT, person=stranger)
        missing = call("POST", f"{PATH}?bot_id=999999", ALERT, person=stranger)
        assert masked(foreign) == masked(missing)
        refusal(foreign, 404, "bot_not_found")


@pytest.mark.parametrize(
    ("path", "body", "extra", "status", "code"),
    [
        (PATH, "{", {}, 400, "invalid_json"),
        (PATH, "x" * 9000, {}, 413, "too_large"),
        (PATH, "{}", {"content_type": "text/html"}, 415, "unsupported_media_type"),
        (PATH, "{}", {}, 422, "validation_error"),
        (f"{PATH}?bot=1", "{}", {}, 422, "validation_error"),
        (PATH, json.dumps({**ALERT, "size": "2 apples"}), {}, 422, "unknown_size_unit"),
    ],
)
def test_what_cannot_be_tried_out_is_refused(
    client: Client,
    trader: Person,
    bot: Bot,
    path: str,
    body: str,
    extra: dict[str, Any],
    status: int,
    code: str,
) -> None:
    given: dict[str, Any] = {"content_type": "application/json", **extra, **trader.bearer}
    refusal(client.generic("POST", f"/api/v1{path}", body, **given), status, code)
    assert nothing_stored()


def test_it_counts_as_every_call_does(call: Call, trader: Person, bot: Bot, settings: Any) -> None:
    settings.USER_RATE_LIMIT_PER_MIN = 1
    assert call("POST", PATH, ALERT, person=trader).status_code == 200
    refused = call("POST", PATH, ALERT, person=trader)
    refusal(refused, 429, "too_many_requests")
    assert refused.headers["Retry-After"]
    assert call("GET", PATH).status_code == 200
