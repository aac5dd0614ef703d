"""Two organisations that own one of everything, and the ids their routes are called with."""

import uuid
from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db import connection, models

from accounts.models import AccountGrant, StreamStatus
from bots.models import PreviousSecret
from common.clock import now
from events.log import audit, publish
from events.models import Event, ParkedEvent
from events.sequencer import number_events
from groups.models import Group
from monitoring.alerts import raise_alert
from monitoring.models import Alert, NotificationChannel, OutgoingMessage
from riskmgmt.models import GroupGuard, KillSwitch, OwnerSwitch, Reservation, RiskLimit
from tests.dashboard.world import World, fill, make_execution, make_order, make_world
from trading.models import (
    CashFlow,
    Deal,
    Execution,
    FollowUp,
    MagicCounter,
    Order,
    Position,
    Protection,
    Snapshot,
    TradeCursor,
    TransferCursor,
)
from users.models import ApiKey, AuthSession, PasswordReset, RecoveryCode, TotpDevice
from webhooks.models import Signal

MISSING = 10**12
FIRST_NUMBER = 7_130_000
# Tables that move when somebody only asks, and ones that are nobody's.
RESTLESS = {"users.LoginThrottle", "monitoring.Heartbeat", "events.Sequence", "sessions.Session"}


def whole_world(name: str) -> World:
    """An organisation with one of everything that a route, a page or a stream could show."""
    world = make_world(name)
    fill(world)
    organisation, account = world.organisation, world.accounts[0]
    group = Group.objects.create(organisation=organisation, name=f"{name}-group")
    group.accounts.set(world.accounts)
    ordered = make_execution(world, source=Execution.GROUP, source_ref=str(group.pk))
    make_order(account, execution=ordered)
    world.bot.groups.add(group)
    for kind in ("hmac", "token"):
        PreviousSecret.objects.create(bot=world.bot, kind=kind, accepted_until=now())
    AccountGrant.objects.create(account=account, user=world.user)
    KillSwitch.objects.create(
        organisation=organisation,
        scope="account",
        scope_id=account.pk,
        reason=f"{name} drill",
        actor="user:1",
    )
    RiskLimit.objects.create(
        organisation=organisation, scope="organisation", scope_id=organisation.pk
    )
    GroupGuard.objects.create(
        organisation=organisation,
        group_id=group.pk,
        book=account.book,
        currency=f"{name}"[:10],
        value=1,
        peak=1,
        peak_at=now(),
        line={},
        started_at=now(),
        judged_at=now(),
        latched_at=now(),
        max_drawdown=25,
        reset_at=now(),
        reason=f"{name} looked at it",
    )
    OwnerSwitch.objects.create(organisation=organisation, magic_id=1, level="REDUCING")
    raise_alert("stream_stale", message=f"{name} alert", organisation_id=organisation.pk)
    _fill_ledger(world)
    _fill_identity(world)
    audit(None, "test.act", actor=f"{name}-user", organisation_id=organisation.pk)
    publish(
        "test.happened",
        organisation_id=organisation.pk,
        topics=(f"bot:{world.bot.pk}",),
        payload={"account_id": account.pk, "of": f"{name} event"},
    )
    number_events()
    event = Event.objects.filter(organisation=organisation).latest("pk")
    ParkedEvent.objects.create(consumer="test", event=event, error=f"{name} failure")
    _fill_channels(world, event)
    return world


def _fill_channels(world: World, event: Event) -> None:
    channel = NotificationChannel(
        organisation=world.organisation,
        name=f"{world.organisation.name} channel",
        scheme="jsons",
        topics=["fills"],
    )
    channel.set_address("jsons://MARKER-channel-address")
    channel.save()
    OutgoingMessage.objects.create(
        channel=channel,
        event=event,
        topic="fills",
        severity="info",
        title=f"{world.organisation.name} message",
        happened_at=event.created_at,
    )


