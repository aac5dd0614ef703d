"""One signal, one account: from the request's first byte to the order's bytes at the exchange."""

import hashlib
import hmac
import json
import time
from collections.abc import Callable

import httpx

from tests.bench.lines import LineChild
from tests.bench.report import Report, median_row
from tests.bench.stage import Stage, wait_until

BOT = "latency"
ROUNDS = 25
WARM_ROUNDS = 4
# performance.md, target 2: over bare ccxt, in ms.
TARGETS_MS = {"distributed": 10.0, "embedded": 30.0}


def alert(number: int, *, bot: str = BOT, size: str = "0.001 BTC") -> bytes:
    """A market order's alert, each with an id of its own."""
    fields = {
        "botname": bot,
        "alert_id": f"{bot}-{number}",
        "symbol": "BTCUSDT",
        "side": "buy",
        "order_type": "market",
        "size": size,
    }
    return json.dumps(fields).encode()


def signed(secret: str, body: bytes) -> dict[str, str]:
    """The headers of a signed alert."""
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return {"X-TradingView-Signature": digest, "Content-Type": "application/json"}


class Door:
    """A web process's address for alerts."""

    def __init__(self, port: str) -> None:
        self._base = f"http://127.0.0.1:{port}"
        self._client = httpx.Client(timeout=10)

    def await_open(self) -> None:
        """Return once the process answers."""
        wait_until(self._answers, "the web process answers")

    def _answers(self) -> bool:
        try:
            return self._client.get(f"{self._base}/healthz").status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    def deliver(self, secret: str, body: bytes) -> None:
        """Post an alert; RuntimeError when it is not taken with its order placed."""
        address = f"{self._base}/api/v1/webhook/tradingview"
        answer = self._client.post(address, content=body, headers=signed(secret, body))
        if answer.status_code != httpx.codes.OK:
            raise RuntimeError(f"alert refused: {answer.status_code} {answer.text[:300]}")

    def close(self) -> None:
        """Close the connection."""
        self._client.close()


def _way_ms(stage: Stage, send: Callable[[], float]) -> float:
    """Milliseconds from the moment that ``send`` returns to the order's bytes at the exchange."""
    stage.mock.reset()
    began = send()
    return (wait_until(lambda: stage.mock.count()["first_in"], "the order") - began) * 1000


def measure(
    stage: Stage, report: Report, floor: LineChild, environment: dict[str, str], secret: str
) -> None:
    """Interleaved with bare ccxt; the platform of ``environment`` runs."""
    mode = "distributed" if "REDIS_URL" in environment else "embedded"
    door = Door(environment["PORT"])
    door.await_open()
    numbers = iter(range(ROUNDS + WARM_ROUNDS))

    def ours() -> float:
        body = alert(next(numbers))
        began = time.monotonic()
        door.deliver(secret, body)
        return began

    for _ in range(WARM_ROUNDS):
        _way_ms(stage, ours)
    bare, found = [], []
    for _ in range(ROUNDS):
        bare.append(_way_ms(stage, lambda: float(floor.ask("one")["began"])))
        found.append(_way_ms(stage, ours))
    door.close()
    over = [each - sorted(bare)[len(bare) // 2] for each in found]
    report.add(median_row(f"signal to order bytes, {mode}", "ms", found, floor=bare))
    target = TARGETS_MS[mode]
    report.add(median_row(f"the same over bare ccxt, {mode}", "ms", over, target=target))


def embedded(stage: Stage, report: Report, floor: LineChild) -> None:
    """The same with the whole platform in one process on SQLite."""
    environment = stage.environment("embedded", embedded=True)
    desk = stage.desk(environment)
    desk.ask("prepare")
    desk.ask("grow", accounts=1, venues=["mock"])
    secret = desk.ask("add_bot", name=BOT, first=0, count=1)
    desk.stop()
    server = stage.manage(environment, "run")
    server.await_line("accounts are warm")
    measure(stage, report, floor, environment, secret)
    server.stop()
