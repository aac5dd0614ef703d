"""In which time zone a page of the console tells times."""

from django.http import HttpRequest
from django.utils import timezone


def shown_zone(request: HttpRequest) -> list[str]:
    """The label in the head of every page; the person sets the zone on the dashboard."""
    return [f"Times in {timezone.get_current_timezone_name()}", ""]
