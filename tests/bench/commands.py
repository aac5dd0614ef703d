"""A hundred commands in one request of 000, beside bare ccxt's gather over as many accounts."""

import time
from collections import defaultdict

import httpx

from tests.bench.report import Report, median_row
from tests.bench.single import Door
from tests.bench.stage import Stage, wait_until

ITEMS = 100
WARM_ROUNDS = 2
# On a busy machine a batch takes seconds: that is measured, not refused.
PATIENCE = {"EXECUTION_SEND_BUDGET_MS": "60000", "EXCHANGE_TIMEOUT_MS": "60000"}
# performance.md, target 4.
CPU_TARGET, PER_CORE_TARGET = 2.0, 0.7


def measure(stage: Stage, report: Report, rounds: int) -> None:
    """Rounds in turn with the floor, on a platform that has these accounts alone."""
    environment = stage.environment("commands", **PATIENCE)
    desk, floor = stage.desk(environment), stage.floor(ITEMS)
    desk.ask("prepare")
    desk.ask("grow", accounts=ITEMS, venues=["mock"])
    key, accounts = desk.ask("add_key"), desk.ask("account_ids", n=ITEMS)
    worker, web = stage.warm_worker(environment), stage.manage(environment, "web")
    door = Door(environment["PORT"])
    door.await_open()
    door.close()
    items = [_item(account_id) for account_id in accounts]
    address = f"http://127.0.0.1:{environment['PORT']}/position/commands"
    found: dict[str, list[float]] = defaultdict(list)
    with httpx.Client(headers={"x-api-key": key}, timeout=120) as client:
        for number in range(WARM_ROUNDS + rounds):
            if number == WARM_ROUNDS:
                found.clear()
            bare = floor.ask("gather", n=ITEMS)
            found["floor"].append(bare["wall"] * 1000)
            found["floor_cpu"].append(bare["cpu"] * 1000 / ITEMS)
            before = worker.cpu() + web.cpu()
            _round(stage, client, address, items, found)
            desk.ask("await_written", n=(number + 1) * ITEMS)
            found["cpu"].append((worker.cpu() + web.cpu() - before) * 1000 / ITEMS)
    for child in (web, worker, floor, desk):
        child.stop()
    _tell(report, found)


def _item(account_id: int) -> dict[str, object]:
    payload = {"symbol": "BTC/USDT", "side": "buy", "order_type": "market", "qty": "0.001"}
    return {"command": "send_order", "account_id": account_id, "payload": payload}


def _round(
    stage: Stage,
    client: httpx.Client,
    address: str,
    items: list[dict[str, object]],
    found: dict[str, list[float]],
) -> None:
    stage.mock.reset()
    began = time.monotonic()
    answer = client.post(address, json=items)
    found["answered"].append((time.monotonic() - began) * 1000)
    if not all(result["ok"] for result in answer.json()["results"]):
        raise RuntimeError(f"refused: {answer.text[:300]}")
    wait_until(lambda: stage.mock.count()["orders"] == ITEMS, "every order at the exchange")
    found["sent"].append((time.monotonic() - began) * 1000)


def _tell(report: Report, found: dict[str, list[float]]) -> None:
    title = f"{ITEMS} commands in one request"
    walls, cpu = found["floor"], found["floor_cpu"]
    report.add(median_row(f"{title}, answered", "ms", found["answered"], floor=walls))
    report.add(median_row(f"{title}, last order at the exchange", "ms", found["sent"], floor=walls))
    report.add(
        median_row(f"{title}, CPU per order", "ms", found["cpu"], floor=cpu, target=CPU_TARGET)
    )
    report.add(
        median_row(
            f"{title}, durable orders per core",
            "1/s",
            [1000 / each for each in found["cpu"]],
            floor=[1000 / each for each in cpu],
            target=PER_CORE_TARGET,
            more_is_better=True,
        )
    )
