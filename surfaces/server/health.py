"""``/v1/health``: a sign of life."""

from rest_framework.request import Request
from rest_framework.response import Response

from common.clock import iso, now
from monitoring.health import run_checks
from surfaces.policy import Policy
from surfaces.server.dialect import ServerView

DEFAULT_MODE = "paper"


class HealthView(ServerView):
    """Public, so it names no detail."""

    policy = Policy.PUBLIC
    bucket = None
    authentication_classes = ()

    def get(self, request: Request) -> Response:
        """``ok`` is whether the database answers; audit counts are for administrators, so 0."""
        database = run_checks().get("database")
        works = bool(database and database.status == "ok")
        return Response(
            {
                "ok": works,
                "timestamp": iso(now()),
                "execution_mode_default": DEFAULT_MODE,
                "audit_recent_count": 0,
                "db_enabled": True,
            }
        )
