"""A link between two organisations cannot be stored: every foreign key is tried."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.db import IntegrityError, models, transaction
from django.test import Client
from django.urls import reverse

from accounts.models import AccountGrant
from bots.models import Bot
from groups.models import Group, Membership
from surfaces.console.one_organisation import organisation_of
from tests.authorisation.callers import Caller
from tests.authorisation.markers import rows_of
from tests.authorisation.test_pages import browser_of
from tests.authorisation.worlds import own_models, state_of_the_database
from tests.dashboard.world import World
from trading.models import Command, Execution, Order, Position
from users.models import Organisation, User


def links() -> list[tuple[type[models.Model], Any]]:
    """Every foreign key from an organisation's row to an organisation's row."""
    tenant = sorted(filter(owned, own_models()), key=lambda model: model._meta.label)
    return [
        (model, field)
        for model in tenant
        for field in model._meta.concrete_fields
        if field.is_relation and field.related_model in tenant
    ]


def guarded_links() -> list[tuple[type[models.Model], Any]]:
    """The links that could cross: a row that has no organisation of its own and leads to one other
    row alone belongs wherever that one does.
    """
    counts = Counter(model for model, _ in links())
    return [
        (model, field)
        for model, field in links()
        if counts[model] > 1 or any(each.name == "organisation" for each in model._meta.fields)
    ]


def owned(model: type[models.Model]) -> bool:
    """Whether rows of the model belong to an organisation, through a link table too."""
    if model is Organisation or model.__name__.startswith("Historical"):
        return False
    if model in (User.groups.through, User.user_permissions.through):
        return False
    owner: Any = admin.site._registry.get(model)
    through = model._meta.auto_created or owner is None
    return bool(through) or getattr(owner, "organisation_path", None) is not None


def row_in(model: type[models.Model], world: World) -> Any:
    """A row of the organisation, of a link table too; None where there is none."""
    if model._meta.auto_created:
        return model._default_manager.filter(bot__organisation=world.organisation).first()
    rows = rows_of(model, world)
    return None if rows is None else rows.first()


@pytest.mark.parametrize(
    ("model", "field"), guarded_links(), ids=lambda each: getattr(each, "__name__", str(each))
)
def test_a_foreign_key_cannot_cross(
    model: type[models.Model], field: Any, world: World, other: World
) -> None:
    name = f"{model._meta.label}.{field.name}"
    row, foreign = row_in(model, world), row_in(field.related_model, other)
    assert row is not None, name
    assert foreign is not None, name
    rows = model._default_manager.filter(pk=row.pk)
    before = rows.values().get()
    with pytest.raises(IntegrityError), transaction.atomic():
        rows.update(**{field.attname: foreign.pk})
    setattr(row, field.attname, foreign.pk)
    with pytest.raises(IntegrityError), transaction.atomic():
        row.save()
    copy = model(**{**before, model._meta.pk.attname: None, field.attname: foreign.pk})  # type: ignore[union-attr]
    with pytest.raises(IntegrityError, match="two organisations"), transaction.atomic():
        model._default_manager.bulk_create([copy])
    assert rows.values().get() == before


def test_the_links_that_could_cross() -> None:
    guarded = {f"{model._meta.label}.{field.name}" for model, field in guarded_links()}
    assert guarded == {
        "accounts.AccountGrant.account",
        "accounts.AccountGrant.user",
        "bots.Bot_accounts.account",
        "bots.Bot_accounts.bot",
        "bots.Bot_groups.bot",
        "bots.Bot_groups.group",
        "groups.Membership.account",
        "groups.Membership.group",
        "monitoring.OutgoingMessage.channel",
        "monitoring.OutgoingMessage.event",
        "trading.CashFlow.account",
        "trading.Command.account",
        "trading.Command.execution",
        "trading.Command.retry_of",
        "trading.Deal.account",
        "trading.Deal.order",
        "trading.Deal.position",
        "trading.Order.account",
        "trading.Order.change",
        "trading.Order.command",
        "trading.Order.position",
        "trading.Order.replaces",
        "trading.Position.account",
        "trading.Protection.entry",
        "trading.Protection.position",
        "users.ApiKey.user",
        "webhooks.Signal.bot",
        "webhooks.Signal.execution",
    }


def test_sets_of_rows_cannot_cross(world: World, other: World) -> None:
    group = Group.objects.get(organisation=world.organisation)
    before = state_of_the_database()
    for act in (
        lambda: world.bot.accounts.add(other.accounts[0]),
        lambda: world.bot.accounts.set(other.accounts),
        lambda: group.accounts.add(other.accounts[0]),
        lambda: other.accounts[0].bots.add(world.bot),
    ):
        with pytest.raises(IntegrityError, match="two organisations"), transaction.atomic():
            act()
    assert state_of_the_database() == before


@pytest.mark.parametrize(
    "name", ["user", "account", "group", "bot", "execution", "command", "order", "position"]
)
def test_a_row_does_not_move_to_another_organisation(name: str, world: World, other: World) -> None:
    own = {"organisation": world.organisation}
    row = {
        "user": world.user,
        "account": world.accounts[0],
        "group": Group.objects.get(**own),
        "bot": world.bot,
        "execution": Execution.objects.filter(**own).first(),
        "command": Command.objects.filter(**own).first(),
        "order": Order.objects.filter(**own).first(),
        "position": Position.objects.filter(**own).first(),
    }[name]
    row.organisation = other.organisation
    with pytest.raises(IntegrityError, match="organisation"), transaction.atomic():
        row.save()
    row.refresh_from_db()
    assert row.organisation == world.organisation


def posted(browser: Client, page: str, *keys: Any, **changed: Any) -> Any:
    """A console form as it is shown, sent back with some values changed."""
    address = reverse(f"admin:{page}", args=keys)
    shown = browser.get(address).context["adminform"].form
    values = {name: shown[name].value() for name in shown.fields}
    return browser.post(address, {k: v for k, v in {**values, **changed}.items() if v is not None})


def faults(answer: Any) -> str:
    """The errors that a console form shows."""
    assert answer.status_code == 200
    return str(answer.context["errors"])


def test_console_forms_refuse_what_the_superuser_could_see(
    world: World, other: World, callers: dict[str, Caller]
) -> None:
    browser = browser_of(callers["superuser"])
    group = Group.objects.get(organisation=world.organisation)
    foreign = other.accounts[0]
    before = state_of_the_database()
    for answer in (
        posted(browser, "bots_bot_change", world.bot.pk, accounts=[foreign.pk]),
        posted(browser, "accounts_accountgrant_add", user=world.user.pk, account=foreign.pk),
        posted(
            browser,
            "groups_group_change",
            group.pk,
            **inline("memberships", account=foreign.pk, group=group.pk),
        ),
        posted(
            browser,
            "groups_group_add",
            organisation=world.organisation.pk,
            name="fresh-group",
            **inline("memberships", account=foreign.pk),
        ),
    ):
        assert "another organisation" in faults(answer)
    assert state_of_the_database() == before


def inline(prefix: str, **values: Any) -> dict[str, Any]:
    """The inputs of one new row below the form's own."""
    counts = {"TOTAL_FORMS": 1, "INITIAL_FORMS": 0, "MIN_NUM_FORMS": 0, "MAX_NUM_FORMS": 1000}
    return {
        **{f"{prefix}-{name}": count for name, count in counts.items()},
        **{f"{prefix}-0-{name}": value for name, value in values.items()},
    }


def crossings() -> Iterator[str]:
    """Every stored link that joins two organisations."""
    for model, field in links():
        for row in model._default_manager.all():
            own, named = organisation_of(row), getattr(row, field.name)
            if own and named is not None and organisation_of(named) not in (None, own):
                yield f"{model._meta.label} {row.pk} {field.name}"


def test_no_stored_link_crosses(world: World, other: World) -> None:
    assert list(crossings()) == []
    counts = [model.objects.count() for model in (Membership, AccountGrant, Bot, User)]
    assert counts == [4, 2, 2, 2]
