"""Groups on the pages: making one, changing it, its members, its line, its figures."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from accounts.models import Account, EquityPoint
from common.clock import now
from events.models import AuditRecord
from groups.models import Group
from riskmgmt.models import GroupGuard
from tests.dashboard.test_bots import page_of, ticked
from tests.dashboard.test_pages import MOST_QUERIES
from tests.dashboard.world import World, make_account

SETTINGS = {"risk_limit": "2.5", "max_drawdown": "20", "target_monthly_roi": "4"}


@pytest.fixture
def group(world: World) -> Group:
    """A group of both accounts."""
    group = Group.objects.create(organisation=world.organisation, name="both")
    group.accounts.set(world.accounts)
    return group


def test_a_group_is_made_with_its_accounts(browser_client: Client, world: World) -> None:
    address = reverse("dashboard:new_group")
    assert 'value="25"' in browser_client.get(address).content.decode()
    numbers = [account.pk for account in world.accounts]
    form = {"name": "desk", "description": "A", "account_ids": numbers, **SETTINGS}
    answer = browser_client.post(address, form)
    group = Group.objects.get()
    assert answer.headers["Location"] == reverse("dashboard:group", args=[group.pk])
    assert (group.name, group.risk_limit, group.max_drawdown) == ("desk", Decimal("2.5"), 20)
    assert list(group.accounts.order_by("pk")) == world.accounts
    assert AuditRecord.objects.filter(action="group.created").count() == 1


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"name": "x"}, "3 to 32 letters"),
        ({"name": "BOTH"}, "is taken"),
        ({"risk_limit": "101"}, "at most 100 percent"),
        ({"risk_limit": "-1"}, "must be above 0"),
        ({"risk_limit": "NaN"}, "problem"),
        ({"account_ids": ["999999"]}, "not one of the available choices"),
    ],
)
def test_a_group_that_cannot_be_made_keeps_the_form(
    browser_client: Client, group: Group, change: dict[str, Any], says: str
) -> None:
    answer = browser_client.post(
        reverse("dashboard:new_group"), {"name": "desk", **SETTINGS, **change}
    )
    assert answer.status_code == 422
    assert says in answer.content.decode()
    assert list(Group.objects.all()) == [group]


def test_what_is_not_ticked_leaves_the_group(
    browser_client: Client, world: World, group: Group
) -> None:
    address = reverse("dashboard:edit_group", args=[group.pk])
    shown = browser_client.get(address).content.decode()
    assert ticked(shown) == [str(account.pk) for account in world.accounts]
    browser_client.post(address, {"account_ids": [world.accounts[1].pk], **SETTINGS})
    group.refresh_from_db()
    assert list(group.accounts.all()) == [world.accounts[1]]
    assert group.risk_limit == Decimal("2.5")


def test_a_foreign_account_cannot_join(
    browser_client: Client, world: World, foreign: World, group: Group
) -> None:
    form = {"account_ids": [foreign.accounts[0].pk], **SETTINGS}
    answer = browser_client.post(reverse("dashboard:edit_group", args=[group.pk]), form)
    assert answer.status_code == 422
    assert list(group.accounts.order_by("pk")) == world.accounts


def test_who_may_not_manage_reads_and_changes_nothing(world: World, group: Group) -> None:
    world.user.role = "trader"
    world.user.save()
    client = Client()
    client.force_login(world.user)
    assert "Change settings" not in page_of(client, "group", group.pk)
    assert client.post(reverse("dashboard:new_group"), {"name": "desk"}).status_code == 403
    edit = reverse("dashboard:edit_group", args=[group.pk])
    assert client.post(edit, SETTINGS).status_code == 403
    assert group.accounts.count() == 2


def test_the_page_shows_members_bots_and_sums_of_each_book_apart(
    browser_client: Client,
    world: World,
    group: Group,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    group.accounts.add(make_account(world, "Paper one", book="paper"))
    Account.objects.filter(pk=world.accounts[1].pk).update(status="suspended")
    world.bot.groups.add(group)
    with django_assert_max_num_queries(MOST_QUERIES):
        text = page_of(browser_client, "group", group.pk)
    assert 'data-exact="20500.246913578"' in text
    assert 'data-exact="10250.123456789"' in text
    assert '<span class="unsure">1</span>' in text
    assert f'id="bot-{world.bot.pk}"' in text
    assert f'data-equity="{reverse("dashboard:equity")}?group={group.pk}"' in text
    assert "1 in paper, USDT" in text


def test_the_line_of_a_group_is_that_of_its_larger_part(
    browser_client: Client, world: World, group: Group
) -> None:
    group.accounts.add(make_account(world, "Paper one", book="paper"))
    line = browser_client.get(reverse("dashboard:equity"), {"group": group.pk}).json()
    assert line["equity"][-1] == 2 * (10000 + (39 * 37) % 211 + 39 * 4)
    missing = browser_client.get(reverse("dashboard:equity"), {"group": 999_999})
    assert (missing.status_code, missing.json()["code"]) == (404, "group_not_found")


def test_a_group_without_accounts_says_what_that_means(
    browser_client: Client, world: World
) -> None:
    group = Group.objects.create(organisation=world.organisation, name="empty")
    text = page_of(browser_client, "group", group.pk)
    assert "empty_group" in text
    assert "data-equity" not in text
    assert browser_client.get(reverse("dashboard:equity"), {"group": group.pk}).json() == {
        "at": [],
        "equity": [],
    }
    assert "No account, no figures." in page_of(browser_client, "group_performance", group.pk)


def test_foreign_groups_are_missing_ones(browser_client: Client, foreign: World) -> None:
    theirs = Group.objects.create(organisation=foreign.organisation, name="Other-group")
    for name in ("group", "edit_group", "group_performance"):
        for key in (theirs.pk, 999_999):
            answer = browser_client.get(reverse(f"dashboard:{name}", args=[key]))
            assert answer.status_code == 404
            assert "Other" not in answer.content.decode()
    assert browser_client.get(reverse("dashboard:equity"), {"group": theirs.pk}).status_code == 404


@pytest.fixture
def grown(world: World) -> Account:
    """An account that was worth 1,000 a week ago, 1,100 five days ago and 990 now."""
    account = world.accounts[0]
    EquityPoint.objects.filter(account=account).delete()
    for days, equity in ((8, 1000), (5, 1100), (0, 990)):
        at = now() - timedelta(days=days, minutes=1)
        EquityPoint.objects.create(
            account=account,
            book=account.book,
            at=at,
            quarter=EquityPoint.quarter_of(at),
            balance=equity,
            equity=equity,
        )
    Account.objects.filter(pk=account.pk).update(equity=990, equity_at=now())
    return account


@pytest.mark.parametrize("headers", [{}, {"HX-Request": "true"}])
def test_the_figures_of_an_account(
    browser_client: Client, grown: Account, headers: dict[str, str]
) -> None:
    address = reverse("dashboard:account_performance", args=[grown.pk])
    answer = browser_client.get(address, {"days": 7}, headers=headers)
    text = answer.content.decode()
    assert answer.status_code == 200
    assert ">−1.00 %<" in text
    assert ">10.00 %<" in text  # from 1,100 down to 990
    assert 'aria-current="true">7 days' in text
    assert ("<html" in text) is (headers == {})
    record = answer.context["record"]
    assert [round(point.growth, 6) for point in record.line][-1] == -0.01
    assert max(point.drawdown for point in record.line) == pytest.approx(0.1)


def test_a_span_that_is_not_offered_is_the_usual_one(
    browser_client: Client, world: World, group: Group
) -> None:
    for text in ("31", "x", "-7", ""):
        answer = browser_client.get(
            reverse("dashboard:group_performance", args=[group.pk]), {"days": text}
        )
        assert answer.context["days"] == 30


def test_the_figures_of_a_bot_are_what_it_booked(browser_client: Client, world: World) -> None:
    answer = browser_client.get(reverse("dashboard:bot_performance", args=[world.bot.pk]))
    assert "Only what this bot booked" in answer.content.decode()
    assert answer.context["record"].owner == world.bot.magic_id


def test_a_latched_guard_stands_above_everything(
    browser_client: Client, world: World, group: Group
) -> None:
    at = now()
    guard = GroupGuard.objects.create(
        organisation=world.organisation,
        group_id=group.pk,
        book="rehearsal",
        currency="USD",
        value=Decimal("0.9"),
        peak=1,
        peak_at=at,
        drawdown=Decimal(10),
        line={},
        started_at=at,
        judged_at=at,
    )
    text = page_of(browser_client, "group", group.pk)
    assert "10.00 % below the peak" in text
    assert "guard latched" not in text
    guard.latched_at, guard.drawdown, guard.max_drawdown = at, Decimal("26.5"), Decimal(25)
    guard.save()
    text = page_of(browser_client, "group", group.pk)
    assert "guard latched" in text
    assert "fell 26.50 % below its peak" in text
    assert reverse("admin:riskmgmt_groupguard_changelist") in text
