"""Connections that died while they lay in the pool are replaced before anybody gets them; those
that were lent come back, whatever becomes of the request.
"""

import subprocess
from collections.abc import Callable

import pytest

from tests.conftest import Environment
from tests.waiting import PATIENCE

# Run in a process of its own: the tests' own connections do not come from a pool.
SCRIPT = """
import psycopg
from django.db import connection

END_ALL_OTHERS = (
    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
    " WHERE pid = ANY(%s) AND pid <> pg_backend_pid()"
)
with connection.cursor() as cursor:
    cursor.execute("SELECT pg_backend_pid()")
    pid = cursor.fetchone()[0]
connection.close()
known = connection.settings_dict
login = {"dbname": known["NAME"], "user": known["USER"], "password": known["PASSWORD"],
         "host": known["HOST"], "port": known["PORT"], "autocommit": True}
with psycopg.connect(**login) as other:
    assert other.execute(END_ALL_OTHERS, [[pid]]).fetchall() == [(True,)]
with connection.cursor() as cursor:
    cursor.execute("SELECT 2")
    print("answered", cursor.fetchone()[0])
"""

BREAK_OFF = """
import asyncio, sys, threading, types
from django.conf import settings
from django.db import connection
from django.http import HttpResponse
from django.urls import path

began, go_on = threading.Semaphore(0), threading.Semaphore(0)

def slow(request):
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    began.release()
    go_on.acquire(timeout=20)
    return HttpResponse("ok")

urls = types.ModuleType("slow_urls")
urls.urlpatterns = [path("slow", slow)]
sys.modules["slow_urls"], settings.ROOT_URLCONF = urls, "slow_urls"

from tradingplatform.asgi import application

SCOPE = {"type": "http", "method": "GET", "path": "/slow", "raw_path": b"/slow", "root_path": "",
         "query_string": b"", "headers": [(b"host", b"localhost")], "scheme": "http",
         "client": ("127.0.0.1", 1), "server": ("localhost", 80), "http_version": "1.1"}

async def give_up():
    messages = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive():
        return messages.pop() if messages else await asyncio.Future()

    async def send(message):
        pass

    request = asyncio.create_task(application(SCOPE, receive, send))
    assert await asyncio.to_thread(began.acquire, timeout=20), "no connection to be had"
    request.cancel()
    await asyncio.wait([request])
    assert request.cancelled()
    go_on.release()

async def main():
    for _ in range(5):
        await give_up()
    pool, give_up_at = connection.pool, asyncio.get_running_loop().time() + 20
    while (stats := pool.get_stats())["pool_available"] < stats["pool_size"]:
        assert asyncio.get_running_loop().time() < give_up_at, stats
        await asyncio.sleep(0.05)
    print("back", stats["pool_size"] <= 2)

asyncio.run(main())
"""


@pytest.mark.distributed
def test_connections_of_requests_that_were_given_up_come_back(
    child_environment: Environment, manage: Callable[..., list[str]]
) -> None:
    """Five requests are cancelled in mid-view, over a pool of two."""
    command = manage("shell", "-c", BREAK_OFF)
    environment = child_environment | {"DATABASE_POOL_SIZE": "2"}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=100, check=False
    )
    assert done.stdout.strip().endswith("back True"), done.stderr


@pytest.mark.distributed
def test_connections_the_server_ended_do_not_fail_the_next_query(
    child_environment: Environment, manage: Callable[..., list[str]]
) -> None:
    command = manage("shell", "-c", SCRIPT)
    done = subprocess.run(
        command,
        env=child_environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.stdout.strip().endswith("answered 2"), done.stderr
