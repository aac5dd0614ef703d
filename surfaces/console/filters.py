"""Filters of lists: part of a text, and a span of days."""

from datetime import date, timedelta
from typing import Any

from django.utils import timezone
from unfold.contrib.filters.admin import FieldTextFilter, RangeDateFilter

from reports.periods import midnight

TextFilter = FieldTextFilter


class DaysFilter(RangeDateFilter):  # type: ignore[misc]
    """Days of the person's time zone from one to another, both whole; what is no day filters
    everything out.
    """

    def queryset(self, request: Any, queryset: Any) -> Any:
        """The rows of the days."""
        name = self.parameter_name
        first = self.used_parameters.get(f"{name}_from")
        last = self.used_parameters.get(f"{name}_to")
        span, zone = {}, timezone.get_current_timezone()
        try:
            if first:
                span[f"{name}__gte"] = midnight(_day(first), zone)
            if last:
                span[f"{name}__lt"] = midnight(_day(last) + timedelta(days=1), zone)
        except (ValueError, OverflowError):
            return queryset.none()
        return queryset.filter(**span)


def _day(text: str) -> date:
    return date.fromisoformat(text)
