"""USD-M public answers that spot does not have, or tells otherwise."""

from typing import Any

from exchanges.matching import Market
from exchanges.matching.records import plain
from exchanges.simulator.engine import Engine
from exchanges.simulator.futures import render
from exchanges.simulator.requests import Ask

FUNDING_MS = 8 * 3_600_000
FUNDING_RATE = "0.00010000"


def exchange_info(engine: Engine, ask: Ask) -> Any:
    """``GET /fapi/v1/exchangeInfo``."""
    return render.exchange_info(engine.futures.markets, ask.clock_ms)


def premium_index(engine: Engine, ask: Ask) -> Any:
    """``GET /fapi/v1/premiumIndex``, of one symbol or all; marked at the last price."""
    if "symbol" in ask.params:
        return _premium(engine, ask, ask.market(engine))
    return [_premium(engine, ask, market) for market in engine.futures.markets.values()]


def funding_rates(engine: Engine, ask: Ask) -> Any:
    """``GET /fapi/v1/fundingRate``: the one rate there is, at the last full eight hours."""
    markets = engine.futures.markets
    wanted = [ask.market(engine)] if "symbol" in ask.params else list(markets.values())
    last = ask.now_ms - ask.now_ms % FUNDING_MS
    return [
        {
            "symbol": market.id, "fundingRate": FUNDING_RATE, "fundingTime": last,
            "markPrice": plain(engine.price(market.symbol)),
        }
        for market in wanted
    ]  # fmt: skip


def _premium(engine: Engine, ask: Ask, market: Market) -> dict[str, Any]:
    price = plain(engine.price(market.symbol))
    return {
        "symbol": market.id,
        "markPrice": price,
        "indexPrice": price,
        "estimatedSettlePrice": price,
        "lastFundingRate": FUNDING_RATE,
        "interestRate": FUNDING_RATE,
        "nextFundingTime": ask.now_ms - ask.now_ms % FUNDING_MS + FUNDING_MS,
        "time": ask.clock_ms,
    }
