"""What the USD-M user stream tells of an account's events."""

from typing import Any

from exchanges.matching import Event
from exchanges.simulator.engine import Engine
from exchanges.simulator.futures import updates


def order_message(engine: Engine, event: Event) -> dict[str, Any]:
    """The message of one event; an order that waits for its trigger has one of its own."""
    market = engine.futures.markets[event.order.symbol]
    form = updates.algo_update if event.order.waits_for_trigger else updates.order_update
    return form(event, market)


def account_message(engine: Engine, name: str, reason: str, symbols: set[str]) -> dict[str, Any]:
    """Wallet and positions of some symbols as they now stand."""
    row = engine.futures.margin[name]
    positions = [p for p in row.positions.values() if p.symbol in symbols]
    return updates.account_update(engine.futures, name, reason, positions, engine.now_ms())
