"""Kill switches, switches of owners and of venues: engaging, releasing, reading.

Engaging writes one row and needs no worker, queue or cache; whoever claims orders reads the rows
inside the transaction of the claim.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import IntegrityError, transaction

from accounts.books import MODES
from accounts.models import Account
from common.clock import now
from common.errors import Conflict, Denied, Invalid, NotFound
from common.principal import RISK, Principal
from common.readings import Reading, Row
from events.log import audit, publish
from monitoring.alerts import raise_alert, resolve_alerts
from monitoring.models import Alert
from users.permissions import RISK as RISK_PERMISSION
from users.permissions import may

from .models import KillSwitch, OwnerSwitch, Scope, VenueState

EVERY_MODE = ""
ALERT = "kill_switch_engaged"
_SEVERITY = {KillSwitch.Level.REDUCING: 1, KillSwitch.Level.HALTED: 2}


@dataclass(frozen=True, slots=True)
class SwitchBoard:
    """The engaged switches as read at one moment."""

    levels: dict[tuple[str, int, str], str]
    disabled_venues: frozenset[str]
    owners: dict[tuple[int, int], str]

    def level(self, *, organisation_id: int, account_id: int, mode: str) -> str | None:
        """The strictest level over global, organisation and account for orders of a mode; None when
        nothing is engaged.
        """
        found = [
            self.levels[*scope, switched]
            for scope in (
                (Scope.GLOBAL.value, 0),
                (Scope.ORGANISATION.value, organisation_id),
                (Scope.ACCOUNT.value, account_id),
            )
            for switched in (EVERY_MODE, mode)
            if (*scope, switched) in self.levels
        ]
        return max(found, key=lambda level: _SEVERITY[KillSwitch.Level(level)], default=None)

    def owner_level(self, *, organisation_id: int, magic_id: int) -> str | None:
        """How far an owner's orders are stopped; None when they are not."""
        return self.owners.get((organisation_id, magic_id))


ENGAGED = Reading(
    "switches",
    "scope, scope_id, mode, level",
    f"FROM {KillSwitch._meta.db_table} WHERE released_at IS NULL",
)
DISABLED_VENUES = Reading(
    "disabled_venues", "venue", f"FROM {VenueState._meta.db_table} WHERE NOT is_enabled"
)
# Needs the list ``organisations``.
STOPPED_OWNERS = Reading(
    "stopped_owners",
    "organisation_id, magic_id, level",
    f"FROM {OwnerSwitch._meta.db_table} WHERE organisation_id {{in_organisations}}",
)


def board_of(
    engaged: Sequence[Row], disabled: Sequence[Row], owners: Sequence[Row] = ()
) -> SwitchBoard:
    """The board by what ENGAGED, DISABLED_VENUES and STOPPED_OWNERS found; all are read inside the
    transaction that decides.
    """
    return SwitchBoard(
        levels={(scope, scope_id, mode): level for scope, scope_id, mode, level in engaged},
        disabled_venues=frozenset(venue for (venue,) in disabled),
        owners={(organisation, magic_id): level for organisation, magic_id, level in owners},
    )


def switch_owner(*, organisation_id: int, magic_id: int, level: str | None) -> None:
    """Stop an owner's orders as far as ``level`` says, or not at all with None; orders that wait
    are judged by it, too. Part of the caller's transaction, which audits what it is for.
    """
    if level is None:
        OwnerSwitch.objects.filter(organisation_id=organisation_id, magic_id=magic_id).delete()
        return
    OwnerSwitch.objects.update_or_create(
        organisation_id=organisation_id, magic_id=magic_id, defaults={"level": level}
    )


def engage(
    *,
    principal: Principal,
    scope: str,
    scope_id: int = 0,
    level: str = KillSwitch.Level.REDUCING,
    mode: str = EVERY_MODE,
    reason: str,
) -> KillSwitch:
    """Engage a switch, or raise its level when it is engaged already. A reason is required.

    With ``mode`` it is for orders of that mode alone, beside one for all that may be engaged in the
    same scope; live means really sent, to a rehearsal exchange too. Raises Denied, Invalid,
    Conflict (engaged at the same or a higher level).
    """
    scope_id = _checked_scope(principal, scope, scope_id)
    if level not in KillSwitch.Level.values:
        raise Invalid("Unknown level.", fields={"level": "REDUCING or HALTED"})
    if mode not in (EVERY_MODE, *MODES):
        raise Invalid("Unknown mode.", fields={"mode": "paper, shadow, live, or empty for all"})
    if not reason.strip():
        raise Invalid("A reason is required.", fields={"reason": "required"})
    with transaction.atomic():
        current = (
            KillSwitch.objects.engaged()
            .select_for_update(no_key=True)
            .filter(scope=scope, scope_id=scope_id, mode=mode)
            .first()
        )
        if current is not None:
            if _SEVERITY[KillSwitch.Level(current.level)] >= _SEVERITY[KillSwitch.Level(level)]:
                raise Conflict("The switch is engaged already.", code="already_engaged")
            current.level = level
            current.save(update_fields=["level"])
            switch = current
        else:
            switch = _new_switch(principal, scope, scope_id, level, mode, reason)
        raise_alert(
            ALERT,
            message=f"Kill switch engaged: {switch}. {switch.reason}",
            organisation_id=switch.organisation_id,
            subject=_subject(switch),
            severity=Alert.Severity.CRITICAL,
        )
        _record(principal, switch, "kill_switch.engaged")
    return switch


