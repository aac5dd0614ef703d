"""The periodic tasks, shown in the console's own look; for the platform's operator."""

from typing import Any, ClassVar

from django.contrib import admin
from django.http import HttpRequest
from django_celery_beat.admin import PeriodicTaskAdmin as StockTaskAdmin
from django_celery_beat.admin import PeriodicTaskForm as StockTaskForm
from django_celery_beat.admin import TaskSelectWidget
from django_celery_beat.models import (
    ClockedSchedule,
    CrontabSchedule,
    IntervalSchedule,
    PeriodicTask,
    SolarSchedule,
)
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from .actions import Order, confirmed_action
from .base import ConsoleAdmin

SCHEDULES = (ClockedSchedule, CrontabSchedule, IntervalSchedule, SolarSchedule)
admin.site.unregister(PeriodicTask)
for _schedule in SCHEDULES:
    admin.site.unregister(_schedule)


def _switch(is_enabled: bool) -> Any:
    def apply(task: Any, order: Order) -> None:
        task.enabled = is_enabled
        task.save(update_fields=["enabled"])

    return apply


class _TaskSelect(UnfoldAdminSelectWidget, TaskSelectWidget):
    """The list of known tasks in the console's look."""


class TaskForm(StockTaskForm):
    """The stock form with visible inputs."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["task"].widget = UnfoldAdminTextInputWidget()
        self.fields["regtask"].widget = _TaskSelect()


@admin.register(PeriodicTask)
class PeriodicTaskAdmin(StockTaskAdmin, ConsoleAdmin):
    """What beat wakes, and how often."""

    organisation_path = None
    form = TaskForm
    list_display = ("name", "task", "enabled", "interval", "last_run_at", "total_run_count")
    list_filter: ClassVar[tuple[str, ...]] = ("enabled",)
    list_select_related = ("interval", "crontab", "solar", "clocked")
    # In place of the stock ones, which ask nothing and leave no record.
    actions = (
        confirmed_action(
            "enable_tasks",
            title="Wake these tasks",
            apply=_switch(True),
            heavy=False,
            permission="manage",
            effect="Beat wakes them again.",
        ),
        confirmed_action(
            "disable_tasks",
            title="Do not wake these tasks",
            apply=_switch(False),
            permission="manage",
            asks_reason=True,
            effect="What they do is not done any more. Sweeps and polls among them find orders "
            "that lost their wake-up and fills that no stream told: both may stay unseen then.",
        ),
    )

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Superusers."""
        return bool(request.user.is_superuser)  # type: ignore[union-attr]


@admin.register(*SCHEDULES)
class ScheduleAdmin(ConsoleAdmin):
    """The times that tasks refer to."""

    organisation_path = None
