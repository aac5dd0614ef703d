"""App configuration."""

from django.apps import AppConfig


class DashboardConfig(AppConfig):
    """Live pages for looking and for the daily acts."""

    name = "surfaces.dashboard"
    label = "dashboard"
