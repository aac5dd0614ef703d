"""CSV that a spreadsheet reads as text and figures, never as formulae."""

from typing import Any

from import_export.formats.base_formats import CSV

from common.csv_cells import as_text


class TextOnlyCSV(CSV):
    """A cell that would be a formula gets an apostrophe before it; figures stay figures."""

    def export_data(self, dataset: Any, **kwargs: Any) -> Any:
        """The file's text."""
        for _ in range(len(dataset)):
            dataset.append([as_text(cell) for cell in dataset.lpop()])
        return super().export_data(dataset, **kwargs)
