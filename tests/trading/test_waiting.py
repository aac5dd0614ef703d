"""Who waits for the legs of executions on one loop asks one question together."""

import asyncio
from collections.abc import Callable, Collection
from decimal import Decimal
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import InterfaceError, OperationalError

from surfaces import waiting
from tests.trading.conftest import Desk
from tests.waiting import await_until
from trading.models import Execution
from trading.services.commands import submit
from trading.services.intents import OrderIntent


def order(desk: Desk, number: int) -> Execution:
    """An execution of one leg, for one of the desk's accounts."""
    intent = OrderIntent(desk.accounts[number].pk, "BTC/USDT", "buy", quantity=Decimal("0.01"))
    return submit(principal=desk.principal, intents=[intent], source="test")


@pytest.fixture
def questions(monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    """The executions of each question that was asked."""
    asked: list[list[int]] = []
    ask = waiting._unsettled

    async def noted(execution_ids: Collection[int]) -> set[int]:
        asked.append(list(execution_ids))
        return await ask(execution_ids)

    monkeypatch.setattr(waiting, "_unsettled", noted)
    return asked


def test_all_who_wait_are_told_by_one_question(
    make_desk: Callable[..., Desk], questions: list[list[int]]
) -> None:
    desk = make_desk(3)
    ids = [order(desk, number).pk for number in range(3)]

    async def wait() -> list[bool]:
        waiters = [asyncio.create_task(waiting.settled(each, 20)) for each in (*ids, ids[0])]
        await await_until(lambda: questions)
        assert not any(each.done() for each in waiters)
        await sync_to_async(desk.run_orders)()
        return await asyncio.gather(*waiters)

    assert asyncio.run(wait()) == [True] * 4
    # A look between two commits leaves out whose legs have ended; none is asked about twice.
    assert sorted(questions[0]) == ids
    assert all(sorted({*ids} & {*asked}) == sorted(asked) for asked in questions)


def test_who_has_waited_long_enough_goes_on_without_an_answer(
    make_desk: Callable[..., Desk],
) -> None:
    desk = make_desk(1)
    execution = order(desk, 0)

    async def wait() -> tuple[bool, dict[int, Any]]:
        answer = await waiting.settled(execution.pk, 0.2)
        return answer, dict(waiting._waiters[asyncio.get_running_loop()]._waiting)

    assert asyncio.run(wait()) == (False, {})


def test_a_database_that_is_away_for_a_while_is_asked_again(
    make_desk: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = make_desk(1)
    execution = order(desk, 0)
    ask, failures = waiting._unsettled, [OperationalError("gone"), InterfaceError("closed")]

    async def fail_twice(execution_ids: Collection[int]) -> set[int]:
        if failures:
            raise failures.pop()
        return await ask(execution_ids)

    monkeypatch.setattr(waiting, "_unsettled", fail_twice)
    desk.run_orders()
    assert asyncio.run(waiting.settled(execution.pk, 20)) is True
    assert failures == []


def test_a_fault_of_ours_is_told_to_all_who_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(_: Collection[int]) -> set[int]:
        raise ValueError("no such column of ours")

    monkeypatch.setattr(waiting, "_unsettled", fail)

    async def wait() -> list[Any]:
        waits = (waiting.settled(number, 5) for number in (1, 2))
        return await asyncio.gather(*waits, return_exceptions=True)

    assert [type(each) for each in asyncio.run(wait())] == [ValueError, ValueError]
