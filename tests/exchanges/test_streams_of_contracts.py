"""A USD-M account's private stream through the gateway: listen key, fills, renewal."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from exchanges.gateway import AccountRef, Gateway
from exchanges.protocol import OrderRequest
from exchanges.streams import LIVE
from tests.exchanges.simulator_harness import sync_client
from tests.exchanges.test_streams import Ear
from tests.trading.rehearsal import Exchange, running_exchange
from tests.waiting import wait_until

SYMBOL = "BTC/USDT:USDT"


@pytest.fixture(scope="module")
def exchange() -> Iterator[Exchange]:
    with running_exchange() as exchange:
        exchange.register("contracts", "secret", USDT="0")
        yield exchange


@pytest.mark.parametrize("ccxt_id", ["binance", "binanceusdm"])
def test_a_fill_of_a_contract_is_told_with_the_ids_that_a_query_tells(
    exchange: Exchange, settings: Any, ccxt_id: str
) -> None:
    settings.EXCHANGE_VENUES = {"rehearsal": {"ccxt": ccxt_id, "base_url": exchange.url}}
    credentials = {"apiKey": "contracts", "secret": "secret"}
    ref = AccountRef(1, "rehearsal", "swap", "rehearsal", 1, secrets=lambda: credentials)
    gateway, ear = Gateway(), Ear()
    try:
        gateway.run(gateway.streams.hold([ref], ear))
        wait_until(lambda: gateway.streams.states()[0].state == LIVE)
        client = gateway.run(gateway.client(ref))
        request = OrderRequest(SYMBOL, "buy", "market", Decimal("0.01"), f"c-{ccxt_id}")
        placed = gateway.run(client.place(request))
        wait_until(lambda: ear.trade_ids and (f"c-{ccxt_id}", "filled") in ear.statuses)
        (trade,) = [trade for news in ear.heard for trade in news.trades]
        asked = {row.trade_id: row for row in gateway.run(client.trades(SYMBOL, None))}
        same = asked[trade.trade_id]
        assert trade.exchange_order_id == placed.exchange_order_id == same.exchange_order_id
        assert (trade.quantity, trade.price, trade.fee) == (same.quantity, same.price, same.fee)
        assert (trade.symbol, ear.gaps) == (SYMBOL, ["connected"])
    finally:
        gateway.close()


def test_a_hedged_fill_is_told_with_its_side(exchange: Exchange, settings: Any) -> None:
    settings.EXCHANGE_VENUES = {"rehearsal": {"ccxt": "binance", "base_url": exchange.url}}
    exchange.register("hedged", "secret", USDT="0")
    owner = sync_client(exchange.url, "hedged", "secret")
    owner.fapiPrivatePostPositionSideDual({"dualSidePosition": "true"})
    owner.session.close()
    credentials = {"apiKey": "hedged", "secret": "secret"}
    ref = AccountRef(2, "rehearsal", "swap", "rehearsal", 1, secrets=lambda: credentials)
    gateway, ear = Gateway(), Ear()
    try:
        gateway.run(gateway.streams.hold([ref], ear))
        wait_until(lambda: gateway.streams.states()[0].state == LIVE)
        client = gateway.run(gateway.client(ref))
        request = OrderRequest(
            SYMBOL, "sell", "market", Decimal("0.01"), "hedged-1", position_side="short"
        )
        gateway.run(client.place(request))
        wait_until(lambda: ear.trade_ids)
        (trade,) = [trade for news in ear.heard for trade in news.trades]
        assert (trade.side, trade.position_side) == ("sell", "short")
    finally:
        gateway.close()
