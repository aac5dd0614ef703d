"""Wiring: settings, addresses, server, worker and the run command. Nothing imports this package."""

from tradingplatform.celery import app as celery_app

__all__ = ["celery_app"]
