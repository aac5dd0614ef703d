"""``/ws``: who gets in, what an account's events look like, commands and their answers."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from channels.db import database_sync_to_async

from accounts.models import Account
from common.clock import now
from common.principal import VIEWER
from surfaces.live import feed
from surfaces.live import socket as socket_of_live
from tests.command.conftest import SYMBOL, Terminal, buy, command, limit
from tests.management.sockets import Socket, close_code, numbered, received, socket, tell
from tests.users.people import Person, new_account, new_person
from trading.models import Command, Order
from users.models import ApiKey
from users.services import change_user, create_api_key, revoke_api_key

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at the log often, so that no test waits for an announcement; credentials are looked up
    again when something is told of them alone.
    """
    monkeypatch.setattr(feed, "LOOK_SECONDS", 0.02)
    monkeypatch.setattr(socket_of_live, "FIRST_CHECK_SECONDS", 600.0)


@pytest.fixture
def key(admin: Person) -> str:
    """A key of the administrator."""
    return create_api_key(user=admin.user, label="desk", role="admin")[1]


@pytest.fixture
def account(admin: Person) -> Account:
    """An account whose venue nobody asks."""
    return new_account(admin, "one")


@asynccontextmanager
async def connected(key: str, account: Account, after: int | None = None) -> AsyncIterator[Socket]:
    """A connection after its hello, which is kept as ``socket.hello``."""
    headers = {"x_api_key": key, "x_account_id": str(account.pk)}
    if after is not None:
        headers["x_after_id"] = str(after)
    connection = socket("/ws", **headers)
    assert (await connection.connect())[0]
    connection.hello = await connection.receive_json_from()
    assert (connection.hello["type"], connection.hello["event"]) == ("ws_event", "connected")
    try:
        yield connection
    finally:
        await connection.disconnect()


async def asked(connection: Socket, **request: Any) -> dict[str, Any]:
    """The answer to a request; events that come before it are passed over."""
    await connection.send_json_to(request)
    while (frame := await connection.receive_json_from())["type"] != "ws_response":
        continue
    answer: dict[str, Any] = frame
    return answer


async def test_whatever_is_wrong_with_the_headers_closes_with_1008(
    admin: Person, stranger: Person, account: Account, key: str
) -> None:
    foreign = await database_sync_to_async(new_account)(stranger, "other")
    limited, blind = await database_sync_to_async(_lesser_keys)(admin, account)
    good = {"x_api_key": key, "x_account_id": str(account.pk)}
    for wrong in (
        {},
        {"x_api_key": key},
        {"x_account_id": str(account.pk)},
        {**good, "x_api_key": "tp_none_0123456789"},
        {**good, "x_api_key": limited},
        {**good, "x_api_key": blind},
        {**good, "x_account_id": str(foreign.pk)},
        {**good, "x_account_id": "999999999"},
        {**good, "x_account_id": "one"},
        {**good, "x_account_id": "9" * 40},
        {**good, "x_after_id": "999999"},
        {**good, "x_after_id": "-1"},
        {**good, "x_after_id": "first"},
        {"cookie": f"access_token={admin.pair.access}", "x_account_id": str(account.pk)},
    ):
        connection = socket("/ws", **wrong)
        await connection.connect()
        assert await close_code(connection) == 1008, wrong


async def test_a_browser_says_in_its_first_message_what_headers_would(
    admin: Person, key: str, account: Account
) -> None:
    start = await numbered()
    await tell(admin, "deal.created", f"account:{account.pk}", n=1)
    good = {"api_key": key, "account_id": account.pk, "after_id": start}
    connection = socket("/ws?auth=message")
    await connection.connect()
    await connection.send_json_to({"action": "auth", "payload": good})
    hello, deal = await received(connection, 2)
    assert (hello["event"], hello["event_id"]) == ("connected", start)
    assert (deal["event_id"], deal["payload"]["n"]) == (start + 1, 1)
    await connection.disconnect()
    for wrong in (
        {"action": "ping"},
        {"action": "auth"},
        {"action": "auth", "payload": {**good, "api_key": ""}},
        {"action": "auth", "payload": {**good, "api_key": None}},
        {"action": "auth", "payload": {**good, "account_id": account.pk + 1}},
        {"action": "auth", "payload": {**good, "account_id": [account.pk]}},
        {"action": "auth", "payload": {**good, "after_id": True}},
        {"action": "auth", "payload": {**good, "after_id": 10**9}},
    ):
        connection = socket("/ws?auth=message")
        await connection.connect()
        await connection.send_json_to(wrong)
        assert await close_code(connection) == 1008, wrong


