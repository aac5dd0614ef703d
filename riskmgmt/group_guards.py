"""Guards of groups: what they keep, latching, resetting, and what the checks read of them."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import transaction

from accounts.models import Account
from common.clock import iso, now
from common.errors import Conflict, Denied, Invalid, NotFound
from common.money import plain
from common.principal import Principal, system_principal
from common.readings import Reading, Row, as_text, money_of
from events.log import audit, publish
from groups.models import Group, Membership
from monitoring.alerts import raise_alert, resolve_alerts
from monitoring.models import Alert
from users.permissions import RISK, demand

from .models import GroupGuard
from .unit_values import EquityReading, Line, Peak, Stand

ALERT = "group_drawdown"
# Of each of the list ``accounts``: drawdown and limit where a guard of its book refuses entries.
LATCHED = Reading(
    "latched_groups",
    f"m.account_id, {as_text('g.drawdown', 'g.max_drawdown')}",
    f"FROM {GroupGuard._meta.db_table} AS g"
    f" JOIN {Membership._meta.db_table} AS m ON m.group_id = g.group_id"
    f" JOIN {Account._meta.db_table} AS a ON a.id = m.account_id AND a.book = g.book"
    " WHERE g.latched_at IS NOT NULL AND g.reset_at IS NULL AND m.account_id {in_accounts}",
)


def latches_of(rows: Sequence[Row]) -> dict[int, tuple[Decimal, Decimal]]:
    """Drawdown and limit in percent, by account, from what LATCHED found."""
    return {
        account_id: (money_of(drawdown), money_of(limit)) for account_id, drawdown, limit in rows
    }


def line_of(guard: GroupGuard) -> Line:
    """The stored line."""
    kept = guard.line
    waiting, risen = kept["waiting"], kept["risen"]
    return Line(
        settled=_stand(kept["settled"]),
        latest=_stand(kept["latest"]),
        peak=Peak(*_value_at(kept["peak"])),
        waiting=_stand(waiting) if waiting else None,
        risen=Peak(*_value_at(risen)) if risen else None,
        counted=frozenset(kept["counted"]),
    )


def keep(guard: GroupGuard, line: Line, at: datetime) -> None:
    """Put a line and what it shows into the guard; nothing is saved."""
    guard.line = {
        "settled": _kept_stand(line.settled),
        "latest": _kept_stand(line.latest),
        "peak": _kept(line.peak.value, line.peak.at),
        "waiting": _kept_stand(line.waiting) if line.waiting else None,
        "risen": _kept(line.risen.value, line.risen.at) if line.risen else None,
        "counted": sorted(line.counted),
    }
    guard.value, guard.drawdown, guard.judged_at = line.latest.value, line.drawdown, at
    guard.peak, guard.peak_at = line.highest.value, line.highest.at


def latch(guard: GroupGuard, group: Group, at: datetime) -> None:
    """Refuse entries of the guard's accounts from the commit on, until somebody resets it; saves
    the guard. In the transaction that holds it.
    """
    guard.latched_at, guard.max_drawdown = at, group.max_drawdown
    guard.save()
    told = (
        f"Group {group.name} is {guard.drawdown:.2f} % below its peak, its limit is"
        f" {plain(group.max_drawdown)} %: entries of its {guard.book} accounts are refused."
    )
    raise_alert(
        ALERT,
        message=told,
        organisation_id=guard.organisation_id,
        subject=_subject(guard),
        severity=Alert.Severity.CRITICAL,
        details=_facts(guard),
    )
    _record(system_principal(guard.organisation_id), guard, "group_guard.latched")


@transaction.atomic
def reset_guard(*, principal: Principal, guard: GroupGuard, confirm: str, reason: str) -> None:
    """Accept entries again; the next reading starts a new line with a new peak.

    ``confirm`` must be the group's name, typed. Raises Denied, NotFound, Invalid, Conflict
    ``not_latched``.
    """
    demand(principal, RISK)
    group = Group.objects.visible_to(principal).filter(pk=guard.group_id).first()
    if group is None or not GroupGuard.objects.visible_to(principal).filter(pk=guard.pk).exists():
        raise NotFound("There is no such guard.", code="guard_not_found")
    if confirm != group.name:
        raise Invalid(
            "Type the name of the group to reset its guard.",
            code="confirmation_mismatch",
            fields={"confirm": f"must be {group.name}"},
        )
    if not reason.strip():
        raise Invalid("A reason is required.", fields={"reason": "required"})
    changed = GroupGuard.objects.latched().filter(pk=guard.pk)
    if not changed.update(reset_at=now(), reset_by=principal.key, reason=reason.strip()[:300]):
        raise Conflict("The guard is not latched.", code="not_latched")
    guard.refresh_from_db()
    resolve_alerts(ALERT, organisation_id=guard.organisation_id, subject=_subject(guard))
    _record(principal, guard, "group_guard.reset")


def reset_latched(
    *, principal: Principal, group: Group, reason: str, guard_id: int | None = None
) -> GroupGuard:
    """Reset the latched guard of a group, of several the one named; the guard afterwards.

    Raises Denied, NotFound ``guard_not_found``, Invalid, Conflict ``not_latched`` and
    ``guard_ambiguous``, which names those that are latched.
    """
    demand(principal, RISK)
    if principal.account_ids is not None:
        raise Denied("This key is limited to single accounts.", code="key_is_limited")
    guards = GroupGuard.objects.visible_to(principal).filter(group_id=group.pk)
    found = list(guards.latched() if guard_id is None else guards.filter(pk=guard_id))
    if len(found) > 1:
        told = {str(guard.pk): f"{guard.book} {guard.currency}" for guard in found}
        raise Conflict(
            "Several guards of the group are latched: name one by guard_id.",
            code="guard_ambiguous",
            details={"guards": told},
        )
    if not found and guard_id is None:
        raise Conflict("No guard of the group is latched.", code="not_latched")
    if not found:
        raise NotFound("There is no such guard.", code="guard_not_found")
    reset_guard(principal=principal, guard=found[0], confirm=group.name, reason=reason)
    return found[0]


def _subject(guard: GroupGuard) -> str:
    return f"group:{guard.group_id}:{guard.book}:{guard.currency}"


def _record(principal: Principal, guard: GroupGuard, kind: str) -> None:
    facts = _facts(guard)
    audit(principal, kind, target=f"group:{guard.group_id}", after=facts)
    publish(
        kind,
        organisation_id=guard.organisation_id,
        topics=("risk", f"group:{guard.group_id}"),
        payload=facts,
    )


def _facts(guard: GroupGuard) -> dict[str, Any]:
    return {
        "guard_id": guard.pk,
        "group_id": guard.group_id,
        "book": guard.book,
        "currency": guard.currency,
        "value": plain(guard.value),
        "peak": plain(guard.peak),
        "peak_at": iso(guard.peak_at),
        "drawdown": plain(guard.drawdown),
        "max_drawdown": None if guard.max_drawdown is None else plain(guard.max_drawdown),
        "reason": guard.reason,
    }


def _kept(value: Decimal, at: datetime) -> list[str]:
    return [plain(value), at.isoformat()]


def _kept_stand(stand: Stand) -> dict[str, Any]:
    return {
        "of": _kept(stand.value, stand.at),
        "readings": {
            str(account_id): _kept(reading.equity, reading.at)
            for account_id, reading in stand.readings.items()
        },
    }


def _value_at(kept: list[str]) -> tuple[Decimal, datetime]:
    return Decimal(kept[0]), datetime.fromisoformat(kept[1])


def _stand(kept: dict[str, Any]) -> Stand:
    readings = {
        int(account_id): EquityReading(*_value_at(each))
        for account_id, each in kept["readings"].items()
    }
    return Stand(*_value_at(kept["of"]), readings)
