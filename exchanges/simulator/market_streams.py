"""What the market streams say, spot and futures alike."""

from typing import Any

from exchanges.matching.records import plain
from exchanges.simulator import market_data
from exchanges.simulator.engine import Engine
from exchanges.simulator.futures.markets import FUNDING_MS, FUNDING_RATE


def market_message(
    engine: Engine, stream: str, *, is_futures: bool = False
) -> dict[str, Any] | None:
    """What a market stream (``btcusdt@ticker``) says now; ``None`` for an unknown stream."""
    name, _, kind = stream.partition("@")
    known = engine.by_contract_id if is_futures else engine.by_market_id
    market = known.get(name.upper())
    if market is None:
        return None
    now = engine.now_ms()
    if kind in ("trade", "aggTrade"):
        row = market_data.last_print(engine, market, now)
        return {
            "e": kind, "E": now, "s": market.id, "t": row["id"], "a": row["id"],
            "p": row["price"], "q": row["qty"], "T": now, "m": False, "M": True,
        }  # fmt: skip
    if kind.startswith("markPrice") and is_futures:
        price = plain(engine.price(market.symbol))
        return {
            "e": "markPriceUpdate", "E": now, "s": market.id, "p": price, "i": price, "P": price,
            "r": FUNDING_RATE, "T": now - now % FUNDING_MS + FUNDING_MS,
        }  # fmt: skip
    if kind == "bookTicker":
        row = market_data.best_prices(engine, market)
        return {
            "u": now, "s": market.id, "b": row["bidPrice"], "B": row["bidQty"],
            "a": row["askPrice"], "A": row["askQty"],
        }  # fmt: skip
    if kind in ("ticker", "miniTicker"):
        return _ticker(market_data.day_ticker(engine, market), kind)
    length = market_data.INTERVALS_MS.get(kind.removeprefix("kline_"))
    if kind.startswith("kline_") and length:
        return _kline(engine, market.symbol, kind.removeprefix("kline_"), length)
    return None


def _ticker(row: dict[str, Any], kind: str) -> dict[str, Any]:
    names = {
        "s": "symbol", "p": "priceChange", "P": "priceChangePercent", "w": "weightedAvgPrice",
        "x": "prevClosePrice", "c": "lastPrice", "Q": "lastQty", "b": "bidPrice", "B": "bidQty",
        "a": "askPrice", "A": "askQty", "o": "openPrice", "h": "highPrice", "l": "lowPrice",
        "v": "volume", "q": "quoteVolume", "O": "openTime", "C": "closeTime", "F": "firstId",
        "L": "lastId", "n": "count",
    }  # fmt: skip
    event = "24hrTicker" if kind == "ticker" else "24hrMiniTicker"
    return {"e": event, "E": row["closeTime"], **{k: row[v] for k, v in names.items()}}


def _kline(engine: Engine, symbol: str, interval: str, length: int) -> dict[str, Any]:
    now = engine.now_ms()
    market = engine.core_of(symbol).markets[symbol]
    row = market_data.kline_row(engine.feeds[symbol].kline(now - now % length, length, now))
    return {
        "e": "kline", "E": now, "s": market.id,
        "k": {
            "t": row[0], "T": row[6], "s": market.id, "i": interval, "f": 0, "L": 0,
            "o": row[1], "h": row[2], "l": row[3], "c": row[4], "v": row[5], "n": 1,
            "x": False, "q": row[7], "V": "0", "Q": "0", "B": "0",
        },
    }  # fmt: skip
