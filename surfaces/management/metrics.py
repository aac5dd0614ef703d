"""``/api/v1/metrics``: the venues behind the caller's accounts, and how often one may call."""

from typing import Any

from django.conf import settings
from rest_framework.request import Request
from rest_framework.response import Response

from reports.venues import venues_of
from surfaces.management.dialect import ManagementView, stamped
from surfaces.policy import Policy

WINDOW_SECONDS = 60


class MetricsView(ManagementView):
    """What an operator's own dashboard draws."""

    policy = Policy.AUTHENTICATED

    def get(self, request: Request) -> Response:
        """A circuit breaker for each venue of the accounts that the caller may read; the rates."""
        breakers = {
            each.venue: {
                "is_open": each.is_open,
                "reason": each.reason,
                "accounts": each.accounts,
                "failures": each.failures,
                "streaming": each.streaming,
            }
            for each in venues_of(self.principal)
        }
        return Response(stamped({"circuit_breakers": breakers, "rate_limits": _rates()}))


def _rates() -> dict[str, Any]:
    """Calls in a sliding window of seconds; null where there is no limit. ``standard`` is of a
    user, ``webhook_failures`` of alerts that are not authentic, by address; an authentic alert is
    never refused for its number.
    """
    limits = {
        "standard": settings.USER_RATE_LIMIT_PER_MIN,
        "organisation": settings.ORG_RATE_LIMIT_PER_MIN,
        "safety": settings.SAFETY_RATE_LIMIT_PER_MIN,
        "streams": settings.STREAM_RATE_LIMIT_PER_MIN,
        "address": settings.ADDRESS_RATE_LIMIT_PER_MIN,
        "webhook": 0,
        "webhook_failures": settings.WEBHOOK_FAILURES_PER_MIN,
    }
    return {
        name: {"limit": limit or None, "window": WINDOW_SECONDS} for name, limit in limits.items()
    }
