"""Logging: one redaction before every handler, text for people or JSON for machines; on stderr and,
with `LOG_DIR`, also in files of this process, one for each domain.
"""

import os
from pathlib import Path
from typing import Any

import structlog

from tradingplatform.settings import environment

LOG_LEVEL = environment.choice(
    "LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
)
LOG_JSON = environment.flag("LOG_JSON")
# A line for each request; without queries and headers.
ACCESS_LOG = environment.flag("ACCESS_LOG")
LOG_DIR = environment.directory("LOG_DIR", Path()) if environment.text("LOG_DIR") else None
DOMAINS = ("api", "ccxt", "position")
FILE_BYTES, OLD_FILES = 20_000_000, 5

_SHARED_PROCESSORS: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]


def _renderer() -> Any:
    if LOG_JSON:
        return structlog.processors.JSONRenderer()
    return structlog.dev.ConsoleRenderer(colors=False, pad_event_to=0)


def _files() -> dict[str, Any]:
    """A file for each domain, opened with its first line; its process alone writes it."""
    if LOG_DIR is None:
        return {}
    return {
        domain: {
            "class": "logging.handlers.RotatingFileHandler",
            "filename": str(LOG_DIR / f"{domain}-{os.getpid()}.log"),
            "maxBytes": FILE_BYTES,
            "backupCount": OLD_FILES,
            "encoding": "utf-8",
            "delay": True,
            "formatter": "line",
            "filters": [f"is_{domain}", "redaction"],
        }
        for domain in DOMAINS
    }


_FILES = _files()

LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {
        "redaction": {"()": "tradingplatform.redaction_filter.RedactionFilter"},
        **{
            f"is_{domain}": {"()": "tradingplatform.log_domains.DomainFilter", "domain": domain}
            for domain in DOMAINS
        },
    },
    "formatters": {
        "line": {
            "()": structlog.stdlib.ProcessorFormatter,
            "foreign_pre_chain": _SHARED_PROCESSORS,
            "processors": [
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _renderer(),
            ],
        }
    },
    "handlers": {
        "stderr": {
            "class": "logging.StreamHandler",
            "formatter": "line",
            "filters": ["redaction"],
        },
        **_FILES,
    },
    "root": {"handlers": ["stderr", *_FILES], "level": LOG_LEVEL},
    "loggers": {
        # Django's own handlers would bypass the redaction.
        "django": {"handlers": [], "level": LOG_LEVEL, "propagate": True},
        "django.server": {"handlers": [], "level": "WARNING", "propagate": True},
        # At DEBUG it prints requests with headers and signatures.
        "ccxt": {"level": "WARNING"},
        # They print addresses of notification channels, which are credentials.
        "apprise": {"handlers": [], "level": "WARNING", "propagate": False},
        "urllib3": {"level": "WARNING"},
        # Every statement, every frame: noise that hides the platform's own words.
        "django.db.backends": {"level": "INFO" if LOG_LEVEL == "DEBUG" else LOG_LEVEL},
        # A line for every wake-up of every second.
        "celery": {"level": "INFO" if LOG_LEVEL == "DEBUG" else "WARNING"},
        "kombu": {"level": "WARNING"},
        "daphne": {"level": "WARNING"},
        "asyncio": {"level": "WARNING"},
    },
}
