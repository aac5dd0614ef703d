"""Notification channels: made, changed, tried out and removed. Surfaces ask for the right to manage
before they call.
"""

from collections.abc import Iterable
from typing import Any

from django.db import IntegrityError, transaction

from common.clock import now
from common.crypto import SealError
from common.errors import Conflict, Invalid, NotFound
from common.principal import Principal
from events.log import audit

from .delivery import note_result
from .models import Alert, NotificationChannel, OutgoingMessage
from .notices import topics as known_topics
from .sending import SWITCHED_OFF, UNREADABLE, scheme_of, send

MOST_CHANNELS = 50
NAME_LENGTH = 80


@transaction.atomic
def create_channel(
    *, principal: Principal, name: str, address: str, topics: Iterable[str], is_enabled: bool = True
) -> NotificationChannel:
    """A channel that is told of the topics from now on; its address is shown nowhere again.

    Raises Invalid (``unknown_channel_address``, ``private_address``), Conflict (``name_taken``,
    ``too_many_channels``).
    """
    own = NotificationChannel.objects.filter(organisation_id=principal.organisation_id)
    if own.count() >= MOST_CHANNELS:
        raise Conflict(f"At most {MOST_CHANNELS} channels.", code="too_many_channels")
    row = NotificationChannel(
        organisation_id=principal.organisation_id,
        name=_checked_name(name),
        scheme=scheme_of(address),
        topics=_checked_topics(topics),
        is_enabled=is_enabled,
    )
    row.set_address(address)
    _save(row)
    audit(principal, "notification_channel.created", target=_target(row), after=_facts(row))
    return row


@transaction.atomic
def change_channel(
    *,
    principal: Principal,
    channel: NotificationChannel,
    name: str,
    topics: Iterable[str],
    is_enabled: bool,
    address: str = "",
) -> NotificationChannel:
    """Change a channel; without ``address`` the one it has stays. One that is switched off drops
    what still waits. Raises what :func:`create_channel` does, and NotFound.
    """
    row = _locked(principal, channel)
    before = _facts(row)
    row.name, row.topics = _checked_name(name), _checked_topics(topics)
    row.is_enabled = is_enabled
    if address:
        row.scheme = scheme_of(address)
        row.set_address(address)
        row.failures, row.held_until, row.last_result = 0, None, ""
    _save(row)
    if not is_enabled:
        row.messages.filter(state=OutgoingMessage.State.WAITING).update(
            state=OutgoingMessage.State.FAILED, result=SWITCHED_OFF, settled_at=now()
        )
    after = {**_facts(row), "address_changed": bool(address)}
    audit(
        principal, "notification_channel.changed", target=_target(row), before=before, after=after
    )
    return row


@transaction.atomic
def delete_channel(*, principal: Principal, channel: NotificationChannel) -> None:
    """Remove a channel with all of its messages; raises NotFound."""
    row = _locked(principal, channel)
    audit(principal, "notification_channel.deleted", target=_target(row), before=_facts(row))
    row.delete()


def try_out(*, principal: Principal, channel: NotificationChannel) -> str:
    """Send a test message now, whether the channel is in use or not; what came of it as
    ``sending.RESULTS`` has it. Takes ten seconds at most. Raises NotFound.
    """
    row = NotificationChannel.objects.visible_to(principal).filter(pk=channel.pk).first()
    if row is None:
        raise NotFound("There is no such channel.", code="channel_not_found")
    try:
        address = row.open_address()
    except SealError:
        result = UNREADABLE
    else:
        result = send(
            address,
            title="Test message",
            body=f"The channel {row.name} works. Sent by {principal.username or principal.key}.",
            severity=Alert.Severity.INFO,
        )
    note_result(row, result)
    audit(principal, "notification_channel.tested", target=_target(row), after={"result": result})
    return result


def _locked(principal: Principal, channel: NotificationChannel) -> NotificationChannel:
    rows = NotificationChannel.objects.visible_to(principal).select_for_update(no_key=True)
    row = rows.filter(pk=channel.pk).first()
    if row is None:
        raise NotFound("There is no such channel.", code="channel_not_found")
    return row


def _save(row: NotificationChannel) -> None:
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError as error:
        raise Conflict(
            "A channel of this name exists.", code="name_taken", fields={"name": "is taken"}
        ) from error


def _checked_name(name: str) -> str:
    name = name.strip()
    if not name or len(name) > NAME_LENGTH or not name.isprintable():
        raise Invalid("Not a name.", fields={"name": f"1 to {NAME_LENGTH} printable characters"})
    return name


def _checked_topics(chosen: Iterable[str]) -> list[str]:
    names = sorted(set(chosen))
    unknown = set(names) - {topic.name for topic in known_topics()}
    if unknown or not names:
        raise Invalid("Choose what the channel is told of.", fields={"topics": "one or more"})
    return names


def _target(row: NotificationChannel) -> str:
    return f"notification_channel:{row.pk}"


def _facts(row: NotificationChannel) -> dict[str, Any]:
    """What the audit tells of a channel; not its address."""
    return {
        "name": row.name,
        "scheme": row.scheme,
        "topics": row.topics,
        "enabled": row.is_enabled,
    }
