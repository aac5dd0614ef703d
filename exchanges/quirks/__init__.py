"""What differs from venue to venue, as data. No other module asks which exchange it is dealing
with.
"""

import ccxt.async_support as ccxt_async

from .binance import BINANCE, BINANCE_USDM
from .bitget import BITGET
from .bybit import BYBIT
from .coinbase import COINBASE
from .gate import GATE
from .hyperliquid import HYPERLIQUID
from .kraken import KRAKEN
from .kucoin import KUCOIN
from .okx import OKX
from .shape import (
    AS_ID,
    AS_LIMIT,
    DEGRADED,
    FETCH,
    FILTER,
    FULL,
    HEDGE_REDUCE_ONLY,
    HEDGE_UNIFIED,
    HEDGE_UNKNOWN,
    SCAN,
    WITH_PRICE,
    Countdown,
    KeyQuestion,
    Quirks,
)

__all__ = [
    "AS_ID",
    "AS_LIMIT",
    "DEFAULT",
    "DEGRADED",
    "FETCH",
    "FILTER",
    "FULL",
    "HEDGE_REDUCE_ONLY",
    "HEDGE_UNIFIED",
    "HEDGE_UNKNOWN",
    "QUIRKS",
    "SCAN",
    "WITH_PRICE",
    "Countdown",
    "KeyQuestion",
    "Quirks",
    "needs_passphrase",
    "quirks_of",
]

# Nothing is known of such a venue but what ccxt's unified methods promise.
DEFAULT = Quirks()

QUIRKS: dict[str, Quirks] = {
    "binance": BINANCE,
    "binanceusdm": BINANCE_USDM,
    "bybit": BYBIT,
    "okx": OKX,
    "kraken": KRAKEN,
    "coinbase": COINBASE,
    "kucoin": KUCOIN,
    "gate": GATE,
    "bitget": BITGET,
    "hyperliquid": HYPERLIQUID,
}


# Their order requests take no id of ours, so an order with an unclear outcome cannot be looked up.
# fmt: off
WITHOUT_CLIENT_ID = (
    "bit2c", "bitbank", "bitbns", "bitflyer", "bitopro", "bitso", "bitteam", "btcbox", "coincheck",
    "coinmate", "coinone", "coinspot", "digifinex", "hibachi", "hollaex", "independentreserve",
    "indodax", "luno", "mercado", "mudrex", "nado", "p2b", "paymium", "xt", "zaif",
)
# fmt: on
QUIRKS |= {ccxt_id: Quirks(has_client_id=False) for ccxt_id in WITHOUT_CLIENT_ID}

# Ids whose derivatives are another venue in all but name.
_SWAPS_OF = {"binance": "binanceusdm"}


def quirks_of(ccxt_id: str, market_type: str = "spot") -> Quirks:
    """The differences of a ccxt id; the defaults where none are recorded."""
    if market_type != "spot":
        ccxt_id = _SWAPS_OF.get(ccxt_id, ccxt_id)
    return QUIRKS.get(ccxt_id, DEFAULT)


def needs_passphrase(ccxt_id: str) -> bool:
    """Whether the exchange's keys come with a passphrase (okx, kucoin, bitget and others)."""
    exchange_class = getattr(ccxt_async, ccxt_id)
    return bool(exchange_class().requiredCredentials.get("password"))
