"""Every list and every row's page of the console: it answers, shows no secret, no foreign row."""

from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.db import models
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from accounts.models import Account, AccountGrant
from bots.models import Bot
from common.csv_cells import as_text
from events.log import audit, publish
from events.models import AuditRecord, Event
from groups.models import Group
from monitoring.alerts import raise_alert
from monitoring.models import Alert
from riskmgmt.models import KillSwitch, Reservation, RiskLimit
from surfaces.console.base import ExportAdmin, is_secret
from tests.dashboard.world import World, make_deal, make_position
from trading.models import Command, Deal, Execution, Lot, Order, OrderEvent, Position
from users.models import AuthSession
from webhooks.models import Signal

READ_ONLY = (
    Order,
    OrderEvent,
    Command,
    Execution,
    Deal,
    Lot,
    Position,
    Reservation,
    Event,
    AuditRecord,
    Signal,
    Alert,
    AuthSession,
)
OWN_APPS = {
    "events",
    "monitoring",
    "users",
    "exchanges",
    "marketdata",
    "accounts",
    "groups",
    "riskmgmt",
    "trading",
    "bots",
    "webhooks",
}


def address(model: type[models.Model], page: str, *args: Any) -> str:
    """The path of a console page of a model."""
    meta = model._meta
    return reverse(f"admin:{meta.app_label}_{meta.model_name}_{page}", args=args)


def shown_models() -> list[type[models.Model]]:
    """Every model that has pages in the console."""
    return sorted(admin.site._registry, key=lambda model: model._meta.label)


def complete(world: World) -> None:
    """The rest of a tenant's rows: what only the console shows."""
    organisation = world.organisation
    group = Group.objects.create(organisation=organisation, name=f"{organisation.name} group")
    group.accounts.add(world.accounts[0])
    KillSwitch.objects.create(
        organisation=organisation,
        scope="account",
        scope_id=world.accounts[0].pk,
        reason=f"{organisation.name} drill",
        actor="user:1",
    )
    RiskLimit.objects.create(
        organisation=organisation, scope="organisation", scope_id=organisation.pk
    )
    AccountGrant.objects.create(account=world.accounts[0], user=world.user)
    raise_alert(
        "stream_stale", message=f"{organisation.name} alert", organisation_id=organisation.pk
    )
    audit(None, "test.act", actor=f"{organisation.name}-user", organisation_id=organisation.pk)
    publish(
        "test.happened",
        organisation_id=organisation.pk,
        topics=(),
        payload={"api_secret": "MARKER-payload-77", "of": f"{organisation.name} event"},
    )


def test_every_own_model_has_pages() -> None:
    own = set(admin.site._registry)
    from_apps = {
        model
        for model in apps.get_models()
        if model._meta.app_label in OWN_APPS and not model.__name__.startswith("Historical")
    }
    assert from_apps - own == set()


