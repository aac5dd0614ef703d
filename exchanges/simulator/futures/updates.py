"""What the user stream of USD-M futures tells, in Binance's JSON forms."""

from typing import Any

from exchanges.matching import Event, Market
from exchanges.matching.margin import MarginAccount, MarginCore, Position, rules
from exchanges.matching.records import ZERO, plain
from exchanges.simulator.futures.render import EIGHT, ORIGINAL, active_type, time_in_force
from exchanges.simulator.render import number


def order_update(event: Event, market: Market) -> dict[str, Any]:
    """A step of an order as the user stream tells it."""
    row, fill = event.order, event.trade
    liquidation = row.client_id.startswith("autoclose-")
    average = event.quote_filled / event.filled if event.filled else ZERO
    return {
        "e": "ORDER_TRADE_UPDATE",
        "E": event.at_ms,
        "T": event.at_ms,
        "o": {
            "s": market.id,
            "c": row.client_id,
            "S": row.side.upper(),
            "o": "LIQUIDATION" if liquidation else active_type(row),
            "f": time_in_force(row),
            "q": plain(row.quantity),
            "p": number(row.price),
            "ap": plain(average.quantize(EIGHT)),
            "sp": number(row.stop_price),
            "x": event.kind,
            "X": event.status,
            "i": row.id,
            "l": plain(fill.quantity) if fill else "0",
            "z": plain(event.filled),
            "L": plain(fill.price) if fill else "0",
            "n": plain(fill.commission) if fill else "0",
            "N": fill.commission_asset if fill else None,
            "T": event.at_ms,
            "t": fill.id if fill else 0,
            "b": "0",
            "a": "0",
            "m": fill.maker if fill else False,
            "R": row.reduce_only,
            "wt": "CONTRACT_PRICE",
            "ot": ORIGINAL.get(row.type, row.type),
            "ps": row.position_side,
            "cp": False,
            "rp": plain(fill.realized) if fill else "0",
            "pP": False,
            "V": "NONE",
            "pm": "NONE",
            "gtd": 0,
        },
    }


def algo_update(event: Event, market: Market) -> dict[str, Any]:
    """A step of a conditional order that waits, as the user stream tells it."""
    row = event.order
    return {
        "e": "ALGO_UPDATE",
        "E": event.at_ms,
        "T": event.at_ms,
        "o": {
            "caid": row.client_id,
            "aid": row.id,
            "at": "CONDITIONAL",
            "o": ORIGINAL[row.type],
            "s": market.id,
            "S": row.side.upper(),
            "ps": row.position_side,
            "f": row.time_in_force,
            "q": plain(row.quantity),
            "X": event.status,
            "ai": "",
            "ap": "0.00000",
            "aq": "0.00000",
            "act": "0",
            "tp": number(row.stop_price),
            "p": number(row.price),
            "V": "NONE",
            "wt": "CONTRACT_PRICE",
            "pm": "NONE",
            "cp": False,
            "pP": False,
            "R": row.reduce_only,
            "tt": 0,
            "gtd": 0,
        },
    }


def account_update(
    core: MarginCore, name: str, reason: str, positions: list[Position], now_ms: int
) -> dict[str, Any]:
    """The wallet and the positions an event touched, as the user stream tells them."""
    row: MarginAccount = core.margin[name]
    wallet = core.wallet_of(name)
    cross = rules.cross_wallet(row, wallet)
    return {
        "e": "ACCOUNT_UPDATE",
        "E": now_ms,
        "T": now_ms,
        "a": {
            "m": reason,
            "B": [{"a": "USDT", "wb": plain(wallet), "cw": plain(cross), "bc": "0"}],
            "P": [
                {
                    "s": core.markets[p.symbol].id,
                    "pa": plain(p.quantity),
                    "ep": plain(p.entry),
                    "bep": plain(p.entry),
                    "cr": "0",
                    "up": plain(p.unrealized(core.prices[p.symbol]).quantize(EIGHT)),
                    "mt": rules.mode(row, p.symbol),
                    "iw": plain(p.isolated),
                    "ps": p.side,
                }
                for p in positions
            ],
        },
    }
