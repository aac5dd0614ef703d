"""Kill switches, told."""

from accounts.notices import account_called
from events.models import Event
from monitoring.models import Alert
from monitoring.notices import Notice, Topic, register_topic

from .models import Scope


def _write(event: Event) -> Notice:
    facts = event.payload
    scopes = {Scope.GLOBAL: "the whole platform", Scope.ORGANISATION: "the organisation"}
    over = scopes.get(facts["scope"]) or account_called(facts["scope_id"])
    only = f", {facts['mode']} orders only" if facts["mode"] else ""
    is_engaged = event.kind == "kill_switch.engaged"
    word = "engaged" if is_engaged else "released"
    return Notice(
        f"Kill switch {word}: {facts['level']}",
        f"Over {over}{only}. Reason given when it was engaged: {facts['reason']}",
        Alert.Severity.CRITICAL if is_engaged else Alert.Severity.WARNING,
    )


def register_topics() -> None:
    """Called once per process when the app is ready."""
    kinds = ("kill_switch.engaged", "kill_switch.released")
    register_topic(Topic("kill_switch", "Kill switch: engaged, released", kinds, _write))
