"""Takes credentials out of every log record before a handler sees it."""

import logging

from common.redaction import redact

_FORMATTER = logging.Formatter()


class RedactionFilter(logging.Filter):
    """Rewrites the record in place: message (arguments filled in), traceback and stack."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Always lets the record pass; no argument object is left to be formatted later."""
        record.msg = redact(record.getMessage())
        record.args = None
        if record.exc_info and not record.exc_text:
            record.exc_text = _FORMATTER.formatException(record.exc_info)
        if record.exc_text:
            record.msg = f"{record.msg}\n{redact(record.exc_text)}"
            record.exc_info = None
            record.exc_text = None
        if record.stack_info:
            record.stack_info = redact(record.stack_info)
        return True
