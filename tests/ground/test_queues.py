"""Tasks go to the queue of their kind; periodic wake-ups name tasks that exist."""

import pytest
from celery import current_app
from django.conf import settings


@pytest.mark.parametrize(
    ("task", "queue"),
    [
        ("trading.execute", "execution"),
        ("events.sequence", "events"),
        ("events.consume", "events"),
        ("trading.sweep", "maintenance"),
        ("trading.reconcile", "maintenance"),
        ("monitoring.heartbeat", "maintenance"),
        ("monitoring.deliver", "notifications"),
    ],
)
def test_task_goes_to_the_queue_of_its_kind(task: str, queue: str) -> None:
    assert current_app.amqp.router.route({}, task)["queue"].name == queue


def test_every_periodic_wake_up_names_a_task_that_exists() -> None:
    current_app.loader.import_default_modules()
    periodic = {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()}
    assert periodic - set(current_app.tasks) == set()


def test_messages_are_json_and_results_are_not_kept() -> None:
    assert current_app.conf.accept_content == ["json"]
    assert current_app.conf.task_serializer == "json"
    assert current_app.conf.task_ignore_result


@pytest.mark.embedded
def test_in_memory_broker_is_asked_often() -> None:
    with current_app.connection_for_read() as broker:
        assert broker.transport.polling_interval == 0.01
