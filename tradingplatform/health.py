"""The liveness answer: no database, no thread hop."""

import time

from django.conf import settings
from django.http import HttpRequest, JsonResponse

_STARTED = time.monotonic()


async def healthz(request: HttpRequest) -> JsonResponse:
    """`status` is ok while the event loop turns; `uptime_seconds` counts from the start."""
    return JsonResponse(
        {
            "status": "ok",
            "mode": "embedded" if settings.EMBEDDED else "distributed",
            "uptime_seconds": round(time.monotonic() - _STARTED, 3),
        }
    )