@pytest.mark.parametrize("model", shown_models(), ids=lambda model: model._meta.label)
def test_list_answers_in_a_bounded_number_of_queries(
    model: type[models.Model],
    operator: Client,
    world: World,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    complete(world)
    with django_assert_max_num_queries(20):
        assert operator.get(address(model, "changelist")).status_code == 200


def test_no_page_shows_a_secret(operator: Client, world: World) -> None:
    complete(world)
    seen = 0
    for model in shown_models():
        pages = [address(model, "changelist")]
        for row in model._default_manager.all()[:3]:
            pages += [address(model, "change", row.pk), address(model, "history", row.pk)]
        for page in pages:
            response = operator.get(page)
            if response.status_code == 302:
                continue
            assert response.status_code == 200, page
            text = response.content.decode()
            assert "MARKER" not in text, page
            assert "enc:v1:" not in text, page
            assert world.user.password not in text, page
            seen += 1
    assert seen > 60


def test_no_model_admin_lists_a_secret_column() -> None:
    for model, owner in admin.site._registry.items():
        secrets = {field.name for field in model._meta.concrete_fields if is_secret(field)}
        assert not secrets & {*owner.list_display, *(owner.fields or ()), *owner.search_fields}


def test_no_list_is_filtered_by_a_secret_column(operator: Client, world: World) -> None:
    complete(world)
    asked = [
        (address(model, "changelist"), f"{field.name}{ending}")
        for model in shown_models()
        for field in model._meta.concrete_fields
        if is_secret(field)
        for ending in ("", "__startswith", "__regex", "__isnull")
    ]
    assert len(asked) >= 4 * 15
    users = address(AuthSession, "changelist")
    asked += [(users, "user__password__startswith"), (users, "user__totp__secret_sealed__gt")]
    told = [
        f"{path}?{lookup}"
        for path, lookup in asked
        if operator.get(path, {lookup: "0"}).status_code != 400
    ]
    assert told == []


def test_staff_cannot_guess_a_password_hash(staff: Client, world: World) -> None:
    listing = address(type(world.user), "changelist")
    for guess in (world.user.password[:9], "x"):
        assert staff.get(listing, {"password__startswith": guess}).status_code == 400
    assert staff.get(listing, {"role": world.user.role}).status_code == 200


@pytest.mark.parametrize("model", READ_ONLY, ids=lambda model: model._meta.label)
def test_facts_can_be_neither_added_nor_changed_nor_deleted(
    model: type[models.Model], operator: Client, world: World
) -> None:
    complete(world)
    assert operator.get(address(model, "add")).status_code == 403
    row = model._default_manager.first()
    if row is not None:
        before = model._default_manager.filter(pk=row.pk).values().get()
        assert operator.post(address(model, "change", row.pk), {"state": "x"}).status_code == 403
        assert operator.post(address(model, "delete", row.pk), {"post": "yes"}).status_code == 403
        assert model._default_manager.filter(pk=row.pk).values().get() == before


def test_staff_sees_its_own_organisation_alone(staff: Client, world: World, foreign: World) -> None:
    complete(world)
    complete(foreign)
    for model in shown_models():
        listing = staff.get(address(model, "changelist"))
        if listing.status_code == 403:
            continue
        assert "Other" not in listing.content.decode(), model
        for row in model._default_manager.all():
            if _organisation_of(row) == foreign.organisation.pk:
                for page in ("change", "history"):
                    assert staff.get(address(model, page, row.pk)).status_code in (302, 404), row


def _organisation_of(row: Any) -> int | None:
    for step in ("account", "order", "position", "event", "user", "group"):
        if hasattr(row, "organisation_id"):
            break
        row = getattr(row, step, row)
    return getattr(row, "organisation_id", None)


def test_history_of_a_foreign_account_is_not_found(
    staff: Client, world: World, foreign: World
) -> None:
    account = foreign.accounts[0]
    version = Account.history.filter(id=account.pk).first()
    page = reverse("admin:accounts_account_simple_history", args=[account.pk, version.pk])
    assert staff.get(page).status_code == 404
    own = Account.history.filter(id=world.accounts[0].pk).first()
    page = reverse("admin:accounts_account_simple_history", args=[world.accounts[0].pk, own.pk])
    answer = staff.get(page)
    assert answer.status_code == 200
    assert "MARKER" not in answer.content.decode()
    assert staff.post(page, {"name": "back again"}).status_code == 403


def test_forms_offer_own_rows_alone(staff: Client, world: World, foreign: World) -> None:
    for page in (
        address(AccountGrant, "add"),
        address(Bot, "add"),
        address(KillSwitch, "add"),
        address(Bot, "change", world.bot.pk),
        address(Account, "add"),
        address(Group, "add"),
    ):
        answer = staff.get(page)
        assert answer.status_code == 200
        assert "Other" not in answer.content.decode(), page


def test_platform_rows_are_for_superusers(staff: Client, operator: Client) -> None:
    for name in ("events_sequence", "marketdata_market", "django_celery_beat_periodictask"):
        page = reverse(f"admin:{name}_changelist")
        assert staff.get(page).status_code == 403
        assert operator.get(page).status_code == 200


def test_user_without_staff_rights_stays_outside(world: World) -> None:
    world.user.is_staff = False
    world.user.save()
    client = Client()
    client.force_login(world.user)
    assert client.get("/admin/").status_code == 302


def test_home_counts_what_needs_attention(staff: Client, world: World, foreign: World) -> None:
    complete(world)
    complete(foreign)
    text = staff.get("/admin/").content.decode()
    for name in (
        "Working orders",
        "Orders of unknown outcome",
        "Engaged kill switches",
        "Active alerts",
        "Accounts with stale figures",
    ):
        assert name in text
    assert text.count(">1</span>") == 4


def test_order_page_shows_decision_and_timeline(staff: Client, world: World) -> None:
    order = Order.objects.filter(account=world.accounts[0]).first()
    text = staff.get(address(Order, "change", order.pk)).content.decode()
    assert "max_order_value" in text
    assert "Timeline" in text
    assert "signature" in text
    assert "MARKER" not in text


@pytest.mark.parametrize("model", [Order, Deal, AuditRecord])
def test_export_is_csv_of_the_own_rows(
    model: type[models.Model], staff: Client, world: World, foreign: World
) -> None:
    complete(world)
    complete(foreign)
    page = address(model, "export")
    assert staff.get(page).status_code == 200
    answer = staff.post(page, {"format": "0", "resource": "0"})
    assert answer.headers["Content-Type"] == "text/csv"
    text = answer.content.decode()
    assert "Acme" in text
    assert "Other" not in text


def test_an_exported_name_is_no_formula(staff: Client, world: World) -> None:
    Account.objects.filter(pk=world.accounts[0].pk).update(name='=HYPERLINK("x")')
    page = address(Order, "export")
    text = staff.post(page, {"format": "0", "resource": "0"}).content.decode()
    assert '"\'=HYPERLINK(""x"")"' in text
    assert [as_text(cell) for cell in ("-0.5", "-1+1", "@x", "x", None)] == [
        "-0.5",
        "'-1+1",
        "'@x",
        "x",
        None,
    ]


def test_an_export_is_audited_and_bounded(
    staff: Client, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = address(Order, "export") + "?state__exact=FILLED"
    rows = Order.objects.filter(account__organisation=world.organisation, state="FILLED").count()
    staff.post(page, {"format": "0", "resource": "0"})
    record = AuditRecord.objects.get(action="console.order.exported")
    assert record.after == {"rows": rows, "query": "state__exact=FILLED"}
    assert record.actor == f"user:{world.user.pk}"
    monkeypatch.setattr(ExportAdmin, "most_exported", rows - 1)
    answer = staff.post(page, {"format": "0", "resource": "0"})
    assert answer.headers["Content-Type"].startswith("text/html")
    assert "narrow the filter" in answer.content.decode()
    assert AuditRecord.objects.filter(action="console.order.exported").count() == 1


def test_position_page_shows_its_deals(staff: Client, world: World) -> None:
    order = Order.objects.filter(account=world.accounts[0])[0]
    deal = make_deal(order, make_position(world.accounts[0], symbol="LTC/USDT"))
    text = staff.get(address(Position, "change", deal.position_id)).content.decode()
    assert address(Deal, "change", deal.pk) in text
    assert f"<td>{deal.side}</td><td>{deal.entry}</td>" in text


def test_export_wants_its_right(world: World) -> None:
    world.user.role = "trader"
    world.user.save()
    client = Client()
    client.force_login(world.user)
    assert client.get(address(Order, "changelist")).status_code == 200
    assert client.get(address(Order, "export")).status_code == 403
    assert client.get(address(Account, "add")).status_code == 403
