"""Fixtures every test may use: the run's mode, clean caches, an environment for children."""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import pytest_django
from celery import current_app
from django.conf import settings
from django.core.cache import cache
from django.db import connection
from django.test import TransactionTestCase, override_settings

from surfaces import limits
from tests.emptying import empty
from trading.services import lanes

Environment = dict[str, str]
_PRODUCTION_HASHERS = list(settings.PASSWORD_HASHERS)


def pytest_configure() -> None:
    """Passwords are hashed fast: the production hasher is slow on purpose. So is Django's way of
    emptying a database, and a commit of ours, which waits for the disk: no test takes the power
    away.
    """
    TransactionTestCase._fixture_teardown = empty
    options = settings.DATABASES["default"]["OPTIONS"]
    if command := options.get("init_command"):
        options["init_command"] = command.replace("synchronous=FULL", "synchronous=OFF")
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


def pytest_report_header() -> str:
    """Says in which mode the suite runs."""
    mode = "embedded (SQLite, memory)" if settings.EMBEDDED else "distributed (PostgreSQL, Redis)"
    return f"mode: {mode}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Prints what tests have to tell beside passing: the size of a matrix."""
    for report in terminalreporter.getreports("passed"):
        for name, text in report.user_properties:
            if name == "told":
                terminalreporter.write_line(str(text))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip, with the reason, what means nothing in this run's mode."""
    foreign = "distributed" if settings.EMBEDDED else "embedded"
    skip = pytest.mark.skip(reason=f"means something in {foreign} mode only")
    for item in items:
        if item.get_closest_marker(foreign):
            item.add_marker(skip)


@pytest.fixture(scope="session")
def django_db_setup(
    django_db_setup: None, django_db_blocker: pytest_django.DjangoDbBlocker
) -> Iterator[None]:
    """The test database; at the end sessions that a test's thread left behind are ended, since
    PostgreSQL drops no database that somebody is connected to.

    On SQLite the tables are emptied by DELETE after a test, so that trigger of the audit trail goes
    (its own test puts it back). On PostgreSQL no commit waits for the disk either.
    """
    if connection.vendor == "sqlite":
        with django_db_blocker.unblock(), connection.cursor() as cursor:
            cursor.execute("DROP TRIGGER IF EXISTS audit_record_no_delete")
    else:
        with django_db_blocker.unblock():
            with connection.cursor() as cursor:
                name = connection.ops.quote_name(connection.settings_dict["NAME"])
                cursor.execute(f"ALTER DATABASE {name} SET synchronous_commit TO off")
            connection.close()
            connection.close_pool()
    yield
    if connection.vendor == "postgresql":
        with django_db_blocker.unblock(), connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )


@pytest.fixture
def real_password_hashing() -> Iterator[None]:
    """The production password hashers, for tests that look at them."""
    with override_settings(PASSWORD_HASHERS=_PRODUCTION_HASHERS):
        yield


@pytest.fixture(autouse=True)
def _nothing_left_over() -> Iterator[None]:
    """Every test begins with an empty cache, an empty broker and no lane."""
    cache.clear()
    limits.forget()
    lanes.here.forget()
    yield
    with current_app.connection_for_write() as broker:
        channel = broker.default_channel
        for queue in settings.CELERY_TASK_QUEUES:
            queue(channel).declare()
            channel.queue_purge(queue.name)


@pytest.fixture
def child_environment(transactional_db: None) -> Environment:
    """The environment of a process that shares this test's database, keys and Redis.

    The rows a test writes are committed, so that the process sees them.
    """
    configured = connection.settings_dict
    if connection.vendor == "sqlite":
        address = f"sqlite:///{configured['NAME']}"
    else:
        login = f"{configured['USER']}:{configured['PASSWORD']}".rstrip(":")
        place = f"{configured['HOST']}:{configured['PORT']}".rstrip(":")
        address = f"postgres://{login}@{place}/{configured['NAME']}"
    return {
        **os.environ,
        "DATABASE_URL": address,
        "DATABASE_POOL_SIZE": "16",
        "PYTHONWARNINGS": "default",
        "PYTHONUNBUFFERED": "1",
    }


@pytest.fixture
def manage() -> Callable[..., list[str]]:
    """The command line of a management command in a process of its own."""

    def command(*words: str) -> list[str]:
        return [sys.executable, str(Path(settings.BASE_DIR) / "manage.py"), *words]

    return command
