"""No credential reaches a log handler, at any level."""

import io
import json
import logging
import logging.config
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from django.conf import settings

MARKER = "marker0123456789abcdef0123456789abcdef"


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What the platform's own logging configuration would print, at DEBUG."""
    stream = io.StringIO()
    configuration: dict[str, Any] = {**settings.LOGGING}
    configuration["handlers"] = {
        name: {**handler, "stream": stream}
        for name, handler in settings.LOGGING["handlers"].items()
    }
    configuration["root"] = {**settings.LOGGING["root"], "level": "DEBUG"}
    root = logging.getLogger()
    before = root.handlers[:], root.level
    logging.config.dictConfig(configuration)
    yield stream
    logging.config.dictConfig(settings.LOGGING)
    root.handlers[:], root.level = before


@pytest.mark.parametrize(
    "text",
    [
        f"GET /api/v3/order?symbol=BTCUSDT&signature={MARKER}",
        f"headers: X-MBX-APIKEY: {MARKER}",
        f'{{"apiKey": "{MARKER}", "secret": "x"}}',
        f"Authorization: Bearer {MARKER}",
        f"x-api-key: {MARKER}",
        f"Cookie: sessionid={MARKER}",
        f"stored enc:v1:{MARKER}",
    ],
)
def test_credential_in_a_message_is_taken_out(log: io.StringIO, text: str) -> None:
    logging.getLogger("trading.execution").debug("sent %s", text)
    assert "sent" in log.getvalue()
    assert MARKER not in log.getvalue()


def test_credential_in_a_traceback_is_taken_out(log: io.StringIO) -> None:
    try:
        raise ValueError(f"refused: signature={MARKER}")
    except ValueError:
        logging.getLogger("trading.execution").exception("order not sent")
    assert "ValueError: refused: signature=" in log.getvalue()
    assert MARKER not in log.getvalue()


def test_ccxt_says_nothing_below_warning_even_at_debug(log: io.StringIO) -> None:
    logging.getLogger("ccxt.base.exchange").debug("fetch Request: binance POST with headers")
    logging.getLogger("ccxt").info("hello")
    assert log.getvalue() == ""


def test_every_handler_has_the_redaction() -> None:
    assert all(
        "redaction" in handler["filters"] for handler in settings.LOGGING["handlers"].values()
    )


def test_request_id_stands_on_every_line(log: io.StringIO) -> None:
    with structlog.contextvars.bound_contextvars(request_id="req-1"):
        logging.getLogger("webhooks").warning("alert refused")
    assert "request_id=req-1" in log.getvalue()


def test_json_lines_are_json(log: io.StringIO) -> None:
    handler = logging.getLogger().handlers[0]
    formatter: Any = handler.formatter
    formatter.processors = [*formatter.processors[:-1], structlog.processors.JSONRenderer()]
    logging.getLogger("bots").warning("paused %s", "demo")
    entry = json.loads(log.getvalue())
    assert (entry["event"], entry["logger"], entry["level"]) == ("paused demo", "bots", "warning")