def _new_switch(
    principal: Principal, scope: str, scope_id: int, level: str, mode: str, reason: str
) -> KillSwitch:
    try:
        with transaction.atomic():
            return KillSwitch.objects.create(
                organisation_id=None if scope == Scope.GLOBAL else principal.organisation_id,
                scope=scope,
                scope_id=scope_id,
                level=level,
                mode=mode,
                reason=reason.strip()[:300],
                actor=principal.key,
            )
    except IntegrityError as error:
        raise Conflict("The switch is engaged already.", code="already_engaged") from error


@transaction.atomic
def release(*, principal: Principal, switch: KillSwitch, confirm: str) -> None:
    """Release a switch; ``confirm`` must be its level, typed. Raises Denied, Invalid, Conflict."""
    _checked_scope(principal, switch.scope, switch.scope_id)
    if confirm != switch.level:
        raise Invalid(
            "Type the level of the switch to release it.",
            code="confirmation_mismatch",
            fields={"confirm": f"must be {switch.level}"},
        )
    changed = KillSwitch.objects.filter(pk=switch.pk, released_at=None).update(
        released_at=now(), released_by=principal.key
    )
    if not changed:
        raise Conflict("The switch is not engaged.", code="not_engaged")
    resolve_alerts(ALERT, organisation_id=switch.organisation_id, subject=_subject(switch))
    _record(principal, switch, "kill_switch.released")


def set_venue(*, principal: Principal, venue: str, is_enabled: bool, reason: str) -> VenueState:
    """Allow or forbid sending orders to a venue, for all organisations; platform superusers
    only.
    """
    if not principal.is_superuser:
        raise Denied("Only the platform's operator may switch a venue.", code="permission_denied")
    state, _ = VenueState.objects.update_or_create(
        venue=venue,
        defaults={"is_enabled": is_enabled, "reason": reason, "changed_by": principal.key},
    )
    audit(
        principal,
        "venue.switched",
        target=f"venue:{venue}",
        after={"enabled": is_enabled, "reason": reason},
    )
    return state


def _checked_scope(principal: Principal, scope: str, scope_id: int) -> int:
    """The scope's id after checking that the principal may switch it."""
    if scope == Scope.GLOBAL:
        if not principal.is_superuser:
            raise Denied(
                "Only the platform's operator may switch globally.", code="permission_denied"
            )
        return 0
    if scope == Scope.ORGANISATION:
        scope_id = scope_id or principal.organisation_id
        if scope_id != principal.organisation_id and not principal.is_superuser:
            raise NotFound("There is no such organisation.")
        allowed = may(principal, RISK_PERMISSION)
    elif scope == Scope.ACCOUNT:
        if not Account.objects.visible_to(principal).filter(pk=scope_id).exists():
            raise NotFound("There is no such account.")
        allowed = may(principal, RISK_PERMISSION) or principal.may(RISK, scope_id)
    else:
        raise Invalid("Unknown scope.", fields={"scope": "global, organisation or account"})
    if not allowed:
        raise Denied("Your role does not allow this.", code="permission_denied")
    return scope_id


def _subject(switch: KillSwitch) -> str:
    return f"{switch.scope}:{switch.scope_id}:{switch.mode}"


def _record(principal: Principal, switch: KillSwitch, kind: str) -> None:
    facts = {
        "switch_id": switch.pk,
        "scope": switch.scope,
        "scope_id": switch.scope_id,
        "level": switch.level,
        "mode": switch.mode,
        "reason": switch.reason,
    }
    audit(principal, kind, target=f"kill_switch:{switch.pk}", after=facts)
    topics = ("risk", f"account:{switch.scope_id}") if switch.scope == Scope.ACCOUNT else ("risk",)
    publish(kind, organisation_id=principal.organisation_id, topics=topics, payload=facts)
