"""CSV that a spreadsheet reads as text and figures, never as formulae."""

from decimal import Decimal, InvalidOperation
from typing import Any

from import_export.formats.base_formats import CSV

# How a cell begins that a spreadsheet would compute.
_BEGINNINGS = ("=", "+", "-", "@", "\t", "\r")


class TextOnlyCSV(CSV):
    """A cell that would be a formula gets an apostrophe before it; figures stay figures."""

    def export_data(self, dataset: Any, **kwargs: Any) -> Any:
        """The file's text."""
        for _ in range(len(dataset)):
            dataset.append([as_text(cell) for cell in dataset.lpop()])
        return super().export_data(dataset, **kwargs)


def as_text(cell: Any) -> Any:
    """The cell, marked as text where it begins like a formula and is no figure."""
    if not isinstance(cell, str) or not cell.startswith(_BEGINNINGS):
        return cell
    try:
        Decimal(cell)
    except InvalidOperation:
        return f"'{cell}"
    return cell
