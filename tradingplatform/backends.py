"""Asks database and broker for a sign of life before a start, and names the setting at fault."""

import sys
from typing import Any, NoReturn

import psycopg
import redis
from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor

from common.errors import ConfigurationError
from exchanges.venues import declared_venues

EXIT_USAGE = 2
EXIT_NOT_READY = 6
CONNECT_SECONDS = 5


def not_ready(reason: str) -> NoReturn:
    """End the process with exit code 6 and one line; nothing has been touched."""
    sys.stderr.write(f"Not started: {reason}\n")
    raise SystemExit(EXIT_NOT_READY)


def postgresql_parameters() -> dict[str, Any]:
    """What psycopg needs for a connection of its own beside the pool."""
    configured = connection.settings_dict
    names = {"dbname": "NAME", "user": "USER", "password": "PASSWORD", "host": "HOST"}
    names["port"] = "PORT"
    parameters = {ours: configured[theirs] for ours, theirs in names.items() if configured[theirs]}
    return parameters | {"connect_timeout": CONNECT_SECONDS}


def check_venues() -> None:
    """End the process where EXCHANGE_VENUES declares something that cannot be a venue."""
    try:
        declared_venues()
    except ConfigurationError as error:
        sys.stderr.write(f"Setting {error}\n")
        raise SystemExit(EXIT_USAGE) from None


def check_backends() -> None:
    """End the process where the database or Redis does not answer, or a venue is wrong."""
    check_venues()
    try:
        if connection.vendor == "postgresql":
            psycopg.connect(**postgresql_parameters()).close()
        else:
            connection.ensure_connection()
    except (DatabaseError, psycopg.Error):
        not_ready("the database of setting DATABASE_URL does not answer")
    if settings.REDIS_URL is None:
        return
    try:
        client = redis.Redis.from_url(settings.REDIS_URL, socket_connect_timeout=CONNECT_SECONDS)
        with client:
            client.ping()
    except (redis.RedisError, OSError):
        not_ready("the Redis of setting REDIS_URL does not answer")


def pending_migrations() -> int:
    """How many migrations the database lacks."""
    executor = MigrationExecutor(connection)
    return len(executor.migration_plan(executor.loader.graph.leaf_nodes()))


def check_migrated() -> None:
    """End the process where the database lacks migrations; applying them is a step of its own."""
    if pending_migrations():
        not_ready("the database lacks migrations: run `manage.py migrate` first")


def check_distributed() -> None:
    """End the process where a setting of the distributed mode is missing or wrong, or not ready."""
    if settings.REDIS_URL is None:
        not_ready("a process of its own needs setting REDIS_URL (or use `make run`)")
    check_backends()
    check_migrated()