def _lesser_keys(admin: Person, account: Account) -> tuple[str, str]:
    limited = create_api_key(user=admin.user, label="limited", account_ids=[account.pk + 1])
    blind = create_api_key(user=admin.user, label="blind", scopes=["trade"])
    return limited[1], blind[1]


async def test_a_ping_is_answered_with_its_own_id(key: str, account: Account) -> None:
    async with connected(key, account) as connection:
        for id_ in ("p-1", 7, None):
            answer = await asked(connection, id=id_, action="ping")
            assert (answer["id"], answer["ok"], answer["action"]) == (id_, True, "ping")
            assert (answer["payload"]["pong"], answer["event"]) == (True, "pong")


async def test_only_the_events_of_the_account_come_in_000s_words(
    admin: Person, key: str, account: Account
) -> None:
    start = await numbered()
    facts = {"quantity": "0.5", "state": "PARTIAL", "filled_quantity": "0.2"}
    async with connected(key, account) as connection:
        assert connection.hello["event_id"] == start
        await tell(admin, "order.updated", f"account:{account.pk + 1}", **facts)
        await tell(admin, "alert.raised", "alerts")
        await tell(admin, "order.updated", f"account:{account.pk}", **facts, account_id=account.pk)
        await tell(admin, "account.synced", f"account:{account.pk}", equity="10")
        order, synced = await received(connection, 2)
        timestamp = order["payload"].pop("timestamp")
        assert timestamp.endswith("Z")
        assert order == {
            "id": None,
            "ok": True,
            "type": "ws_event",
            "namespace": "position",
            "action": None,
            "event": "order.updated",
            "event_id": start + 3,
            "payload": {
                "qty": "0.5",
                "filled_qty": "0.2",
                "state": "PARTIAL",
                "account_id": account.pk,
                "status": "PARTIALLY_FILLED",
                "outcome": "confirmed",
            },
        }
        assert (synced["namespace"], synced["event_id"]) == ("account", start + 4)
        assert await connection.receive_nothing(0.1)


async def test_subscribe_narrows_the_events_to_namespaces(
    admin: Person, key: str, account: Account
) -> None:
    await numbered()
    async with connected(key, account) as connection:
        only = {"namespaces": ["account"]}
        answer = await asked(connection, id="s", action="subscribe", payload=only)
        assert (answer["ok"], answer["payload"]["namespaces"]) == (True, ["account"])
        await tell(admin, "deal.created", f"account:{account.pk}")
        await tell(admin, "account.synced", f"account:{account.pk}")
        assert (await connection.receive_json_from())["event"] == "account.synced"
        answer = await asked(connection, action="subscribe")
        assert answer["payload"]["namespaces"] == ["position", "account", "ccxt"]
        await tell(admin, "deal.created", f"account:{account.pk}", quantity="1", realised="2")
        (deal,) = await received(connection, 1)
        assert (deal["payload"]["qty"], deal["payload"]["pnl"]) == ("1", "2")


async def test_a_client_that_was_cut_sees_every_event_once_and_in_order(
    admin: Person, key: str, account: Account
) -> None:
    seen: list[int] = []
    sent, last = 0, await numbered()
    for count in (2, 0, 3):
        async with connected(key, account, last) as connection:
            assert connection.hello["event_id"] == last
            for _ in range(count):
                await tell(admin, "deal.created", f"account:{account.pk}", n=(sent := sent + 1))
            for frame in await received(connection, sent - len(seen)):
                seen.append(frame["payload"]["n"])
                last = frame["event_id"]
            assert await connection.receive_nothing(0.05)
        await tell(admin, "deal.created", f"account:{account.pk}", n=(sent := sent + 1))
    assert seen == list(range(1, sent))


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        ({"action": "fly"}, "unknown_action"),
        ({"namespace": "position", "action": "fly"}, "unknown_action"),
        ({}, "unknown_action"),
        ({"action": ["ping"]}, "unknown_action"),
        ({"action": "subscribe", "payload": {"namespaces": ["none"]}}, "unknown_namespace"),
        ({"action": "subscribe", "payload": {"namespaces": "position"}}, "unknown_namespace"),
        ({"namespace": "ccxt", "action": "call", "payload": {}}, "validation_error"),
        ({"namespace": "ccxt", "action": "call", "payload": []}, "validation_error"),
        (
            {"namespace": "ccxt", "action": "call", "payload": {"func": "withdraw"}},
            "function_not_found",
        ),
        (
            {"namespace": "ccxt", "action": "call", "payload": {"func": "x", "account_id": 0}},
            "validation_error",
        ),
        ({"namespace": "position", "action": "command", "payload": []}, "bad_batch_size"),
    ],
)
async def test_a_request_that_cannot_be_done_has_an_error(
    key: str, account: Account, request_: dict[str, Any], code: str
) -> None:
    async with connected(key, account) as connection:
        answer = await asked(connection, id="x", **request_)
        assert (answer["id"], answer["ok"], answer["error"]["code"]) == ("x", False, code)
        assert (answer["event"], answer["payload"]) == ("error", {})


