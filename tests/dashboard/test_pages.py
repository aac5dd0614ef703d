"""Every page answers, in few queries, with the own tenant's rows alone."""

import pytest
from django.db import OperationalError
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from surfaces.dashboard import access
from tests.dashboard.world import PASSWORD, World, make_account, make_order, make_signal, make_world
from trading.models import Order, Position
from webhooks.models import Signal

MOST_QUERIES = 20
PAGES = (
    "overview",
    "accounts",
    "groups",
    "bots",
    "orders",
    "positions",
    "signals",
    "ticket",
    "first_steps",
    "stop",
    "settings",
)


@pytest.mark.parametrize("name", PAGES)
def test_page_answers_within_the_query_budget(
    name: str, browser_client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_max_num_queries(MOST_QUERIES):
        response = browser_client.get(reverse(f"dashboard:{name}"))
    assert response.status_code == 200
    assert b"style=" not in response.content
    assert b"onclick" not in response.content
    assert b"http://" not in response.content.replace(b"http://testserver", b"")


@pytest.mark.parametrize("name", PAGES)
def test_stranger_is_led_to_the_entrance_and_back(name: str, db: None) -> None:
    address = reverse(f"dashboard:{name}")
    response = Client().get(address)
    assert response.status_code == 302
    assert response.headers["Location"] == f"/dashboard/login/?next={address}"


def test_number_of_queries_does_not_grow_with_the_rows(
    browser_client: Client, world: World, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(10):
        make_order(make_account(world, f"more {number}"))
        make_signal(world)
    for name in PAGES:
        with django_assert_max_num_queries(MOST_QUERIES):
            assert browser_client.get(reverse(f"dashboard:{name}")).status_code == 200


def test_account_page_shows_figures_positions_orders_and_deals(
    browser_client: Client, world: World, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    account = world.accounts[0]
    with django_assert_max_num_queries(MOST_QUERIES):
        response = browser_client.get(reverse("dashboard:account", args=[account.pk]))
    text = response.content.decode()
    assert response.status_code == 200
    assert "REHEARSAL" in text
    assert "10,250.12" in text
    assert 'data-exact="10250.123456789"' in text
    assert f'id="order-{Order.objects.filter(account=account).first().pk}"' in text
    assert f'data-candles="/dashboard/data/candles?account={account.pk}' in text
    assert f'hx-get="{reverse("dashboard:account_performance", args=[account.pk])}"' in text
    assert f'Reached by the bots <a href="{reverse("dashboard:bot", args=[world.bot.pk])}"' in text


def test_sign_of_a_result_stands_in_the_text(browser_client: Client, world: World) -> None:
    text = browser_client.get(reverse("dashboard:positions")).content.decode()
    assert ">+6.25 " in text


@pytest.mark.parametrize(
    ("route", "model"),
    [("account", None), ("order", Order), ("close_position", Position), ("signal", Signal)],
)
def test_foreign_row_and_missing_row_are_the_same_404(
    route: str, model: type, browser_client: Client, foreign: World
) -> None:
    if model is None:
        own_key, missing = foreign.accounts[0].pk, 987_654
    else:
        row = model.objects.filter(organisation=foreign.organisation).first()
        own_key = row.correlation_id if model is Signal else row.pk
        missing = "nothing" if model is Signal else 987_654
    first = browser_client.get(reverse(f"dashboard:{route}", args=[own_key]))
    second = browser_client.get(reverse(f"dashboard:{route}", args=[missing]))
    assert first.status_code == second.status_code == 404
    assert foreign.accounts[0].name not in first.content.decode()


def test_a_signal_shows_what_it_asked_for_and_the_decision_of_each_account(
    browser_client: Client, world: World
) -> None:
    signal = Signal.objects.get()
    signal.request = {"side": "buy", "size": "2%", "price": None, "body": {"side": "long"}}
    signal.save()
    refused = signal.execution.legs.order_by("pk").last()
    refused.state, refused.reason_code = "DENIED", "stale_balance"
    refused.decision = {"message": "older than allowed"}
    refused.save()
    text = browser_client.get(
        reverse("dashboard:signal", args=[signal.correlation_id])
    ).content.decode()
    assert "<dt>Size</dt><dd>2%</dd>" in text
    assert "<dt>Price</dt>" not in text
    assert "<code>stale_balance</code> older than allowed" in text
    assert "limit <code>5000</code>" in text
    assert text.count("<summary>Acme") == 2


def test_lists_hold_no_foreign_row(browser_client: Client, foreign: World) -> None:
    for name in PAGES:
        text = browser_client.get(reverse(f"dashboard:{name}")).content.decode()
        assert "Other" not in text


def test_foreign_equity_line_and_candles_are_not_found(
    browser_client: Client, foreign: World
) -> None:
    account = foreign.accounts[0].pk
    line = browser_client.get(reverse("dashboard:equity"), {"account": account})
    candles = browser_client.get(
        reverse("dashboard:candles"), {"account": account, "symbol": "BTC/USDT"}
    )
    assert (line.status_code, candles.status_code) == (404, 404)


def test_equity_line_of_a_book_sums_its_accounts(browser_client: Client, world: World) -> None:
    line = browser_client.get(
        reverse("dashboard:equity"), {"book": "rehearsal", "currency": "USDT"}
    ).json()
    assert line["equity"][-1] == 2 * (10000 + (39 * 37) % 211 + 39 * 4)
    assert line["at"] == sorted(line["at"])


@pytest.mark.parametrize(
    "query", ["timeframe=2m", "limit=x", "account=x", "limit=300&account=9999999"]
)
def test_wrong_chart_query_is_refused_with_a_code(query: str, browser_client: Client) -> None:
    response = browser_client.get(f"{reverse('dashboard:candles')}?{query}")
    assert response.status_code in (404, 422)
    assert response.json()["code"] in ("validation_error", "account_not_found")


def test_filter_is_the_address(browser_client: Client, world: World) -> None:
    unknown = Order.objects.get(state="UNKNOWN")
    text = browser_client.get(reverse("dashboard:orders"), {"group": "unknown"}).content.decode()
    assert f'id="order-{unknown.pk}"' in text
    assert text.count('<tr id="order-') == 1
    assert 'data-match-group="unknown"' in text


def test_pages_of_orders_go_by_key_without_gap(browser_client: Client, world: World) -> None:
    for _ in range(60):
        make_order(world.accounts[0])
    first = browser_client.get(reverse("dashboard:orders"))
    rest = browser_client.get(reverse("dashboard:orders"), {"before": first.context["next_before"]})
    shown = [row.pk for row in (*first.context["orders"], *rest.context["orders"])]
    assert shown == list(Order.objects.order_by("-pk").values_list("pk", flat=True))
    assert rest.context["live"] == ""


@pytest.mark.parametrize("query", ["before=x", "account=99999999999999999", "symbol=%00", "q=%00"])
def test_strange_query_is_no_error(query: str, browser_client: Client) -> None:
    response = browser_client.get(f"{reverse('dashboard:orders')}?{query}")
    assert response.status_code == 200


def test_sign_in_and_out(world: World) -> None:
    client = Client()
    wrong = client.post(reverse("dashboard:login"), {"username": "acme-user", "password": "no"})
    assert b"User name or password is wrong." in wrong.content
    right = client.post(reverse("dashboard:login"), {"username": "ACME-user", "password": PASSWORD})
    assert right.headers["Location"] == "/dashboard/"
    assert client.get("/dashboard/").status_code == 200
    client.post(reverse("dashboard:logout"))
    assert client.get("/dashboard/").status_code == 302


def test_session_id_changes_at_sign_in(world: World) -> None:
    client = Client()
    client.cookies["sessionid"] = "fixed-by-somebody-else"
    client.post(reverse("dashboard:login"), {"username": "acme-user", "password": PASSWORD})
    assert client.cookies["sessionid"].value != "fixed-by-somebody-else"


def test_page_without_accounts_says_what_to_do(db: None) -> None:
    from_nothing = Client()
    world = make_world("Empty", accounts=0)
    from_nothing.force_login(world.user)
    for name in PAGES:
        assert from_nothing.get(reverse(f"dashboard:{name}")).status_code == 200
    assert b"First steps" in from_nothing.get("/dashboard/accounts/").content


def test_a_database_that_does_not_answer_is_a_503_that_says_to_try_again(
    browser_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: object) -> None:
        raise OperationalError("terminating connection due to unexpected postmaster exit")

    monkeypatch.setattr(access, "last_number", gone)
    browser_client.raise_request_exception = False
    answer = browser_client.get(reverse("dashboard:positions"))
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert answer.content == b"The database does not answer; try again in a moment."
