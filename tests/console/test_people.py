"""People in the console: rights, grants, keys, sessions, second factors, new passwords."""

import re
from typing import Any

import pyotp
import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import AccountGrant
from accounts.principals import authenticate
from common.errors import Unauthenticated
from events.models import AuditRecord
from tests.console.test_console_actions import act, confirmed
from tests.console.test_console_forms import NO_ROWS_BELOW
from tests.dashboard.world import PASSWORD, World
from users import mfa
from users.models import ApiKey, AuthSession, Organisation, User
from users.sessions import Device, login, open_session


@pytest.fixture
def trader(world: World) -> User:
    """A trader of the own tenant."""
    return User.objects.create_user(
        "tina", "tina@example.test", PASSWORD, organisation=world.organisation, role="trader"
    )


def page_of(user: User) -> str:
    """The person's page."""
    return reverse("admin:users_user_change", args=[user.pk])


def form_of(user: User, **changes: str) -> dict[str, str]:
    """What the browser sends of a person's page, changed."""
    form = {"email": user.email, "role": user.role, "is_active": "on", **NO_ROWS_BELOW, **changes}
    return {name: value for name, value in form.items() if value}


def grant_row(number: int, **columns: Any) -> dict[str, Any]:
    """The inputs of one row of grants."""
    return {f"grants-{number}-{name}": value for name, value in columns.items()}


def told(action: str) -> tuple[Any, Any]:
    """Before and after of the only record of an act."""
    record = AuditRecord.objects.get(action=action)
    return record.before, record.after


def test_another_role_is_told_with_before_and_after_and_counts_at_once(
    staff: Client, trader: User
) -> None:
    token = login(identifier="tina", password=PASSWORD, device=Device()).access
    assert authenticate(token).role == "trader"
    answer = staff.post(page_of(trader), form_of(trader, role="viewer"))
    assert answer.status_code == 302
    trader.refresh_from_db()
    assert trader.role == "viewer"
    before, after = told("user.changed")
    assert (before["role"], after["role"]) == ("trader", "viewer")
    with pytest.raises(Unauthenticated):
        authenticate(token)


def test_address_and_power_go_through_the_same_door(operator: Client, trader: User) -> None:
    token = login(identifier="tina", password=PASSWORD, device=Device()).access
    operator.post(page_of(trader), form_of(trader, email="t@example.test", is_staff="on"))
    trader.refresh_from_db()
    assert (trader.email, trader.is_staff) == ("t@example.test", True)
    with pytest.raises(Unauthenticated):
        authenticate(token)
    before, after = told("user.changed")
    assert before == {"email": "tina@example.test", "is_staff": False}
    assert after == {"email": "t@example.test", "is_staff": True}


def test_disabling_signs_out_on_pages_too(staff: Client, trader: User) -> None:
    pages = Client()
    pages.post(reverse("dashboard:login"), {"username": "tina", "password": PASSWORD})
    assert pages.get("/dashboard/").status_code == 200
    staff.post(page_of(trader), form_of(trader, is_active=""))
    assert AuthSession.objects.get().revoked_reason == "user_disabled"
    assert pages.get("/dashboard/").status_code == 302


def test_last_administrator_stays_and_nothing_of_the_form_is_kept(
    operator: Client, world: World
) -> None:
    form = form_of(world.user, role="viewer", email="new@example.test")
    answer = operator.post(page_of(world.user), form, follow=True)
    assert b"last_admin" in answer.content
    world.user.refresh_from_db()
    assert (world.user.role, world.user.email) == ("admin", "acme@example.test")
    assert not AuditRecord.objects.filter(action__contains="user.changed").exists()


