"""A hundred commands in one request of 000, beside bare ccxt's gather over as many accounts."""

import time
from collections import defaultdict

import httpx

from tests.bench.lines import LineChild
from tests.bench.report import Report, median_row
from tests.bench.single import Door
from tests.bench.stage import Server, Stage, wait_until

ITEMS = 100
WARM_ROUNDS = 2
# performance.md, target 4.
CPU_TARGET, PER_CORE_TARGET = 2.0, 0.7


def measure(
    stage: Stage,
    report: Report,
    desk: LineChild,
    floor: LineChild,
    workers: list[Server],
    environment: dict[str, str],
    rounds: int,
) -> None:
    """Rounds in turn with the floor; the workers of ``environment`` run, its web is started."""
    key, accounts = desk.ask("add_key"), desk.ask("account_ids", n=ITEMS)
    web = stage.manage(environment, "web")
    door = Door(environment["PORT"])
    door.await_open()
    door.close()
    items = [_item(account_id) for account_id in accounts]
    address = f"http://127.0.0.1:{environment['PORT']}/position/commands"
    found: dict[str, list[float]] = defaultdict(list)
    with httpx.Client(headers={"x-api-key": key}, timeout=30) as client:
        for number in range(WARM_ROUNDS + rounds):
            if number == WARM_ROUNDS:
                found.clear()
            bare = floor.ask("gather", n=ITEMS)
            found["floor"].append(bare["wall"] * 1000)
            found["floor_cpu"].append(bare["cpu"] * 1000 / ITEMS)
            _round(stage, desk, [*workers, web], client, address, items, found)
    web.stop()
    _tell(report, found)


def _item(account_id: int) -> dict[str, object]:
    payload = {"symbol": "BTC/USDT", "side": "buy", "order_type": "market", "qty": "0.001"}
    return {"command": "send_order", "account_id": account_id, "payload": payload}


def _round(
    stage: Stage,
    desk: LineChild,
    processes: list[Server],
    client: httpx.Client,
    address: str,
    items: list[dict[str, object]],
    found: dict[str, list[float]],
) -> None:
    stage.mock.reset()
    before = sum(each.cpu() for each in processes)
    began = time.monotonic()
    answer = client.post(address, json=items)
    found["answered"].append((time.monotonic() - began) * 1000)
    if not all(result["ok"] for result in answer.json()["results"]):
        raise RuntimeError(f"refused: {answer.text[:300]}")
    wait_until(lambda: stage.mock.count()["held"] == ITEMS, "every order at the exchange")
    found["held"].append((time.monotonic() - began) * 1000)
    desk.ask("settle")
    used = (sum(each.cpu() for each in processes) - before) * 1000 / ITEMS
    found["cpu"].append(used)
    found["per_core"].append(1000 / used)


def _tell(report: Report, found: dict[str, list[float]]) -> None:
    title = f"{ITEMS} commands in one request"
    walls, cpu = found["floor"], found["floor_cpu"]
    report.add(median_row(f"{title}, answered", "ms", found["answered"], floor=walls))
    report.add(median_row(f"{title}, last order at the exchange", "ms", found["held"], floor=walls))
    report.add(
        median_row(f"{title}, CPU per order", "ms", found["cpu"], floor=cpu, target=CPU_TARGET)
    )
    report.add(
        median_row(
            f"{title}, durable orders per core",
            "1/s",
            found["per_core"],
            floor=[1000 / each for each in cpu],
            target=PER_CORE_TARGET,
            more_is_better=True,
        )
    )
