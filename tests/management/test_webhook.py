"""The door for alerts, as TradingView knocks on it."""

import json
import time
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client

from accounts.models import Account
from bots.models import Bot
from bots.secrets import BotSecrets
from bots.services import create_bot, set_status
from common.clock import now
from surfaces import waiting
from surfaces.management import webhook
from tests.management.answers import masked, refusal
from tests.management.conftest import Call
from tests.users.people import Person
from tests.waiting import PATIENCE
from trading.models import Order
from webhooks.authentication import sign
from webhooks.models import Signal
from webhooks.tasks import sweep

ADDRESS = "/api/v1/webhook/tradingview"
ALERT = {
    "order_type": "Long Signal", "symbol": "BTCUSDT", "botname": "trend-1H", "side": "buy",
    "size": "2", "leverage": "1", "takeprofit": "",
}  # fmt: skip


@pytest.fixture
def bot(transactional_db: None, admin: Person, funded: list[Account]) -> tuple[Bot, BotSecrets]:
    """A bot of both funded accounts; committed, since the door works on threads of its own."""
    numbers = [account.pk for account in funded]
    return create_bot(principal=admin.principal, name="Trend-1h", account_ids=numbers)


def knock(
    client: Client, body: Any, *, token: str = "", secret: str = "", kind: str = "application/json"
) -> Any:
    """Deliver an alert."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"HTTP_X_TRADINGVIEW_SIGNATURE": sign(secret, raw)} if secret else {}
    address = f"{ADDRESS}/{token}" if token else ADDRESS
    return client.generic("POST", address, raw, content_type=kind, **headers)


def test_a_signed_alert_becomes_orders_and_its_end_can_be_asked(
    client: Client, call: Call, viewer: Person, bot: tuple[Bot, BotSecrets], worker: None
) -> None:
    started = time.monotonic()
    answer = knock(client, ALERT, secret=bot[1].hmac_secret).json()
    assert time.monotonic() - started < PATIENCE  # when the legs are known, not when time is up
    assert (answer["success"], answer["message"]) == (True, "Signal processed successfully")
    data = answer["data"]
    assert (data["success_count"], data["error_count"], len(data["results"])) == (2, 0, 2)
    later = call("GET", f"/webhook/signals/{data['correlation_id']}", person=viewer).json()
    assert later["data"]["success_count"] == 2
    assert Order.objects.count() == 2


@pytest.mark.parametrize("kind", ["application/json", "text/plain", "text/plain; charset=utf-8"])
def test_the_path_token_names_the_bot_in_either_content_type(
    client: Client, bot: tuple[Bot, BotSecrets], worker: None, kind: str
) -> None:
    answer = knock(client, ALERT, token=bot[1].path_token, kind=kind)
    assert answer.status_code == 200
    assert answer.json()["data"]["success_count"] == 2


def test_an_alert_that_no_account_executes_is_no_success(
    client: Client, bot: tuple[Bot, BotSecrets], worker: None
) -> None:
    answer = knock(client, {**ALERT, "leverage": "5"}, secret=bot[1].hmac_secret).json()
    assert (answer["success"], answer["message"]) == (False, "No account executed the signal")
    assert {leg["reason"] for leg in answer["data"]["results"]} == {"leverage_not_supported"}
    assert Order.objects.count() == 0


def test_a_repeat_is_answered_with_the_first_correlation_id(
    client: Client, bot: tuple[Bot, BotSecrets], worker: None
) -> None:
    answers = [knock(client, ALERT, secret=bot[1].hmac_secret).json() for _ in range(4)]
    assert len({answer["data"]["correlation_id"] for answer in answers}) == 1
    assert [answer["data"]["duplicate"] for answer in answers] == [False, True, True, True]
    assert Order.objects.count() == 2
    assert Signal.objects.get().deliveries == 4


@pytest.mark.parametrize(("setting", "longest"), [(1.0, 1.0), (60.0, 2.0)])
def test_without_a_worker_the_answer_comes_in_time_and_says_pending(
    client: Client,
    bot: tuple[Bot, BotSecrets],
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
    setting: float,
    longest: float,
) -> None:
    settings.WEBHOOK_WAIT_SECONDS = setting
    waited: list[float] = []

    async def settled(execution_id: int, timeout: float) -> bool:
        waited.append(timeout)
        return await waiting.settled(execution_id, timeout)

    monkeypatch.setattr(webhook, "settled", settled)
    data = knock(client, ALERT, secret=bot[1].hmac_secret).json()["data"]
    # Routing may have taken all of the time; nobody waits for legs then.
    assert all(0 <= each <= longest for each in waited)
    assert (data["success_count"], data["error_count"], data["pending"]) == (0, 0, True)


def test_in_a_crowd_the_answer_comes_at_once_and_the_signal_is_routed_all_the_same(
    client: Client, bot: tuple[Bot, BotSecrets], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook, "CROWD", 0)
    data = knock(client, ALERT, secret=bot[1].hmac_secret).json()["data"]
    assert (data["success_count"], data["error_count"], data["pending"]) == (0, 0, True)
    # The test client's loop ends with the answer, as a server's does when it is killed.
    Signal.objects.update(received_at=now() - timedelta(seconds=6))
    sweep()
    assert (Signal.objects.get().state, Order.objects.count()) == ("routed", 2)


def test_wrong_secrets_and_unknown_bots_get_the_same_401(
    client: Client, bot: tuple[Bot, BotSecrets]
) -> None:
    answers = [
        masked(knock(client, ALERT, secret="wrong")),
        masked(knock(client, ALERT)),
        masked(knock(client, {**ALERT, "botname": "nobody"}, secret=bot[1].hmac_secret)),
        masked(knock(client, ALERT, token="wrong")),
        masked(knock(client, ALERT, token="w" * 43)),
    ]
    assert all(answer == answers[0] for answer in answers)
    assert answers[0][0] == 401
    assert not Signal.objects.exists()


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{", 400, "invalid_json"),
        (b"[]", 400, "invalid_json"),
        (b'{"size": NaN}', 400, "invalid_json"),
        (b"\xff", 400, "invalid_json"),
        (b"", 400, "invalid_json"),
        (b"x" * 9000, 413, "too_large"),
    ],
)
def test_an_alert_that_cannot_be_read_is_refused(
    client: Client, bot: tuple[Bot, BotSecrets], body: bytes, status: int, code: str
) -> None:
    refusal(knock(client, body, token=bot[1].path_token), status, code)
    assert not Signal.objects.exists()


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"side": "up"}, "unknown_side"),
        ({"symbol": "?"}, "unknown_symbol"),
        ({"size": "2 apples"}, "unknown_size_unit"),
        ({"time": "2020-01-01T00:00:00Z"}, "stale"),
    ],
)
def test_an_authentic_alert_that_cannot_be_acted_on_is_stored_as_refused(
    client: Client, bot: tuple[Bot, BotSecrets], change: Any, code: str
) -> None:
    answer = refusal(knock(client, {**ALERT, **change}, secret=bot[1].hmac_secret), 422, code)
    signal = Signal.objects.get()
    assert (signal.state, signal.reason_code) == ("refused", code)
    assert answer["error"]["details"]["correlation_id"] == signal.correlation_id
    assert not Order.objects.exists()


@pytest.mark.parametrize("status", ["PAUSED", "STOPPED"])
def test_a_bot_that_does_not_act_answers_200_without_success(
    client: Client, admin: Person, bot: tuple[Bot, BotSecrets], status: str
) -> None:
    set_status(principal=admin.principal, bot=bot[0], status=status)
    response = knock(client, ALERT, secret=bot[1].hmac_secret)
    assert response.status_code == 200
    assert response.json()["success"] is False
    assert response.json()["data"]["reason_code"]
    assert Signal.objects.get().state == "refused"
    assert not Order.objects.exists()


def test_another_content_type_is_refused(client: Client, bot: tuple[Bot, BotSecrets]) -> None:
    response = knock(client, ALERT, token=bot[1].path_token, kind="text/html")
    refusal(response, 415, "unsupported_media_type")
    assert not Signal.objects.exists()


def test_a_database_that_does_not_answer_is_503(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(**_: Any) -> None:
        raise OperationalError("server closed the connection")

    monkeypatch.setattr(webhook, "_store", fail)
    response = knock(client, ALERT, token="t" * 43)
    refusal(response, 503, "unavailable")
    assert response.headers["Retry-After"] == "5"


def test_a_signal_is_shown_to_its_own_organisation_only(
    client: Client, call: Call, stranger: Person, bot: tuple[Bot, BotSecrets], worker: None
) -> None:
    data = knock(client, ALERT, secret=bot[1].hmac_secret).json()["data"]
    foreign = call("GET", f"/webhook/signals/{data['correlation_id']}", person=stranger)
    missing = call("GET", f"/webhook/signals/{'0' * 32}", person=stranger)
    assert masked(foreign) == masked(missing)
    refusal(foreign, 404, "signal_not_found")


def test_no_secret_of_a_bot_is_kept_with_its_signal(
    client: Client, admin: Person, funded: list[Account], worker: None
) -> None:
    secret = "marker-body-secret-0123"
    create_bot(
        principal=admin.principal, name="Plain", with_hmac=False, with_token=False,
        body_secret=secret, account_ids=[funded[0].pk],
    )  # fmt: skip
    body = {**ALERT, "botname": "Plain", "secret": secret}
    assert knock(client, body).json()["data"]["success_count"] == 1
    assert secret not in str(Signal.objects.values().get())