async def test_the_tenth_fault_of_a_minute_ends_the_connection(key: str, account: Account) -> None:
    async with connected(key, account) as connection:
        for _ in range(5):
            await connection.send_to(text_data="{")
            await connection.send_json_to({"action": "fly"})
        codes = [frame["error"]["code"] for frame in await received(connection, 10)]
        assert codes == ["invalid_json", "unknown_action"] * 5
        assert await close_code(connection) == 4400


async def test_a_key_that_is_revoked_is_cut_off(admin: Person, account: Account) -> None:
    row, key = await database_sync_to_async(create_api_key)(user=admin.user, label="brief")
    async with connected(key, account) as connection:
        await numbered(lambda: revoke_api_key(key=row, by=admin.principal))
        assert await close_code(connection) == 4401


async def test_a_key_revoked_a_moment_ago_does_nothing_on_its_open_connection(
    terminal: Terminal,
) -> None:
    account = await database_sync_to_async(terminal.account)()
    async with connected(terminal.key, account) as connection:
        await ApiKey.objects.aupdate(revoked_at=now())
        item = buy(account)
        await connection.send_json_to(
            {"namespace": "position", "action": "command", "payload": item}
        )
        assert await close_code(connection) == 4401
    assert not await Order.objects.aexists()


async def test_rights_taken_from_a_person_are_looked_up_at_once(
    admin: Person, account: Account
) -> None:
    person = await database_sync_to_async(new_person)(admin.user.organisation, "vera", VIEWER)
    _, key = await database_sync_to_async(create_api_key)(user=person.user, label="hers")
    async with connected(key, account) as connection:
        await numbered(lambda: change_user(user=person.user, is_active=False, by=admin.principal))
        assert await close_code(connection) == 4401


async def test_a_function_of_ccxt_answers_as_over_http(terminal: Terminal) -> None:
    account = await database_sync_to_async(terminal.account)()
    async with connected(terminal.key, account) as connection:
        payload = {"func": "fetch_ticker", "args": [SYMBOL]}
        answer = await asked(connection, id=7, namespace="ccxt", action="call", payload=payload)
        assert (answer["id"], answer["ok"], answer["event"]) == (7, True, "call_result")
        assert (answer["payload"]["ok"], answer["payload"]["result"]["last"]) == (True, "50000")


async def test_commands_are_done_as_over_http_and_their_events_follow(terminal: Terminal) -> None:
    account = await database_sync_to_async(terminal.account)()
    other = await database_sync_to_async(terminal.account)("two")
    await numbered()
    async with connected(terminal.key, account) as connection:
        item = limit(account, "0.02", "49000", "req-1")
        first = await asked(connection, id=1, namespace="position", action="command", payload=item)
        again = await asked(
            connection, id=1, namespace="position", action="command", payload=[item]
        )
        assert first == again
        (result,) = first["payload"]["results"]
        order = await Order.objects.aget()
        assert (result["ok"], result["order_id"]) == (True, order.pk)
        batch = [command("cancel_order", account, order_id=order.pk), buy(other), "nothing"]
        answer = await asked(connection, namespace="position", action="command", payload=batch)
        oks = [each["ok"] for each in answer["payload"]["results"]]
        assert (answer["ok"], oks) == (True, [True, False, False])
        assert await Command.objects.filter(account=other).acount() == 0
        await numbered()
        events = [await connection.receive_json_from()]
        told = events[0]["payload"]
        assert (events[0]["event"], told["order_id"]) == ("order.created", order.pk)
        assert (told["price"], told["replaces"]) == ("49000", None)
