"""``/api/v1/health``: whether the platform can work."""

import time

from django.conf import settings
from rest_framework.request import Request
from rest_framework.response import Response

from monitoring.health import run_checks
from surfaces.management.dialect import ManagementView, stamped
from surfaces.policy import Policy

_STARTED = time.monotonic()


class HealthView(ManagementView):
    """The state of the platform; public, so it names no detail."""

    policy = Policy.PUBLIC
    bucket = None
    authentication_classes = ()

    def get(self, request: Request) -> Response:
        """``degraded`` as soon as one check is not ok; ``uptime`` in seconds."""
        results = run_checks()
        database = results.get("database")
        healthy = all(result.status == "ok" for result in results.values())
        return Response(
            stamped(
                {
                    "status": "ok" if healthy else "degraded",
                    "version": settings.SPECTACULAR_SETTINGS["VERSION"],
                    "environment": "embedded" if settings.EMBEDDED else "distributed",
                    "database": {
                        "connected": bool(database and database.status == "ok"),
                        "references": {},
                    },
                    "uptime": round(time.monotonic() - _STARTED, 3),
                }
            )
        )
