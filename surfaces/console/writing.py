"""How figures and JSON are written on the console's pages."""

import json
from decimal import Decimal
from typing import Any

from django.utils.html import format_html

from common.money import plain
from common.redaction import redact_json


def shown_money(value: Decimal | None) -> str:
    """Canonical text of a figure, a dash for none."""
    return "–" if value is None else plain(value)


def shown_json(value: Any) -> str:
    """A JSON value, indented, secret-looking keys masked."""
    text = json.dumps(redact_json(value), indent=2, ensure_ascii=False, default=str)
    return format_html('<pre style="white-space: pre-wrap; overflow-wrap: anywhere">{}</pre>', text)
