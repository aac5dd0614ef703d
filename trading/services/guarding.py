"""What a position says of its protection: the state of each set, the alert of one that is not what
somebody asked for.
"""

from common.clock import now
from events.log import publish_all
from monitoring.alerts import raise_alert, resolve_alerts
from monitoring.models import Alert
from trading.models import Position, Protection

from .announce import position_event

UNPROTECTED = "position_unprotected"
_WORST_FIRST = (Protection.State.MISSING, Protection.State.PLACING, Protection.State.PROTECTED)


def note(row: Protection, state: str, problem: str) -> None:
    """Write a set as it stands now, and tell of it where that is new. The caller's transaction
    holds the set.
    """
    is_new = row.state != state
    if is_new:
        row.since = now()
    is_worse = state == Protection.State.MISSING and (is_new or row.problem != problem)
    row.state, row.problem, row.checked_at = state, problem, now()
    row.save()
    if is_worse or (is_new and state == Protection.State.MISSING):
        _report(row)
    elif is_new and state in (Protection.State.PROTECTED, Protection.State.ENDED):
        position = row.position
        resolve_alerts(UNPROTECTED, organisation_id=position.organisation_id, subject=_subject(row))
    _summarise(row)


def _summarise(row: Protection) -> None:
    """Bring the position's own word up to date."""
    found = set(
        Protection.objects.active().filter(position=row.position_id).values_list("state", flat=True)
    )
    word: str = next((each for each in _WORST_FIRST if each in found), "")
    position = row.position
    if not word or position.state == Position.State.CLOSED:
        word = Position.Guarded.NONE_WANTED
    changed = Position.objects.filter(pk=position.pk).exclude(protection=word)
    if changed.update(protection=word):
        position.protection = word
        publish_all([position_event(position, {row.magic_id})])


def _subject(row: Protection) -> str:
    return f"position:{row.position_id}:{row.magic_id}"


def _report(row: Protection) -> None:
    position = row.position
    raise_alert(
        UNPROTECTED,
        message=(
            f"Position {position.pk} ({position.symbol}) is open without the protection asked for"
            f" ({row.problem})."
        ),
        organisation_id=position.organisation_id,
        subject=_subject(row),
        severity=Alert.Severity.CRITICAL,
    )
