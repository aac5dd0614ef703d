"""The record of log-ins on pages, kept with django-axes: it tells, it never locks anybody out.

Pauses after failures are the business of ``users.throttles``. A form's content is not recorded.
"""

from datetime import timedelta
from typing import Any

from axes.handlers.database import AxesDatabaseHandler
from axes.models import AccessFailureLog, AccessLog

from common.clock import now

KEPT = timedelta(days=90)
MOST_FAILURES = 100_000


class RecordingHandler(AxesDatabaseHandler):
    """One row for a failure, one for a log-in, closed when the person leaves."""

    def is_allowed(self, request: Any, credentials: Any = None) -> bool:
        """Always."""
        return True

    def user_login_failed(
        self, sender: Any, credentials: Any, request: Any = None, **kwargs: Any
    ) -> None:
        """Write the failure under the name that the caller found fit to keep."""
        if request is None:
            return
        AccessFailureLog.objects.create(
            username=credentials.get("username"),
            ip_address=request.axes_ip_address,
            user_agent=request.axes_user_agent,
            http_accept=request.axes_http_accept,
            path_info=request.axes_path_info,
        )


def forget_old_log_ins() -> int:
    """Drop what is older than ``KEPT`` and failures beyond ``MOST_FAILURES``; returns how many."""
    before = now() - KEPT
    dropped: int = sum(
        rows.filter(attempt_time__lt=before).delete()[0]
        for rows in (AccessFailureLog.objects.all(), AccessLog.objects.all())
    )
    newest = AccessFailureLog.objects.order_by("-pk").values_list("pk", flat=True)
    beyond = newest[MOST_FAILURES : MOST_FAILURES + 1].first()
    if beyond is not None:
        dropped += AccessFailureLog.objects.filter(pk__lte=beyond).delete()[0]
    return dropped
