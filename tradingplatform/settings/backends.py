"""Database, cache, channel layer and broker: two addresses choose between the two modes."""

import os
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import environ
from django.core.exceptions import ImproperlyConfigured

from tradingplatform.settings import environment

DATA_DIR = environment.directory("DATA_DIR", environment.BASE_DIR / "var")
DATABASE_SCHEMES = ("sqlite", "postgres", "postgresql")


def redis_address() -> str | None:
    """The Redis address; each parallel test worker gets a database number of its own."""
    address = environment.url("REDIS_URL", ("redis", "rediss"))
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    if address is None:
        return None
    parts = urlsplit(address)
    number = parts.path.strip("/") or "0"
    if not number.isdecimal():
        environment.refuse("REDIS_URL", "must end in a database number")
    if worker.startswith("gw"):
        number = str(int(number) + 1 + int(worker[2:]))
    return urlunsplit(parts._replace(path=f"/{number}"))


def _sqlite(settings: dict[str, Any]) -> dict[str, Any]:
    return settings | {
        "ENGINE": "django.db.backends.sqlite3",
        "CONN_MAX_AGE": None,
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL;PRAGMA synchronous=FULL;",
        },
        # A file, because an in-memory test database cannot be seen by a second process.
        "TEST": {"NAME": str(DATA_DIR / "test.sqlite3")},
    }


def _postgresql(settings: dict[str, Any]) -> dict[str, Any]:
    pool = {
        "min_size": 1,
        "max_size": environment.whole("DATABASE_POOL_SIZE", 16, 2, 500),
        "timeout": 10,
    }
    options = settings.get("OPTIONS", {}) | {"pool": pool}
    # The pool tries a connection before it lends it: one that died with a restarted server is
    # replaced instead of failing a request.
    return settings | {"CONN_MAX_AGE": 0, "CONN_HEALTH_CHECKS": True, "OPTIONS": options}


def database() -> dict[str, Any]:
    """The default database: SQLite in the data folder unless `DATABASE_URL` says otherwise."""
    address = environment.text("DATABASE_URL", f"sqlite:///{DATA_DIR / 'db.sqlite3'}")
    reason = "must be an address like sqlite:///file or postgres://user@host:5432/name"
    try:
        if urlsplit(address).scheme not in DATABASE_SCHEMES:
            raise ValueError
        parsed = dict(environ.Env.db_url_config(address))
        if not parsed.get("NAME"):
            raise ValueError
    except (ValueError, TypeError, ImproperlyConfigured):
        environment.refuse("DATABASE_URL", reason)
    if "sqlite" in str(parsed["ENGINE"]):
        return _sqlite(parsed)
    return _postgresql(parsed)


REDIS_URL = redis_address()
EMBEDDED = REDIS_URL is None
DATABASES = {"default": database()}

if REDIS_URL is None:
    CHANNEL_LAYERS: dict[str, Any] = {
        "default": {
            "BACKEND": "tradingplatform.channel_layer.LoopSafeInMemoryChannelLayer",
            "CONFIG": {"capacity": 2000},
        }
    }
    CACHES: dict[str, Any] = {
        "default": {
            "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
            "OPTIONS": {"MAX_ENTRIES": 20_000},
        }
    }
else:
    CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
            "CONFIG": {"hosts": [REDIS_URL]},
        }
    }
    CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": REDIS_URL,
        }
    }
