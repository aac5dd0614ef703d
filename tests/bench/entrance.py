"""What it costs to come in: log-ins of users who exist and who do not, and a request by token."""

import http.client
import json
import time
from typing import Any

from tests.bench.bare import Bare
from tests.bench.process import Child
from tests.bench.report import Report, Row, median_row
from tests.bench.single import Door
from tests.bench.stage import Stage

LOGIN, ME = "/api/v1/auth/login", "/api/v1/auth/me"
PAIRS, WARM_PAIRS = 40, 5
REQUESTS, WARM_REQUESTS = 1000, 100
# Issue and architecture: nobody can tell from the time whether a user exists.
SAME_TIME = 1.10


def _post(port: str, body: dict[str, str], address: str) -> tuple[float, int, Any]:
    """Milliseconds, status and answer of a log-in from an address of the loopback network."""
    began = time.monotonic()
    connection = http.client.HTTPConnection(
        "127.0.0.1", int(port), timeout=60, source_address=(address, 0)
    )
    try:
        connection.request("POST", LOGIN, json.dumps(body), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        told = json.loads(answer.read())
    finally:
        connection.close()
    return (time.monotonic() - began) * 1000, answer.status, told


def logins(stage: Stage, report: Report, rounds: int) -> None:
    """Wrong log-ins, each of a user and from an address that never tried before, by turns."""
    environment = stage.environment("login")
    desk = stage.desk(environment)
    desk.ask("prepare")
    names = desk.ask("add_people", count=PAIRS + WARM_PAIRS)
    desk.stop()
    web = stage.manage(environment, "web")
    _await_open(environment)
    found: dict[str, list[tuple[float, float]]] = {"known": [], "unknown": []}
    for number, name in enumerate(names):
        pair = [("known", name, 1), ("unknown", f"nobody-{number}", 2)]
        for kind, who, net in pair if number % 2 else reversed(pair):
            body, cpu = {"username": who, "password": "wrong"}, web.cpu()
            spent, status, _ = _post(environment["PORT"], body, f"127.{net}.0.{number + 1}")
            if status != http.client.UNAUTHORIZED:
                raise RuntimeError(f"a wrong log-in was answered with {status}")
            found[kind].append((spent, (web.cpu() - cpu) * 1000))
    web.stop()
    known, unknown = (zip(*each[WARM_PAIRS:], strict=True) for each in found.values())
    for what, ours, floor in zip(("time", "CPU"), known, unknown, strict=True):
        name = f"{what} of a wrong log-in of a user; floor: of nobody"
        report.add(median_row(name, "ms", ours, floor=floor, target=SAME_TIME))


def requests(stage: Stage, report: Report, rounds: int) -> None:
    """CPU of a GET that an access token opens, over the whole web process, beside a bare view."""
    environment = stage.environment("request")
    desk = stage.desk(environment)
    desk.ask("prepare")
    name = desk.ask("add_people", count=1)[0]
    web = stage.manage(environment, "web")
    _await_open(environment)
    body = {"username": name, "password": name}
    _, _, told = _post(environment["PORT"], body, "127.0.0.1")
    bearer = {"Authorization": f"Bearer {told['access_token']}"}
    bare = stage.own(Bare())
    ours = _cpu_of_each(web, environment["PORT"], ME, bearer)
    floor = _cpu_of_each(bare, bare.port, "/", {})
    report.add(Row("CPU of a GET by access token; floor: bare view", "ms", ours, floor=floor))
    web.stop()
    bare.stop()
    desk.stop()


def _cpu_of_each(server: Child, port: str, path: str, headers: dict[str, str]) -> float:
    """Milliseconds of the process's CPU for a GET over a connection that is kept."""
    connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=60)
    for number in range(WARM_REQUESTS + REQUESTS):
        if number == WARM_REQUESTS:
            before = server.cpu()
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        answer.read()
        if answer.status != http.client.OK:
            raise RuntimeError(f"GET {path} was answered with {answer.status}")
    connection.close()
    return (server.cpu() - before) / REQUESTS * 1000


def _await_open(environment: dict[str, str]) -> None:
    door = Door(environment["PORT"])
    door.await_open()
    door.close()
