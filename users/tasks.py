"""Celery entry points of the users."""

from typing import Any

from celery import shared_task

from . import passwords, throttles


@shared_task(name="users.mail_reset")
def mail_reset(*, email: str, **_: Any) -> None:
    """Mail a reset token, if the address is somebody's."""
    passwords.mail_reset(email=email)


@shared_task(name="users.forget_attempts")
def forget_attempts(**_: Any) -> None:
    """Drop counts of failed log-ins that mean nothing any more."""
    throttles.forget_old()