def test_grants_are_set_changed_and_taken_on_the_persons_page(
    staff: Client, trader: User, world: World
) -> None:
    account = world.accounts[0]
    new = {
        **form_of(trader),
        "grants-TOTAL_FORMS": "1",
        **grant_row(0, account=account.pk, user=trader.pk, can_read="on", can_trade="on"),
    }
    staff.post(page_of(trader), new)
    grant = AccountGrant.objects.get()
    assert (grant.user, grant.account, grant.can_trade) == (trader, account, True)
    token = login(identifier="tina", password=PASSWORD, device=Device()).access
    assert authenticate(token).grants == {account.pk: frozenset({"read", "trade"})}
    kept = {"grants-TOTAL_FORMS": "1", "grants-INITIAL_FORMS": "1"}
    row = grant_row(0, id=grant.pk, account=account.pk, user=trader.pk, can_read="on")
    staff.post(page_of(trader), {**form_of(trader), **kept, **row})
    assert authenticate(token).grants == {account.pk: frozenset({"read"})}
    gone = {**row, "grants-0-DELETE": "on"}
    staff.post(page_of(trader), {**form_of(trader), **kept, **gone})
    assert authenticate(token).grants == {}
    records = AuditRecord.objects.filter(action__startswith="grant.").order_by("id")
    trail = [
        (
            record.action,
            (record.before or {}).get("can_trade"),
            (record.after or {}).get("can_trade"),
        )
        for record in records
    ]
    assert trail == [
        ("grant.set", None, True),
        ("grant.set", True, False),
        ("grant.removed", False, None),
    ]


def test_grant_never_crosses_organisations(
    staff: Client, operator: Client, trader: User, foreign: World
) -> None:
    strange = foreign.accounts[0].pk
    row = grant_row(0, account=strange, user=trader.pk, can_read="on")
    for client in (staff, operator):
        client.post(page_of(trader), {**form_of(trader), "grants-TOTAL_FORMS": "1", **row})
    form = {"user": trader.pk, "account": strange, "can_read": "on"}
    answer = operator.post(reverse("admin:accounts_accountgrant_add"), form, follow=True)
    assert b"another organisation" in answer.content
    assert not AccountGrant.objects.exists()


def test_key_is_shown_once_and_works(staff: Client, trader: User, world: World) -> None:
    page = reverse("admin:users_apikey_add")
    assert f'value="{trader.pk}" selected' in staff.get(f"{page}?user={trader.pk}").content.decode()
    form = {"user": trader.pk, "label": "robot", "scopes": ["read"], "days": "30"}
    answer = staff.post(page, {**form, "accounts": [world.accounts[0].pk]})
    assert "no-store" in answer.headers["Cache-Control"]
    found = re.search(r">(tp_[\w-]+)</pre>", answer.content.decode())
    assert found is not None
    principal = authenticate(found[1])
    assert (principal.user_id, principal.role) == (trader.pk, "trader")
    assert principal.account_ids == {world.accounts[0].pk}
    key = ApiKey.objects.get(label="robot")
    assert key.expires_at is not None
    for shown in (page_of(trader), reverse("admin:users_apikey_change", args=[key.pk])):
        assert found[1] not in staff.get(shown).content.decode()
    assert found[1] not in str(list(AuditRecord.objects.values_list("after", flat=True)))
    end = reverse("admin:users_apikey_revoke", args=[key.pk])
    assert b"cannot be undone" in staff.get(end).content
    assert authenticate(found[1]).user_id == trader.pk
    assert staff.post(end, {"reason": "drill"}).headers["Location"] == page_of(trader)
    with pytest.raises(Unauthenticated):
        authenticate(found[1])
    assert told("api_key.revoked")[1] == {"reason": "drill"}


def test_key_is_never_more_than_its_person(staff: Client, trader: User, foreign: World) -> None:
    page = reverse("admin:users_apikey_add")
    kept = ApiKey.objects.count()
    for form in (
        {"user": trader.pk, "role": "admin"},
        {"user": foreign.user.pk},
        {"user": trader.pk, "accounts": [foreign.accounts[0].pk]},
    ):
        assert staff.post(page, {"label": "x", **form}).status_code == 422
    assert ApiKey.objects.count() == kept


