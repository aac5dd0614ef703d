"""Every act of the console, tried by everybody who may enter it, on own and on foreign rows."""

from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.test import Client
from django.urls import reverse

from riskmgmt.models import VenueState
from tests.authorisation.callers import Caller
from tests.authorisation.test_pages import PEOPLE, browser_of, own_row
from tests.authorisation.worlds import state_of_the_database
from tests.dashboard.world import World
from tradingplatform.console_table import UNDECLARED, ConsoleAct, console_acts

# Who may, said once more: what traders may do, and what is the platform's alone.
TRADERS_ACTS = {
    "accounts.Account.terminate_accounts",
    "trading.ExternalPosition.adopt_positions",
    "trading.ExternalPosition.assign_positions",
    "trading.ExternalPosition.flatten_positions",
    "trading.ExternalPosition.ignore_positions",
    "trading.Order.cancel_orders",
    "trading.Order.settle_as_not_placed",
    "trading.Order.settle_as_placed",
    "trading.Position.close_positions",
}
PLATFORM_MODELS = {"riskmgmt.VenueState", "django_celery_beat.PeriodicTask"}
MANAGERS = {"admin", "superuser"}
REQUEST_ID = "0123456789abcdef0123456789abcdef"
# What an act's first page may answer where the caller is let in: shown, or led on to a form.
SHOWN = {200, 302}


def may(name: str, act: ConsoleAct) -> bool:
    """Whether a person may act on rows that it can see."""
    role = "admin" if name == "stranger" else name
    if act.model in PLATFORM_MODELS:
        return role == "superuser"
    return role in (MANAGERS | {"trader"} if _said(act) in TRADERS_ACTS else MANAGERS)


def _said(act: ConsoleAct) -> str:
    return f"{act.model}.{act.name}"


def row_of(act: ConsoleAct, world: World) -> Any:
    """A row of the organisation to act on; for the platform's own models one that is made."""
    model = next(each for each in admin.site._registry if each._meta.label == act.model)
    if act.model == "riskmgmt.VenueState":
        return VenueState.objects.get_or_create(venue="rehearsal")[0]
    return own_row(model, world) or model._default_manager.order_by("pk").first()


def listed(act: ConsoleAct) -> str:
    """The address of the model's list."""
    return reverse(f"admin:{act.model.replace('.', '_').lower()}_changelist")


def page_of(act: ConsoleAct, row: Any) -> str:
    """The address of the act's own page."""
    steps = [str(row.pk) if "<" in step else step for step in act.address.split("/")]
    return listed(act) + "/".join(steps)


def chosen(act: ConsoleAct, row: Any, **form: str) -> dict[str, Any]:
    """The form of an act on one row of a list."""
    return {"action": act.name, ACTION_CHECKBOX_NAME: [str(row.pk)], **form}


def confirmed(act: ConsoleAct, row: Any) -> dict[str, Any]:
    """The same as the page that confirms it would send it."""
    verb = act.name.partition("_")[0]
    form = {"confirmed": "yes", "request_id": REQUEST_ID, "confirm": f"{verb} 1", "reason": "drill"}
    return chosen(act, row, **form)


def ran(browser: Client, act: ConsoleAct, row: Any) -> list[Any]:
    """Everything that could make an act happen, sent; the answers."""
    if not act.address:
        return [browser.post(listed(act), confirmed(act, row))]
    page = page_of(act, row)
    secrets = {"api_key": "k" * 24, "api_secret": "s" * 24}
    return [browser.get(page), browser.post(page, {"reason": "drill", **secrets})]


LISTED = [act for act in console_acts() if not act.address]
PAGED = [act for act in console_acts() if act.address]


def test_every_page_of_its_own_declares_a_right() -> None:
    assert [act for act in console_acts() if UNDECLARED in act.rights] == []
    assert {_said(act) for act in PAGED} >= {
        "accounts.Account.credentials",
        "events.AuditRecord.verify",
        "users.ApiKey.revoke",
        "users.AuthSession.end",
        "users.User.issue-reset",
        "users.User.make-key",
    }
    assert {_said(act) for act in LISTED} >= TRADERS_ACTS
    assert len(LISTED) >= 25


@pytest.mark.parametrize("act", console_acts(), ids=_said)
def test_the_table_says_who_may(act: ConsoleAct) -> None:
    people = [name for name in PEOPLE if name != "stranger" and may(name, act)]
    assert list(act.roles) == people


@pytest.mark.parametrize("name", PEOPLE)
def test_an_act_is_shown_to_whom_the_table_says(
    name: str, world: World, callers: dict[str, Caller]
) -> None:
    browser, faults = browser_of(callers[name]), []
    for act in LISTED:
        row = row_of(act, world)
        if row is None:
            assert act.model in PLATFORM_MODELS, act
            continue
        answer = browser.post(listed(act), chosen(act, row))
        templates = [each.name for each in answer.templates]
        shown = "console/confirm_action.html" in templates
        is_own = name != "stranger" or act.model in PLATFORM_MODELS
        if act.model.startswith("django_celery_beat"):
            continue
        offered = may(name, act)
        names_row = shown and row in answer.context["rows"]
        if (shown, names_row) != (offered, offered and is_own):
            faults.append(f"{name}: {_said(act)} answered {answer.status_code}")
    for act in PAGED:
        row = row_of(act, world)
        status = _page_status(browser, act, row)
        wanted = may(name, act) and (name != "stranger" or "<" not in act.address)
        if (status in SHOWN) != wanted or status >= 500:
            faults.append(f"{name}: {_said(act)} answered {status}")
    assert faults == []


def _page_status(browser: Client, act: ConsoleAct, row: Any) -> int:
    page = page_of(act, row)
    answer = browser.post(page) if act.name == "verify" else browser.get(page)
    return int(answer.status_code)


@pytest.mark.parametrize("name", PEOPLE)
def test_nobody_acts_beyond_the_table(name: str, world: World, callers: dict[str, Caller]) -> None:
    browser, tried = browser_of(callers[name]), 0
    for act in console_acts():
        row = row_of(act, world)
        is_foreign = name == "stranger" and "verify" not in act.name
        if row is None or (may(name, act) and not is_foreign):
            continue
        before = state_of_the_database()
        for answer in ran(browser, act, row):
            assert answer.status_code in (200, 302, 403, 404, 405), _said(act)
        assert state_of_the_database() == before, _said(act)
        tried += 1
    assert tried >= {"admin": 0, "superuser": 0, "trader": 20}.get(name, 25)


@pytest.mark.parametrize("act", [act for act in PAGED if "<" in act.address], ids=_said)
def test_a_foreign_row_s_page_is_that_of_a_missing_one(
    act: ConsoleAct, world: World, callers: dict[str, Caller]
) -> None:
    row = row_of(act, world)
    told = []
    for key in (row.pk, 10**12):
        row.pk = key
        answer = browser_of(callers["stranger"]).get(page_of(act, row))
        told.append(answer.status_code)
    assert told[0] == told[1]
    assert told[0] in (403, 404)
