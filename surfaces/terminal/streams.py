"""The streams of 004 on ``/ws/v1``: market data, order updates, risk alerts."""

from collections.abc import Callable
from typing import Any

from common.clock import iso, now
from common.errors import Invalid, Unavailable
from events.models import Event
from exchanges.venues import resolve
from marketdata.models import LastPrice
from marketdata.symbols import unified_symbol
from marketdata.watching import Pair
from surfaces.live.feed import Frame
from surfaces.live.prices import price_watch
from surfaces.live.stream import Channel
from surfaces.rendering import number, told_number
from surfaces.ws import Message, SharedSocket, takes
from trading.states import STATES

MARKET_DATA, ORDER_UPDATES, RISK_ALERTS = "market_data", "order_updates", "risk_alerts"
NO_MARKET_DATA = "market_data_unavailable"
# Streams that 002 names besides; what would feed them does not exist yet.
TO_COME = ("indicators", "signals")
MAX_SYMBOLS = 100
_LEVELS = {
    "kill_switch.engaged": "critical",
    "kill_switch.released": "info",
    "group_guard.latched": "critical",
    "group_guard.reset": "info",
}


def register_streams() -> None:
    """Called once per process when the app is ready."""
    takes("subscribe", _subscribe)
    takes("unsubscribe", _unsubscribe)


async def _subscribe(socket: SharedSocket, message: Message) -> None:
    stream = _stream_of(message)
    if stream == MARKET_DATA:
        _watch(socket, message)
        return
    channel = Channel(stream, _FRAMES[stream], shared=("004", stream))
    socket.serve(channel, _done("subscribed", stream, message))


async def _unsubscribe(socket: SharedSocket, message: Message) -> None:
    stream = _stream_of(message)
    answer = _done("unsubscribed", stream, message)
    if stream != MARKET_DATA:
        socket.drop(stream, answer)
        return
    ticks = _ticks_of(socket)
    ticks.remove(_asked_for(message) if "symbols" in message else dict(ticks.watched))
    socket.say(answer)


def _stream_of(message: Message) -> str:
    stream = message.get("stream")
    stream = stream if isinstance(stream, str) else ""
    if stream in TO_COME:
        raise Unavailable("This stream does not exist yet.", code="not_available")
    if stream != MARKET_DATA and stream not in _FRAMES:
        names = ", ".join((MARKET_DATA, *_FRAMES))
        raise Invalid(
            "There is no such stream.",
            code="unknown_stream",
            fields={"stream": f"one of {names}"},
        )
    return stream


def _done(word: str, stream: str, message: Message) -> Frame:
    frame: Frame = {"type": word, "stream": stream}
    return {**frame, "id": message["id"]} if type(message.get("id")) in (str, int) else frame


# -- market data --------------------------------------------------------------------------------


class Ticks:
    """The prices that one client watches; of each only the newest waits to be sent.

    ``watched`` says how the client spells exchange and symbol of each.
    """

    def __init__(self, socket: SharedSocket) -> None:
        self.watched: dict[Pair, tuple[str, str]] = {}
        self._socket = socket
        self._waiting: dict[Pair, LastPrice] = {}
        socket.senders.append(self._send)
        socket.leaving.append(lambda: self.remove(dict(self.watched)))

    def add(self, asked: dict[Pair, tuple[str, str]]) -> None:
        """Watch some more; raises Invalid beyond the limit, and then watches none of them."""
        if len(self.watched | asked) > MAX_SYMBOLS:
            raise Invalid(
                f"At most {MAX_SYMBOLS} symbols on one connection.",
                code="too_many_symbols",
                fields={"symbols": f"at most {MAX_SYMBOLS} in all"},
            )
        self.watched |= asked
        price_watch().add(asked, self)

    def remove(self, asked: dict[Pair, tuple[str, str]]) -> None:
        """Watch some no longer."""
        price_watch().remove([pair for pair in asked if pair in self.watched], self)
        for pair in asked:
            self.watched.pop(pair, None)
            self._waiting.pop(pair, None)

    def priced(self, pair: Pair, price: LastPrice) -> None:
        """A newer price takes the place of one that still waits."""
        self._waiting[pair] = price
        self._socket.writer.wake.set()

    def not_listed(self, pair: Pair) -> None:
        """Say that there will be no price; the subscription stays."""
        exchange, symbol = self.watched[pair]
        frame = {"type": NO_MARKET_DATA, "symbol": symbol, "exchange": exchange}
        self._socket.say({**frame, "code": "unknown_symbol", "timestamp": iso(now())})

    async def _send(self) -> None:
        while self._waiting:
            pair = next(iter(self._waiting))
            price = self._waiting.pop(pair)
            exchange, symbol = self.watched[pair]
            await self._socket.emit(_tick(exchange, symbol, price))


