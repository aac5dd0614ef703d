"""Filters of lists: part of a text, and a span of days."""

from datetime import UTC, datetime, timedelta
from typing import Any

from unfold.contrib.filters.admin import FieldTextFilter, RangeDateFilter

TextFilter = FieldTextFilter


class DaysFilter(RangeDateFilter):  # type: ignore[misc]
    """Days of UTC from one to another, both whole; what is no day filters everything out."""

    def queryset(self, request: Any, queryset: Any) -> Any:
        """The rows of the days."""
        name = self.parameter_name
        first = self.used_parameters.get(f"{name}_from")
        last = self.used_parameters.get(f"{name}_to")
        span = {}
        try:
            if first:
                span[f"{name}__gte"] = _midnight(first)
            if last:
                span[f"{name}__lt"] = _midnight(last) + timedelta(days=1)
        except (ValueError, OverflowError):
            return queryset.none()
        return queryset.filter(**span)


def _midnight(day: str) -> datetime:
    return datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=UTC)
