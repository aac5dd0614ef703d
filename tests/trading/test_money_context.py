"""Plain arithmetic on money is exact in every thread that may compute with it."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal, getcontext

from asgiref.sync import async_to_sync, sync_to_async

from common.money import PRECISION
from exchanges.gateway import gateway
from trading.positions import Fill, apply_fill

LARGE = Decimal("123456789012345.123456789012345678")
SMALL = Decimal("0.000000000000000001")
TOTAL = Decimal("123456789012345.123456789012345679")


def precision_and_sum() -> tuple[int, Decimal]:
    """What arithmetic is worth where this runs."""
    return getcontext().prec, sum([LARGE, SMALL], Decimal(0))


def in_a_new_thread(function: Callable[[], tuple[int, Decimal]]) -> tuple[int, Decimal]:
    """The function's result from a thread that has never computed before."""
    found: list[tuple[int, Decimal]] = []
    thread = threading.Thread(target=lambda: found.append(function()))
    thread.start()
    thread.join()
    return found[0]


async def _on_the_loop() -> tuple[int, Decimal]:
    return precision_and_sum()


def test_sums_are_exact_in_every_kind_of_thread() -> None:
    with ThreadPoolExecutor(1) as pool:
        found = {
            "main": precision_and_sum(),
            "thread": in_a_new_thread(precision_and_sum),
            "pool": pool.submit(precision_and_sum).result(),
            "asgiref": async_to_sync(sync_to_async(precision_and_sum))(),
            "asgiref pool": async_to_sync(
                sync_to_async(precision_and_sum, thread_sensitive=False)
            )(),
            "gateway": gateway().run(_on_the_loop()),
            "gateway database": gateway().run(gateway().in_database(precision_and_sum)),
        }
    assert found == dict.fromkeys(found, (PRECISION, TOTAL))


def test_a_position_keeps_the_last_digit_of_a_large_quantity() -> None:
    holding = apply_fill(None, Fill("buy", LARGE, Decimal(1))).current
    holding = apply_fill(holding, Fill("buy", SMALL, Decimal(1))).current
    assert holding is not None
    assert (holding.quantity, holding.entered) == (TOTAL, TOTAL)
    left = apply_fill(holding, Fill("sell", LARGE, Decimal(2))).current
    assert left is not None
    assert left.quantity == SMALL