def _fill_ledger(world: World) -> None:
    organisation, account = world.organisation, world.accounts[0]
    order = Order.objects.filter(account=account).order_by("pk").first()
    Reservation.objects.create(
        organisation=organisation,
        account_id=account.pk,
        symbol=f"{world.organisation.name}/USDT",
        notional=1,
        order_uid=uuid.uuid4(),
    )
    Snapshot.objects.create(order=order, claim_token=uuid.uuid4(), taken_at=now())
    MagicCounter.objects.create(organisation=organisation)
    held = Position.objects.filter(account=account).order_by("pk")[0]
    Protection.objects.create(
        position=held, entry=order, problem=f"{organisation} gap", state="ended"
    )
    Position.objects.create(
        organisation=organisation,
        account=world.accounts[1],
        book=account.book,
        symbol=f"{organisation.name}/USDT",
        side="buy",
        quantity=1,
        average_price=1,
        allocated=False,
        external_order_id=f"{organisation.name} external",
    )
    deal = Deal.objects.filter(account=account).order_by("pk")[0]
    FollowUp.objects.create(deal=deal, seconds=10, due_at=now())
    TradeCursor.objects.create(account=account, symbol="BTC/USDT", mismatch=f"{organisation} gap")
    TransferCursor.objects.create(account=account, checked_at=now(), error=f"{organisation} error")
    StreamStatus.objects.create(account=account, error=f"{organisation} stream")
    CashFlow.objects.create(
        organisation=organisation,
        account=account,
        book=account.book,
        symbol="BTC/USDT",
        reason="funding",
        amount=1,
        currency="USDT",
        exchange_id=f"{organisation} payment",
        executed_at=now(),
    )


def _fill_identity(world: World) -> None:
    TotpDevice.objects.create(user=world.user, secret_sealed="MARKER-sealed")
    RecoveryCode.objects.create(user=world.user, code_hash=uuid.uuid4().hex * 2)
    PasswordReset.objects.create(
        user=world.user,
        token_hash=uuid.uuid4().hex * 2,
        issued_by=world.user.username,
        expires_at=world.user.created_at,
    )


def start_numbers_high() -> None:
    """Rows get numbers from here on that stand for nothing else in an answer."""
    with connection.cursor() as cursor:
        for model in own_models():
            table, key = model._meta.db_table, model._meta.pk
            if not isinstance(key, models.AutoField):
                continue
            if connection.vendor == "postgresql":
                where = f"pg_get_serial_sequence('\"{table}\"', '{key.column}')"
                cursor.execute(f"SELECT setval({where}, {FIRST_NUMBER})")
            else:
                cursor.execute("DELETE FROM sqlite_sequence WHERE name = %s", [table])
                cursor.execute("INSERT INTO sqlite_sequence VALUES (%s, %s)", [table, FIRST_NUMBER])


def ids_of(world: World) -> dict[str, Any]:
    """What stands for each parameter of a path, by the parameter's name.

    A route with a parameter that is not here cannot be tested, and fails the suite.
    """
    account = world.accounts[0]
    session = AuthSession.objects.filter(user__organisation=world.organisation).first()
    return {
        "account_id": account.pk,
        "symbol": "BTC_USDT",
        "func": "create_order",
        "bot_id": world.bot.pk,
        "group_id": Group.objects.get(organisation=world.organisation).pk,
        "session_id": session.sid if session else uuid.uuid4(),
        "sid": session.sid if session else uuid.uuid4(),
        "correlation_id": Signal.objects.filter(organisation=world.organisation)[0].correlation_id,
        "order_id": Order.objects.filter(account=account).order_by("pk")[0].pk,
        "execution_id": Execution.objects.get(
            organisation=world.organisation, source=Execution.GROUP
        ).pk,
        "position_id": Position.objects.filter(account=account)[0].pk,
        "switch_id": KillSwitch.objects.get(organisation=world.organisation).pk,
        "alert_id": Alert.objects.get(organisation=world.organisation).pk,
        "user_id": world.user.pk,
        "org_id": world.organisation.pk,
        "key_id": ApiKey.objects.filter(organisation=world.organisation).order_by("pk")[0].pk,
        "token": "no-bot-has-this-token",
        "kind": "hmac",
    }


def missing_ids() -> dict[str, Any]:
    """Ids of nothing."""
    uids = {name: uuid.UUID(int=7) for name in ("session_id", "sid")}
    numbers = (
        "account",
        "bot",
        "group",
        "execution",
        "order",
        "position",
        "switch",
        "alert",
        "user",
        "org",
        "key",
    )
    return {
        **{f"{name}_id": MISSING for name in numbers},
        **uids,
        "correlation_id": "0" * 32,
        "token": "nor-has-any-this-one",
        "kind": "hmac",
    }


def own_models() -> Iterator[type[models.Model]]:
    """The models of this project's apps, each table once."""
    for model in apps.get_models(include_auto_created=True):
        if model._meta.proxy:
            continue
        if model._meta.app_config.name in settings.LOCAL_APPS and model._meta.label not in RESTLESS:
            yield model


def state_of_the_database() -> dict[str, list[tuple[Any, ...]]]:
    """Every row of our tables, to show that nothing moved."""
    return {
        model._meta.label: list(model._default_manager.order_by("pk").values_list())
        for model in own_models()
    }
