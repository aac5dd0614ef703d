"""Hyperliquid."""

from uuid import UUID

from common.ids import hex_client_id

from .shape import FETCH, PRIVATE_STREAMS, WITH_PRICE, Quirks, meaning


def _prefixed_hex(uid: UUID) -> str:
    return "0x" + hex_client_id(uid)


HYPERLIQUID = Quirks(
    encode_client_id=_prefixed_hex,
    lookup=FETCH,
    cancel_id_param="clientOrderId",
    # Nonces are good for days and ccxt does not sign expiresAfter into an order: no window.
    # The venue has no codes; ccxt files its words.
    texts=meaning("would_take", "Post only order would have immediately matched")
    | meaning("reduce_only_refused", "Reduce only order would increase position")
    | meaning("key_refused", "User or API Wallet ")
    | meaning("insufficient_funds", "Must deposit before performing actions")
    | meaning("rate_limited", "Too many cumulative requests sent")
    | meaning("order_not_found", "Order was never placed, already canceled, or filled"),
    trade_page=2000,
    trade_until=True,
    trades_of_all_symbols=True,
    market_orders=WITH_PRICE,
    triggers=frozenset({"spot", "swap"}),
    pro_streams=PRIVATE_STREAMS,
    # Without these ccxt approves a builder fee and sets a referrer that nobody chose. With them an
    # order still names ccxt's builder, at a fee of 0; leaving it out would make ccxt approve one.
    options={"builderFee": False, "refSet": True, "approvedBuilderFee": True},
)
