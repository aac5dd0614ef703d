"""Every 2xx a caller got must have its rows, and repeats must have been told the same."""

from typing import Any

from events.models import AuditRecord
from tests.faults.compare import Findings
from trading.models import Command, Execution, Order
from webhooks.models import Signal

MULTIPLE_CHOICES = 300
REDIRECT = 302


def compare(outcomes: list[dict[str, Any]], findings: Findings) -> None:
    """Add what was acknowledged and is not there."""
    known = _Known()
    terminated = 0
    for outcome in outcomes:
        if outcome["differing"]:
            findings.add("answers_differ", f"{outcome['kind']} {outcome['key']}")
        status = outcome["status"]
        if status == REDIRECT and outcome["kind"] == "cancel":
            if outcome["key"] not in known.requests:
                findings.add("acknowledged_missing", f"cancel of order {outcome['target']}")
        elif 0 < status < MULTIPLE_CHOICES:
            if outcome["kind"] == "terminate":
                terminated += 1
            else:
                known.look_for(outcome, findings)
    recorded = AuditRecord.objects.filter(action="account.terminate").count()
    if recorded < terminated:
        findings.add("audit_missing", f"{terminated} accounts ended, {recorded} audit rows")


class _Known:
    """Everything the ledger could be asked for, read once."""

    def __init__(self) -> None:
        self.executions = set(Execution.objects.values_list("correlation_id", flat=True))
        self.signals = set(Signal.objects.values_list("correlation_id", flat=True))
        self.commands = {str(key) for key in Command.objects.values_list("pk", flat=True)}
        self.orders = {str(key) for key in Order.objects.values_list("pk", flat=True)}
        self.requests = set(
            Command.objects.filter(kind=Command.Kind.CANCEL_ORDER).values_list(
                "request_id", flat=True
            )
        )

    def look_for(self, outcome: dict[str, Any], findings: Findings) -> None:
        """The execution or signal, and each leg's command and order."""
        kept = {"signal": self.signals, "command": self.commands}.get(
            outcome["kind"], self.executions
        )
        told = outcome["correlation_id"]
        is_refused = outcome["kind"] == "command" and not told
        if told not in kept and not is_refused:
            findings.add("acknowledged_missing", f"{outcome['kind']} {told}")
        for leg in outcome["legs"]:
            command, order = leg["command_id"], leg["order_id"]
            if command is None and is_refused:
                continue
            if str(command) not in self.commands or (order and str(order) not in self.orders):
                findings.add("acknowledged_missing", f"leg {leg} of {outcome['kind']} {told}")
