"""Celery entry points of the pages."""

from typing import Any

from celery import shared_task
from django.contrib.sessions.models import Session

from common.clock import now

from .login_record import forget_old_log_ins


@shared_task(name="dashboard.forget_log_ins")
def forget_log_ins(**_: Any) -> None:
    """Drop old records of log-ins and sessions of pages that ran out."""
    forget_old_log_ins()
    Session.objects.filter(expire_date__lt=now()).delete()
