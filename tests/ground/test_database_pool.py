"""Connections that died while they lay in the pool are replaced before anybody gets them."""

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
