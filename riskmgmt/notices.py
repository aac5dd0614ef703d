"""Kill switches and guards of groups, told."""

from accounts.notices import account_called
from events.models import Event
from groups.models import Group
from monitoring.models import Alert
from monitoring.notices import Notice, Topic, register_topic

from .models import Scope


def _write_switch(event: Event) -> Notice:
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


def _write_guard(event: Event) -> Notice:
    facts = event.payload
    row = Group.objects.filter(pk=facts["group_id"]).values_list("name", flat=True).first()
    name = row or facts["group_id"]
    if event.kind == "group_guard.reset":
        return Notice(
            f"Guard of group {name} reset",
            f"Entries are accepted again. Reason given: {facts['reason']}",
            Alert.Severity.WARNING,
        )
    return Notice(
        f"Guard of group {name} latched",
        f"It is {facts['drawdown']} % below its peak, its limit is {facts['max_drawdown']} %: "
        f"entries of its {facts['book']} accounts are refused.",
        Alert.Severity.CRITICAL,
    )


def register_topics() -> None:
    """Called once per process when the app is ready."""
    switch = ("kill_switch.engaged", "kill_switch.released")
    guard = ("group_guard.latched", "group_guard.reset")
    register_topic(Topic("kill_switch", "Kill switch: engaged, released", switch, _write_switch))
    register_topic(Topic("group_guard", "Guard of a group: latched, reset", guard, _write_guard))
