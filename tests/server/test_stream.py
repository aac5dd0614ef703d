"""``/v1/stream``: who gets in, what is told to whom, and that nothing is lost or doubled."""

import asyncio
import logging
from typing import Any

import pytest
from channels.db import database_sync_to_async
from django.test import AsyncClient

from accounts.models import Account
from events.models import Event
from surfaces.live import event_source, feed
from surfaces.live.tickets import issue
from tests.management.sockets import close_code, numbered, socket, tell
from tests.server.conftest import Ask, good
from tests.server.event_streams import Events, asked, opened
from tests.users.people import Person, new_account, new_organisation
from tests.waiting import await_until
from users.services import create_api_key
from users.sessions import revoke

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def admin(transactional_db: None) -> Person:
    """The administrator of Ours, committed, since streams read on threads of their own."""
    return new_organisation("Ours")[1]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at the log often, so that no test waits for an announcement."""
    monkeypatch.setattr(feed, "LOOK_SECONDS", 0.02)


def bearer(person: Person) -> dict[str, str]:
    """The header of a person."""
    return {"authorization": f"Bearer {person.pair.access}"}


async def ended(events: Events) -> bool:
    """Whether the server ends the stream; what still comes is passed over."""
    try:
        while True:
            await events.next()
    except StopAsyncIteration:
        return True


async def test_the_first_event_says_who_is_connected_and_from_where(admin: Person) -> None:
    current = await numbered()
    async with opened(**bearer(admin)) as events:
        headers = events.response.headers
        assert headers["Content-Type"] == "text/event-stream"
        assert (headers["Cache-Control"], headers["X-Accel-Buffering"]) == ("no-store", "no")
        assert headers["Referrer-Policy"] == "no-referrer"
        first = await events.next()
        assert (first["name"], first["id"]) == ("system", current)
        assert set(first["data"]) == {"kind", "payload", "at"}
        assert first["data"]["payload"] == {
            "event": "connected",
            "user_id": str(admin.user.uuid),
            "org_id": str(admin.user.organisation.uuid),
            "role": "admin",
            "newest_id": current,
        }


async def test_the_credential_comes_by_header_query_ticket_or_cookie(admin: Person) -> None:
    token = admin.pair.access
    _, key = await database_sync_to_async(create_api_key)(user=admin.user, label="desk")
    for query, headers in (
        ("", bearer(admin)),
        ("", {"x-api-key": key}),
        (f"?token={token}", {}),
        (f"?token={key}", {}),
        (f"?ticket={issue(key)}", {}),
        ("", {"cookie": f"access_token={token}"}),
    ):
        async with opened(query, **headers) as events:
            assert (await events.next())["name"] == "system"


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("", "unauthorized"),
        ("?token=rubbish", "token_invalid"),
        ("?ticket=rubbish", "ticket_invalid"),
        ("?ticket=" + "x" * 500, "ticket_invalid"),
    ],
)
async def test_a_stream_without_a_good_credential_does_not_begin(
    transactional_db: None, query: str, code: str
) -> None:
    response = await asked(query)
    assert response.status_code == 401
    body = response.json()
    assert (body["error"], body["code"]) == ("unauthorized", code)


async def test_a_key_that_may_not_read_hears_nothing(admin: Person) -> None:
    _, key = await database_sync_to_async(create_api_key)(
        user=admin.user, label="blind", scopes=["trade"]
    )
    assert (await asked(**{"x-api-key": key})).status_code == 403


async def test_other_methods_are_refused(admin: Person) -> None:
    response = await AsyncClient().post("/v1/stream", headers=bearer(admin))
    assert (response.status_code, response.headers["Allow"]) == (405, "GET")
    assert response.json()["code"] == "method_not_allowed"


async def test_openings_are_counted_apart_from_calls(admin: Person, settings: Any) -> None:
    settings.STREAM_RATE_LIMIT_PER_MIN, settings.USER_RATE_LIMIT_PER_MIN = 1, 1
    async with opened(**bearer(admin)) as events:
        await events.next()
        refusal = await asked(**bearer(admin))
        assert refusal.status_code == 429
        assert int(refusal.headers["Retry-After"]) >= 1


def test_a_ticket_opens_one_stream_once(ask: Ask, admin: Person) -> None:
    answer = ask("POST", "/stream-ticket", who=admin)
    assert answer.headers["Cache-Control"] == "no-store"
    body = good(answer)
    assert (set(body), body["expires_in"]) == ({"ticket", "expires_in"}, 60)
    assert ask("POST", "/stream-ticket").status_code == 401

    async def twice() -> list[int]:
        openings = await asyncio.gather(*(asked(f"?ticket={body['ticket']}") for _ in range(5)))
        for each in openings:
            each.close()
        return sorted(each.status_code for each in openings)

    assert asyncio.run(twice()) == [200, 401, 401, 401, 401]


async def test_a_ticket_opens_a_socket_too_and_only_once(admin: Person) -> None:
    path = f"/ws/{admin.user.pk}?ticket={issue(admin.pair.access)}"
    first, second = socket(path), socket(path)
    await first.connect()
    assert (await first.receive_json_from())["type"] == "hello"
    await second.connect()
    assert await close_code(second) == 4401
    await first.disconnect()


async def test_a_token_in_the_address_is_in_no_log(
    admin: Person, caplog: pytest.LogCaptureFixture, settings: Any
) -> None:
    settings.ACCESS_LOG = True
    caplog.set_level(logging.DEBUG)
    async with opened(f"?token={admin.pair.access}") as events:
        await events.next()
    assert (await asked(f"?token={admin.pair.access}x")).status_code == 401
    assert "/v1/stream" in caplog.text
    assert admin.pair.access not in caplog.text


async def test_events_have_003s_names_and_numbers(admin: Person) -> None:
    start = await numbered()
    order = {
        "order_id": 7, "account_id": 3, "book": "paper", "symbol": "BTC/USDT",
        "quantity": "0.5", "filled_quantity": "0",
        "price": "49", "replaces_id": 6, "average_price": None, "state": "CREATED",
        "correlation_id": "c", "reason_code": "",
    }  # fmt: skip
    async with opened(**bearer(admin)) as events:
        await events.next()
        await tell(admin, "order.created", **order)
        await tell(admin, "bot.updated", n=1)
        await tell(admin, "order.updated", **{**order, "state": "FILLED", "average_price": "50"})
        await tell(admin, "order.updated", **{**order, "state": "REJECTED"})
        await tell(admin, "deal.created", price="50", quantity="0.5")
        await tell(admin, "account.synced", account_id=3, equity="10.5", balance="10")
        await tell(admin, "kill_switch.engaged", scope="global", level="REDUCING")
        await tell(admin, "alert.raised", severity="warning")
        told = [await events.next() for _ in range(7)]
    assert [(each["name"], each["id"] - start) for each in told] == [
        ("order_ack", 1),
        ("order_update", 3),
        ("order_update", 4),
        ("deal", 5),
        ("portfolio_snapshot", 6),
        ("execution_guard", 7),
        ("alert", 8),
    ]
    assert all(each["data"]["kind"] == each["name"] for each in told)
    payloads = [each["data"]["payload"] for each in told]
    assert [each["status"] for each in payloads[:3]] == ["accepted", "simulated", "rejected"]
    assert (payloads[0]["quantity"], payloads[0]["order_id"]) == (0.5, "7")
    assert (payloads[1]["average_price"], payloads[1]["mode"]) == (50.0, "paper")
    assert (payloads[0]["price"], payloads[0]["replaces_id"]) == (49.0, "6")
    assert payloads[1]["symbol"] == "BTC-USDT"
    assert payloads[4] == {
        "event": "account_synced", "account_id": "3", "equity": 10.5, "balance": 10.0,
    }  # fmt: skip
    assert payloads[5]["event"] == "kill_switch_engaged"


async def test_a_client_that_comes_back_misses_nothing_and_sees_nothing_twice(
    admin: Person,
) -> None:
    last, sent = str(await numbered()), 0
    seen: list[int] = []
    for how in ("header", "query", "header"):
        for _ in range(2):
            await tell(admin, "deal.created", n=(sent := sent + 1))
        headers = {**bearer(admin), **({"last-event-id": last} if how == "header" else {})}
        async with opened(f"?after_id={last}" if how == "query" else "", **headers) as events:
            assert str((await events.next())["id"]) == last
            await tell(admin, "deal.created", n=(sent := sent + 1))
            while len(seen) < sent:
                seen.append((await events.next())["data"]["payload"]["n"])
            last = events.last_id
    assert seen == list(range(1, sent + 1))


async def test_a_header_wins_over_the_address_of_the_first_opening(admin: Person) -> None:
    start = await numbered()
    await tell(admin, "deal.created", n=1)
    await tell(admin, "deal.created", n=2)
    headers = {**bearer(admin), "last-event-id": str(start + 1)}
    async with opened(f"?after_id={start}", **headers) as events:
        assert (await events.next())["id"] == start + 1
        assert (await events.next())["data"]["payload"]["n"] == 2


@pytest.mark.parametrize("number", ["abc", "-1", "1.5", "999999", "9" * 40])
async def test_a_number_of_no_log_is_refused_in_the_address_and_a_gap_in_the_header(
    admin: Person, number: str
) -> None:
    current = await numbered()
    refusal = await asked(f"?after_id={number}", **bearer(admin))
    assert (refusal.status_code, set(refusal.json()["fields"])) == (400, {"after_id"})
    async with opened(**bearer(admin), **{"last-event-id": number}) as events:
        assert [(await events.next())["name"] for _ in range(2)] == ["system", "gap"]
        assert events.last_id == str(current)


async def test_events_that_are_not_kept_any_more_are_a_gap(admin: Person) -> None:
    start = await numbered()
    for number in range(3):
        await tell(admin, "deal.created", n=number)
    await Event.objects.filter(seq__lte=start + 2).adelete()
    async with opened(f"?after_id={start}", **bearer(admin)) as events:
        assert (await events.next())["id"] == start
        gap = await events.next()
        assert (gap["name"], gap["id"]) == ("gap", start + 2)
        assert gap["data"]["payload"] == {"oldest_id": start + 2, "newest_id": start + 3}
        assert (await events.next())["data"]["payload"]["n"] == 2


async def test_another_organisation_and_a_limited_key_hear_nothing_of_it(admin: Person) -> None:
    stranger = (await database_sync_to_async(new_organisation)("Theirs"))[1]
    account: Account = await database_sync_to_async(new_account)(admin, "one")
    _, key = await database_sync_to_async(create_api_key)(
        user=admin.user, label="limited", account_ids=[account.pk + 1]
    )
    start = await numbered()
    await tell(admin, "deal.created", f"account:{account.pk}", n="hidden")
    await tell(stranger, "deal.created", n="theirs")
    await tell(admin, "alert.raised", "alerts", n="alert")
    await tell(admin, "kill_switch.engaged", "risk", f"account:{account.pk}", n="its switch")
    await tell(admin, "deal.created", f"account:{account.pk + 1}", n="limited")
    await tell(admin, "kill_switch.engaged", "risk", n="switch of all")
    for headers, expected in (
        (bearer(stranger), ["theirs"]),
        ({"x-api-key": key}, ["limited", "switch of all"]),
        (bearer(admin), ["hidden", "alert", "its switch", "limited", "switch of all"]),
    ):
        async with opened(f"?after_id={start}", **headers) as events:
            await events.next()
            told = [(await events.next())["data"]["payload"]["n"] for _ in expected]
            assert told == expected
            with pytest.raises(TimeoutError):
                await events.next(0.1)


async def test_a_comment_keeps_the_line_alive(
    admin: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_source, "KEEP_ALIVE_SECONDS", 0.05)
    await numbered()
    async with opened(**bearer(admin)) as events:
        await events.next()
        for _ in range(2):
            await events.next_comment()
        assert events.comments == 2


async def test_a_stream_ends_with_its_session_whatever_opened_it(admin: Person) -> None:
    ticket = f"?ticket={issue(admin.pair.access)}"
    async with opened(**bearer(admin)) as by_header, opened(ticket) as by_ticket:
        for events in (by_header, by_ticket):
            await events.next()
        await numbered(lambda: revoke(admin.session, reason="logout"))
        assert await ended(by_header)
        assert await ended(by_ticket)


async def test_who_leaves_is_listened_for_no_longer(admin: Person) -> None:
    await numbered()
    async with opened(**bearer(admin)) as events:
        await events.next()
        waiting = asyncio.create_task(events.next())
        await await_until(lambda: feed._feeds.get(asyncio.get_running_loop()))
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    assert not feed._feeds.get(asyncio.get_running_loop())
