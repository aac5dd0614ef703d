"""Finding orders and cutting pages, alike for both kinds of market."""

from collections.abc import Iterable
from typing import TypeVar

from exchanges.matching import BookOrder
from exchanges.simulator import errors
from exchanges.simulator.engine import Engine
from exchanges.simulator.hindsight import order_at
from exchanges.simulator.requests import Ask

DAY_MS = 86_400_000
LARGEST_PAGE = 1000
Row = TypeVar("Row")


def find(engine: Engine, ask: Ask) -> BookOrder:
    """The order a request names by id or client id. ``Refusal("unknown_order")``."""
    order_id = ask.integer("orderId", 0)
    client_id = ask.params.get("origClientOrderId", "") if ask.knows_client_ids else ""
    if not order_id and not client_id:
        raise errors.missing("orderId")
    return ask.core(engine).find(ask.account, order_id=order_id or None, client_id=client_id)


def working(engine: Engine, ask: Ask, symbol: str | None) -> list[BookOrder]:
    """The account's working orders of one symbol, or all."""
    books = ask.core(engine).open
    symbols = [symbol] if symbol else list(books)
    return [o for s in symbols for o in books.get(s, {}).values() if o.account == ask.account]


def seen_open(engine: Engine, ask: Ask, symbol: str | None) -> list[BookOrder]:
    """The working orders as far as the query can see; one that has ended since still works."""
    if not ask.blind_ms:
        return working(engine, ask, symbol)
    rows = ask.core(engine).accounts[ask.account].orders.values()
    wanted = [o for o in rows if symbol in (None, o.symbol)]
    return [o for o in as_seen(engine, ask, wanted) if o.is_open]


def as_seen(engine: Engine, ask: Ask, rows: Iterable[BookOrder]) -> list[BookOrder]:
    """The orders as they stood at the newest moment the query can see."""
    account = ask.core(engine).accounts[ask.account]
    seen = (order_at(account, row, ask.horizon_ms) for row in rows)
    return [row for row in seen if row is not None]


def stretch(ask: Ask, longest_ms: int) -> tuple[int, int]:
    """``startTime`` and ``endTime``. ``ApiError`` -1127 when they lie too far apart."""
    start = ask.integer("startTime", 0)
    end = ask.integer("endTime", 2**62)
    if start and "endTime" in ask.params and end - start > longest_ms:
        hours = longest_ms // 3_600_000
        raise errors.ApiError(-1127, f"More than {hours} hours between startTime and endTime.")
    return start, end


def page(ask: Ask, rows: list[Row], *, anchored: bool) -> list[Row]:
    """A page of rows: the first after an anchor, else the newest."""
    limit = min(ask.integer("limit", 500) or 500, LARGEST_PAGE)
    return rows[:limit] if anchored else rows[-limit:]
