"""Cells of CSV files that a spreadsheet reads as text and figures, never as formulae."""

from decimal import Decimal, InvalidOperation
from typing import Any

# How a cell begins that a spreadsheet would compute.
_BEGINNINGS = ("=", "+", "-", "@", "\t", "\r")


def as_text(cell: Any) -> Any:
    """The cell, marked as text where it begins like a formula and is no figure."""
    if not isinstance(cell, str) or not cell.startswith(_BEGINNINGS):
        return cell
    try:
        Decimal(cell)
    except InvalidOperation:
        return f"'{cell}"
    return cell
