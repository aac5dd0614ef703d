"""Whether as many legs of an execution are placed as were demanded. Nothing is undone."""

from django.db import transaction

from common.clock import now
from events.log import publish
from monitoring.alerts import raise_alert, resolve_alerts
from monitoring.models import Alert
from trading.models import Execution

from .lanes import EVERYWHERE, Condition
from .legs import PENDING, PLACED, UNKNOWN, statuses

BELOW = "execution_below_minimum"
BATCH = 50


def enough(execution: Execution, found: list[str]) -> bool | None:
    """Whether enough legs are placed, by the legs' statuses; None while that is open or where
    nothing was demanded.
    """
    if execution.min_success is None:
        return None
    placed = found.count(PLACED)
    if placed >= execution.min_success:
        return True
    is_open = placed + found.count(PENDING) + found.count(UNKNOWN) >= execution.min_success
    return None if is_open else False


def judge_executions(_: Condition = EVERYWHERE) -> None:
    """Report executions of which too few legs can still be placed; part of the sweep. Each is
    judged once, and once more after a retry.
    """
    for execution in Execution.objects.to_judge().order_by("pk")[:BATCH]:
        verdict = enough(execution, statuses(execution))
        if verdict is not None:
            _note(execution, is_enough=verdict)


@transaction.atomic
def _note(execution: Execution, *, is_enough: bool) -> None:
    if not Execution.objects.to_judge().filter(pk=execution.pk).update(judged_at=now()):
        return
    subject, organisation_id = f"execution:{execution.pk}", execution.organisation_id
    if is_enough:
        resolve_alerts(BELOW, organisation_id=organisation_id, subject=subject)
        return
    raise_alert(
        BELOW,
        message=f"Fewer than {execution.min_success} legs of execution {execution.pk} were placed.",
        organisation_id=organisation_id,
        subject=subject,
        severity=Alert.Severity.CRITICAL,
    )
    publish(
        "execution.below_minimum",
        organisation_id=organisation_id,
        topics=(subject,),
        payload={"execution_id": execution.pk, "min_success": execution.min_success},
    )
