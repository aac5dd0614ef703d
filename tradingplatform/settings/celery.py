"""Queues, routes and the periodic wake-ups; a message only wakes somebody, rows are the truth."""

from typing import Any

from kombu import Queue

from tradingplatform.settings.backends import REDIS_URL
from tradingplatform.settings.trading import EXECUTION_LANES

CELERY_BROKER_URL = REDIS_URL or "memory://localhost/"
# Who sends a wake-up holds a request or an order up: one try, and no wait for a Redis that is gone.
# A worker's own connection is kept up by Celery, which tries for as long as it takes.
_ONE_TRY: dict[str, Any] = {
    "max_retries": 0,
    "connect_retries_timeout": 0.5,
    "socket_connect_timeout": 0.5,
    "socket_timeout": 0.5,
}
# The in-memory broker looks for messages once a second unless told otherwise.
CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, Any] = (
    _ONE_TRY if REDIS_URL else {"polling_interval": 0.01}
)
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_IMPORTS = ("tradingplatform.worker_life",)
CELERY_TASK_IGNORE_RESULT = True
CELERY_RESULT_EXPIRES = None
CELERY_TASK_SERIALIZER = "json"
CELERY_RESULT_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TIMEZONE = "UTC"
CELERY_ENABLE_UTC = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_DEFAULT_QUEUE = "maintenance"
CELERY_TASK_CREATE_MISSING_QUEUES = False
CELERY_TASK_QUEUES = (
    Queue("execution"),
    *(Queue(f"execution.{lane}") for lane in range(EXECUTION_LANES)),
    Queue("events"),
    Queue("maintenance"),
    Queue("notifications"),
)
CELERY_TASK_ROUTES = (
    {
        "trading.execute": {"queue": "execution"},
        "events.*": {"queue": "events"},
        "monitoring.deliver": {"queue": "notifications"},
    },
)
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"

# Seconds between wake-ups. A wake-up that was not taken before the next one is dropped.
_PERIODS = {
    "events.sequence": 1.0,
    "events.consume": 1.0,
    "events.audit": 2.0,
    "events.anchor": 3600.0,
    "trading.sweep": 1.0,
    "trading.reconcile": 2.0,
    "trading.follow_up": 5.0,
    "trading.thin_out_readings": 3600.0,
    "marketdata.refresh_quotes": 5.0,
    "webhooks.sweep": 2.0,
    "monitoring.deliver": 5.0,
    "monitoring.forget_messages": 3600.0,
    "users.forget_attempts": 600.0,
    "dashboard.forget_log_ins": 21_600.0,
}
CELERY_BEAT_SCHEDULE = {
    name: {"task": name, "schedule": period, "options": {"expire_seconds": max(int(period) * 2, 5)}}
    for name, period in _PERIODS.items()
}
# A sign of life goes through every queue, so that one without a worker is seen. The queues of
# lanes have leases of their own.
_BEATS = ("execution", "events", "maintenance", "notifications")
CELERY_BEAT_SCHEDULE |= {
    f"monitoring.heartbeat.{queue}": {
        "task": "monitoring.heartbeat",
        "schedule": 10.0,
        "kwargs": {"queue": queue},
        "options": {"queue": queue, "expire_seconds": 20},
    }
    for queue in _BEATS
}
