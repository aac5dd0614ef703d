"""Public answers: markets, prices, books, candles; and the few routes ccxt asks beside them."""

from decimal import Decimal
from typing import Any

from exchanges.matching import Market
from exchanges.matching.records import plain
from exchanges.simulator import errors, render
from exchanges.simulator.engine import Engine
from exchanges.simulator.feeds import Kline
from exchanges.simulator.requests import Ask

DAY_MS = 86_400_000
SECOND_MS = 1000
INTERVALS_MS = {
    "1s": SECOND_MS, "1m": 60_000, "3m": 180_000, "5m": 300_000, "15m": 900_000,
    "30m": 1_800_000, "1h": 3_600_000, "2h": 7_200_000, "4h": 14_400_000, "6h": 21_600_000,
    "8h": 28_800_000, "12h": 43_200_000, "1d": DAY_MS, "3d": 3 * DAY_MS, "1w": 7 * DAY_MS,
    "1M": 30 * DAY_MS,
}  # fmt: skip
LARGEST_PAGE = 1000
LEVEL_SIZES = ("0.5", "1", "2", "3", "5")


def ping(engine: Engine, ask: Ask) -> Any:
    """``GET /api/v3/ping``."""
    return {}


def server_time(engine: Engine, ask: Ask) -> Any:
    """``GET /api/v3/time``; shows the skewed clock while that fault lasts."""
    return {"serverTime": ask.clock_ms}


def exchange_info(engine: Engine, ask: Ask) -> Any:
    """``GET /api/v3/exchangeInfo``."""
    return render.exchange_info(engine.core.markets, ask.clock_ms)


def no_markets(engine: Engine, ask: Ask) -> Any:
    """``exchangeInfo`` of the other market types: there are none."""
    return {"symbols": [], "optionSymbols": [], "serverTime": ask.clock_ms}


def nothing(engine: Engine, ask: Ask) -> Any:
    """An empty list, for lists this exchange does not have."""
    return []


def ticker_24h(engine: Engine, ask: Ask) -> Any:
    """``GET /api/v3/ticker/24hr``, of one symbol or all."""
    return _each(engine, ask, day_ticker)


def ticker_price(engine: Engine, ask: Ask) -> Any:
    """``GET /api/v3/ticker/price``, of one symbol or all."""
    return _each(
        engine,
        ask,
        lambda e, m: {"symbol": m.id, "price": plain(e.price(m.symbol))},
    )


def book_ticker(engine: Engine, ask: Ask) -> Any:
    """``GET /api/v3/ticker/bookTicker``, of one symbol or all."""
    return _each(engine, ask, best_prices)


def depth(engine: Engine, ask: Ask) -> Any:
    """``GET /api/v3/depth``: a made-up book around the last price."""
    market = ask.market(engine)
    return {"lastUpdateId": ask.clock_ms, **levels(engine, market)}


def trades(engine: Engine, ask: Ask) -> Any:
    """``GET /api/v3/trades``: the last print only."""
    return [last_print(engine, ask.market(engine), ask.now_ms)]


def klines(engine: Engine, ask: Ask) -> Any:
    """``GET /api/v3/klines``: the feed's candles in the exchange's own time, oldest first."""
    market = ask.market(engine)
    length = INTERVALS_MS.get(ask.text("interval"))
    if length is None:
        raise errors.ApiError(-1120, "Invalid interval.")
    limit = min(ask.integer("limit", 500), LARGEST_PAGE)
    end = min(ask.integer("endTime", ask.now_ms), ask.now_ms)
    last = end - end % length
    first = last - (limit - 1) * length
    if "startTime" in ask.params:
        start = ask.integer("startTime", 0)
        first = -(-start // length) * length
        last = min(last, first + (limit - 1) * length)
    feed = engine.feeds[market.symbol]
    return [kline_row(feed.kline(t, length, ask.now_ms)) for t in range(first, last + 1, length)]


def kline_row(row: Kline) -> list[Any]:
    """A candle as the REST API tells it."""
    prices = [plain(p) for p in (row.open, row.high, row.low, row.close)]
    return [
        row.open_ms, *prices, plain(row.volume), row.close_ms, plain(row.quote_volume), 1,
        "0", "0", "0",
    ]  # fmt: skip


def best_prices(engine: Engine, market: Market) -> dict[str, Any]:
    """Bid and ask: the last price and one tick above."""
    last = engine.price(market.symbol)
    return {
        "symbol": market.id,
        "bidPrice": plain(last),
        "bidQty": "1.00000000",
        "askPrice": plain(last + market.tick),
        "askQty": "1.00000000",
    }


def day_ticker(engine: Engine, market: Market) -> dict[str, Any]:
    """The figures of the last 24 hours."""
    now = engine.now_ms()
    day = engine.feeds[market.symbol].kline(now - DAY_MS, DAY_MS + 1, now)
    last = engine.price(market.symbol)
    change = last - day.open
    return {
        **best_prices(engine, market),
        "priceChange": plain(change),
        "priceChangePercent": plain((change / day.open * 100).quantize(Decimal("0.001"))),
        "weightedAvgPrice": plain(((day.high + day.low) / 2).quantize(market.tick)),
        "prevClosePrice": plain(day.open),
        "lastPrice": plain(last),
        "lastQty": "0.01000000",
        "openPrice": plain(day.open),
        "highPrice": plain(max(day.high, last)),
        "lowPrice": plain(min(day.low, last)),
        "volume": plain(day.volume),
        "quoteVolume": plain(day.quote_volume),
        "openTime": now - DAY_MS,
        "closeTime": now,
        "firstId": 0,
        "lastId": 0,
        "count": 0,
    }


def levels(engine: Engine, market: Market) -> dict[str, list[list[str]]]:
    """Bids and asks, five levels each."""
    last = engine.price(market.symbol)
    return {
        "bids": [[plain(last - market.tick * i), q] for i, q in enumerate(LEVEL_SIZES)],
        "asks": [[plain(last + market.tick * (i + 1)), q] for i, q in enumerate(LEVEL_SIZES)],
    }


def last_print(engine: Engine, market: Market, now_ms: int) -> dict[str, Any]:
    """The public trade that made the last price; its id is its time."""
    price = engine.price(market.symbol)
    return {
        "id": now_ms,
        "price": plain(price),
        "qty": "0.01000000",
        "quoteQty": plain(price / 100),
        "time": now_ms,
        "isBuyerMaker": False,
        "isBestMatch": True,
    }


def _each(engine: Engine, ask: Ask, form: Any) -> Any:
    if "symbol" in ask.params:
        return form(engine, ask.market(engine))
    return [form(engine, market) for market in ask.core(engine).markets.values()]