def _tick(exchange: str, symbol: str, price: LastPrice) -> Frame:
    return {
        "type": MARKET_DATA,
        "symbol": symbol,
        "exchange": exchange,
        "price": number(price.price),
        "volume": number(price.volume),
        "bid": number(price.bid),
        "ask": number(price.ask),
        "timestamp": iso(price.at),
    }


def _ticks_of(socket: SharedSocket) -> Ticks:
    if MARKET_DATA not in socket.state:
        socket.state[MARKET_DATA] = Ticks(socket)
    ticks: Ticks = socket.state[MARKET_DATA]
    return ticks


def _watch(socket: SharedSocket, message: Message) -> None:
    asked = _asked_for(message)
    ticks = _ticks_of(socket)
    ticks.add(asked)
    socket.say(
        {
            **_done("subscribed", MARKET_DATA, message),
            "exchange": message["exchange"],
            "symbols": [symbol for _, symbol in asked.values()],
        }
    )


def _asked_for(message: Message) -> dict[Pair, tuple[str, str]]:
    """What a message names, with the client's own spelling; raises Invalid."""
    exchange, symbols = message.get("exchange"), message.get("symbols")
    if not isinstance(exchange, str):
        raise Invalid("An exchange must be named.", fields={"exchange": "must be a text"})
    is_list = isinstance(symbols, list) and all(isinstance(each, str) for each in symbols)
    if not is_list or not symbols:
        raise Invalid("Symbols must be named.", fields={"symbols": "must be a list of texts"})
    venue = resolve(exchange)
    return {
        (venue.key, unified_symbol(symbol, field="symbols")): (exchange, symbol)
        for symbol in symbols
    }


# -- what the log tells -------------------------------------------------------------------------


def _order_update(event: Event) -> Frame | None:
    if not event.kind.startswith("order."):
        return None
    told = event.payload
    words = STATES[told["state"]].words
    return {
        "type": "order_update",
        "id": event.seq,
        "event_id": event.seq,
        "order_id": str(told["order_id"]),
        "status": words.spec_004,
        "filled_quantity": told_number(told["filled_quantity"]),
        "avg_fill_price": told_number(told["average_price"]),
        "timestamp": iso(event.created_at),
        "symbol": told["symbol"],
        "side": told["side"],
        "quantity": told_number(told["quantity"]),
        "price": told_number(told.get("price")),
        "account_id": str(told["account_id"]),
        "book": told["book"],
        "state": told["state"],
        "outcome": words.outcome,
        "reason": told["reason_code"] or None,
    }


def _risk_alert(event: Event) -> Frame | None:
    family, _, what = event.kind.partition(".")
    told = event.payload
    if family == "alert":
        level, message = told["severity"], told["message"]
    elif family == "kill_switch":
        level = _LEVELS[event.kind]
        message = f"Kill switch {what} ({told['scope']}, {told['level']}): {told['reason']}"
    elif family == "group_guard":
        level = _LEVELS[event.kind]
        message = f"Guard of group {told['group_id']} {what} at {told['drawdown']} % of drawdown"
    else:
        return None
    return {
        "type": "risk_alert",
        "id": event.seq,
        "event_id": event.seq,
        "level": level,
        "message": message,
        "timestamp": iso(event.created_at),
        "event": event.kind,
        "code": told.get("code"),
    }


_FRAMES: dict[str, Callable[[Event], Any]] = {
    ORDER_UPDATES: _order_update,
    RISK_ALERTS: _risk_alert,
}
