"""Stored signals are routed by a worker in their bot's order; one that fails holds up nobody."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.trading.conftest import Desk
from tests.trading.test_signal_to_ledger import send
from trading.models import Execution, Order
from webhooks import services, tasks
from webhooks.models import Signal


def unrouted(desk: Desk, monkeypatch: pytest.MonkeyPatch, **fields: str) -> Signal:
    """A signal whose venues did not answer its sender's request."""
    with monkeypatch.context() as moment:
        moment.setattr(services, "wake", lambda *_, **__: None)
        moment.setattr(services, "accept", lambda *_, **__: False)
        return send(desk, **fields)


def test_a_bots_signals_are_routed_in_the_order_in_which_they_came(
    make_desk: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    desk, other = make_desk(1), make_desk(1, name="other")
    waiting = [unrouted(desk, monkeypatch, size=size) for size in ("2", "1", "3")]
    unrouted(other, monkeypatch)
    tasks.route_later(bot_id=desk.bot.pk)
    made = Execution.objects.order_by("pk").values_list("correlation_id", flat=True)
    assert list(made) == [signal.correlation_id for signal in waiting]
    assert Order.objects.filter(account__in=other.accounts).count() == 0


def test_a_signal_that_fails_keeps_no_other_of_its_bot_waiting(
    make_desk: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = make_desk(1)
    first, second = (unrouted(desk, monkeypatch, size=size) for size in ("2", "1"))
    accept = tasks.accept

    def fail_first(signal: Signal, **options: Any) -> bool:
        if signal.pk == first.pk:
            raise RuntimeError("a fault of ours")
        return accept(signal, **options)

    monkeypatch.setattr(tasks, "accept", fail_first)
    tasks.route_later(bot_id=desk.bot.pk)
    states = dict(Signal.objects.values_list("pk", "state"))
    assert states == {first.pk: "received", second.pk: "routed"}
    assert Order.objects.count() == 1