def test_session_is_ended_from_the_persons_page(staff: Client, trader: User) -> None:
    session = AuthSession.objects.get(sid=open_session(user=trader, device=Device()).sid)
    end = reverse("admin:users_authsession_end", args=[session.pk])
    assert end in staff.get(page_of(trader)).content.decode()
    staff.post(end, {"reason": ""})
    session.refresh_from_db()
    assert session.revoked_reason == "operator"
    assert end not in staff.get(page_of(trader)).content.decode()


def test_foreign_rows_are_not_found(staff: Client, foreign: World) -> None:
    session = AuthSession.objects.get(sid=open_session(user=foreign.user, device=Device()).sid)
    key = ApiKey.objects.get(user=foreign.user)
    for page in (
        reverse("admin:users_authsession_end", args=[session.pk]),
        reverse("admin:users_apikey_revoke", args=[key.pk]),
    ):
        assert staff.post(page, {"reason": "x"}).status_code == 404
    for name in ("reset_page", "key_page"):
        page = reverse(f"admin:users_user_{name}", args=[foreign.user.pk])
        assert staff.post(page, {"reason": "x"}).status_code == 403
    session.refresh_from_db()
    key.refresh_from_db()
    assert (session.revoked_at, key.revoked_at) == (None, None)


def test_reset_is_handed_over_once(staff: Client, trader: User) -> None:
    page = reverse("admin:users_user_reset_page", args=[trader.pk])
    assert b"signed out everywhere" in staff.get(page).content
    trader.refresh_from_db()
    assert not trader.must_reset_password
    found = re.search(r"\?token=([\w-]+)</pre>", staff.post(page, {"reason": ""}).content.decode())
    assert found is not None
    person = Client()
    person.get(f"{reverse('dashboard:reset')}?token={found[1]}")
    form = {"new_password": "a brand new password", "again": "a brand new password"}
    assert person.post(reverse("dashboard:reset"), form).status_code == 302
    assert login(identifier="tina", password="a brand new password", device=Device())


def test_lost_factor_is_taken_away(staff: Client, trader: User) -> None:
    secret = mfa.enrol(user=trader).secret
    mfa.confirm(user=trader, code=pyotp.TOTP(secret).now())
    assert b"in force, 10 recovery codes left" in staff.get(page_of(trader)).content
    act(staff, "users_user", "reset_factors", [trader], **confirmed(confirm="reset 1"))
    assert not mfa.is_enabled(trader)
    assert AuditRecord.objects.filter(action="mfa.reset").count() == 1


def test_administrator_has_no_power_over_a_superuser(staff: Client, world: World) -> None:
    root = User.objects.create_superuser(
        "root", "root@example.test", PASSWORD, organisation=world.organisation
    )
    session = AuthSession.objects.get(sid=open_session(user=root, device=Device()).sid)
    assert staff.post(page_of(root), form_of(root, role="viewer")).status_code == 403
    reset = reverse("admin:users_user_reset_page", args=[root.pk])
    assert staff.post(reset, {"reason": ""}).status_code == 403
    end = reverse("admin:users_authsession_end", args=[session.pk])
    assert staff.post(end, {"reason": "x"}).status_code == 422
    _, said = act(staff, "users_user", "end_sessions", [root], **confirmed(confirm="end 1"))
    assert "1 refused" in said[-1]
    session.refresh_from_db()
    root.refresh_from_db()
    assert (session.revoked_at, root.role, root.must_reset_password) == (None, "admin", False)


def test_tenant_is_added_and_renamed_by_a_superuser_alone(operator: Client, staff: Client) -> None:
    page = reverse("admin:users_organisation_add")
    assert staff.post(page, {"name": "New", "base_currency": "USDT"}).status_code == 403
    operator.post(page, {"name": "New", "base_currency": "USDT"})
    new = Organisation.objects.get(name="New")
    assert operator.post(page, {"name": "new", "base_currency": "USDT"}).status_code == 422
    change = reverse("admin:users_organisation_change", args=[new.pk])
    operator.post(change, {"name": "Newer", "base_currency": "USDT"})
    assert told("console.organisation.changed") == ({"name": "New"}, {"name": "Newer"})
    assert AuditRecord.objects.filter(organisation=new).count() == 2
