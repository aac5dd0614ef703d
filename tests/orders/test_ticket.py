"""The dashboard's order ticket: shown first, sent once, against an exchange that answers."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import Account
from tests.orders.conftest import SYMBOL, Desk
from tests.users.people import Person
from trading.models import Command, Order

TICKET = "/dashboard/ticket/"


@pytest.fixture
def account(desk: Desk) -> Account:
    """The only account at the venue."""
    return desk.account()


@pytest.fixture
def person_client(desk: Desk) -> Client:
    """The administrator, signed in."""
    client = Client()
    client.force_login(desk.person.user)
    return client


def asked(account: Account, **fields: Any) -> dict[str, Any]:
    """A market buy of 0.01, or as ``fields`` say."""
    return {
        "account": account.pk, "symbol": SYMBOL, "side": "buy", "type": "market",
        "quantity": "0.01", "time_in_force": "gtc", **fields,
    }  # fmt: skip


def armed(person_client: Client, fields: dict[str, Any]) -> dict[str, Any]:
    """The fields of the form that sends, after the first press."""
    page = person_client.post(TICKET, fields)
    assert page.status_code == 200, page.context["form"].errors
    assert not Command.objects.exists()
    return {**fields, "step": "send", "request_id": page.context["request_id"]}


def test_the_first_press_shows_what_the_order_would_come_to(
    person_client: Client, account: Account
) -> None:
    page = person_client.post(TICKET, asked(account, quantity="0.02"))
    found = page.context["estimate"]
    assert (found.found.price, found.found.notional, found.free_quote) == (50_000, 1_000, 100_000)
    assert (found.found.would_go, found.refusals, found.share) == (True, [], 1)
    assert "Send buy BTC/USDT" in page.content.decode()
    assert not Command.objects.exists()


def test_the_second_press_sends_the_order_once(
    desk: Desk, person_client: Client, account: Account, worker: None
) -> None:
    form = armed(person_client, asked(account))
    for _ in range(2):
        answer = person_client.post(TICKET, form)
        order = Order.objects.get()
        assert answer["Location"] == reverse("dashboard:order", args=[order.pk])
    desk.settle(account)
    order.refresh_from_db()
    assert (order.state, str(order.quantity), order.command.execution.source) == (
        "FILLED",
        "0.01",
        "dashboard",
    )


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"quantity": "NaN"}, "quantity"),
        ({"quantity": "-1"}, "quantity"),
        ({"quantity": ""}, "quantity"),
        ({"side": "up"}, "side"),
        ({"account": "999999999"}, "account"),
        ({"type": "limit", "price": "1e999"}, "price"),
    ],
)
def test_a_wrong_entry_is_named_and_nothing_is_sent(
    person_client: Client, account: Account, fields: dict[str, Any], field: str
) -> None:
    page = person_client.post(TICKET, {**asked(account), **fields})
    assert page.status_code == 422
    assert list(page.context["form"].errors) == [field]
    assert not Command.objects.exists()


def test_what_the_service_refuses_stands_at_its_field(
    person_client: Client, account: Account
) -> None:
    form = armed(person_client, asked(account, type="limit"))
    page = person_client.post(TICKET, form)
    assert page.status_code == 422
    assert page.context["form"].errors["price"] == ["is required for a limit order"]
    assert not Command.objects.exists()


def test_a_denied_order_says_why(person_client: Client, account: Account) -> None:
    page = person_client.post(TICKET, armed(person_client, asked(account, quantity="0.00000001")))
    (command,) = Command.objects.all()
    assert page.status_code == 422
    assert command.reason_code in page.content.decode()
    assert not Order.objects.exists()


def test_a_form_without_its_request_id_is_refused(person_client: Client, account: Account) -> None:
    assert person_client.post(TICKET, {**asked(account), "step": "send"}).status_code == 422
    assert not Command.objects.exists()


def test_who_may_not_trade_there_is_offered_nothing(
    desk: Desk, account: Account, viewer: Person, stranger: Person
) -> None:
    for person in (viewer, stranger):
        client = Client()
        client.force_login(person.user)
        assert "There is no account that you may trade on" in client.get(TICKET).content.decode()
        page = client.post(TICKET, {**asked(account), "step": "send", "request_id": "0" * 32})
        assert (page.status_code, list(page.context["form"].errors)) == (422, ["account"])
    assert not Command.objects.exists()


def test_the_first_press_says_why_an_order_would_be_refused(
    person_client: Client, account: Account
) -> None:
    page = person_client.post(TICKET, asked(account, quantity="0.00000001"))
    found = page.context["estimate"]
    assert found.found.would_go is False
    assert f"<code>{found.refusals[0].code}</code>" in page.content.decode()
    assert not Command.objects.exists()


def test_the_estimate_follows_the_form(person_client: Client, account: Account) -> None:
    path = f"{TICKET}estimate/"
    text = person_client.post(path, asked(account, type="limit", price="40000")).content.decode()
    assert "400.00" in text
    assert (
        "Fill in the order"
        in person_client.post(path, asked(account, quantity="")).content.decode()
    )
