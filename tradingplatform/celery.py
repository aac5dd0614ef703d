"""The Celery application; tasks live in each app's `tasks.py` and are called by name."""

import logging.config
import os
from typing import Any

from celery import Celery, signals
from django.conf import settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tradingplatform.settings")

app = Celery("tradingplatform")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.set_default()


@signals.setup_logging.connect
def keep_platform_logging(**_: Any) -> None:
    """Keep Celery from adding handlers of its own, which would bypass the redaction."""
    logging.config.dictConfig(settings.LOGGING)
