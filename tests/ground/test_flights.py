"""Work for several keys beside each other: a slow key holds up no other."""

from collections import Counter
from threading import Event, Thread

import pytest

from common.single_flight import Flights
from tests.waiting import PATIENCE, wait_until


def test_a_slow_key_holds_up_no_other_and_runs_once_more_for_who_came_meanwhile() -> None:
    done: Counter[str] = Counter()
    began, go_on = Event(), Event()

    def work(key: str) -> None:
        if key == "slow":
            began.set()
            assert go_on.wait(PATIENCE)
        done[key] += 1

    flights = Flights(work)
    first = Thread(target=flights.run, args=(["fast", "slow"],))
    first.start()
    assert began.wait(PATIENCE)
    wait_until(lambda: done["fast"] == 1)
    flights.run(["fast", "slow"])
    assert done == {"fast": 2}
    go_on.set()
    first.join(PATIENCE)
    assert done == {"fast": 2, "slow": 2}


def test_a_fault_of_one_key_is_told_and_ends_none_of_the_others() -> None:
    done: list[str] = []

    def work(key: str) -> None:
        if key == "bad":
            raise ValueError(key)
        done.append(key)

    flights = Flights(work)
    with pytest.raises(ValueError, match="bad"):
        flights.run(["bad", "good"])
    assert done == ["good"]
    flights.run(["good"])
    flights.run([])
    assert done == ["good", "good"]
