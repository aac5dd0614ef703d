"""Our own books of contracts: one netting position per symbol, margin, leverage, liquidation."""

from decimal import Decimal
from typing import Any

import pytest

from exchanges.outcomes import NOT_SENT, REFUSED, VenueError
from exchanges.paper_contracts import PaperContracts, ShadowContracts
from exchanges.protocol import OrderRequest, Quote, VenueBalance
from tests.exchanges.test_paper import Market, Shelf
from tests.exchanges.test_shadow import NOW_MS, RealAccount

SYMBOL = "BTC/USDT:USDT"


@pytest.fixture
def market() -> Market:
    market = Market()
    market.quote = Quote(SYMBOL, Decimal(50_000), NOW_MS)
    return market


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


def opened(shelf: Shelf, market: Market) -> PaperContracts:
    return PaperContracts(
        "account-7", rules=market.rules, quotes=market.price, load=shelf.load, save=shelf.save,
        clock=lambda: NOW_MS,
    )  # fmt: skip


@pytest.fixture
def client(shelf: Shelf, market: Market) -> PaperContracts:
    return opened(shelf, market)


def order(side: str, quantity: str, name: str, **fields: Any) -> OrderRequest:
    given = {"type": "market", **fields}
    return OrderRequest(SYMBOL, side, quantity=Decimal(quantity), client_order_id=name, **given)


async def at(client: PaperContracts, market: Market, price: int) -> list[tuple[str, Decimal]]:
    """Let a price reach the book; side and quantity of what it executed."""
    market.quote = Quote(SYMBOL, Decimal(price), NOW_MS)
    return [(each.side, each.quantity) for each in await client.tick(market.quote)]


async def held(client: PaperContracts) -> list[tuple[str, Decimal, Decimal | None]]:
    rows = await client.positions([SYMBOL])
    return [(each.side, each.quantity, each.entry_price) for each in rows]


async def test_a_short_is_opened_and_closed_to_the_cent(
    client: PaperContracts, market: Market, shelf: Shelf
) -> None:
    opening = await client.place(order("sell", "0.1", "a"))
    assert (opening.status, opening.average) == ("filled", Decimal(50_000))
    assert (opening.trades[0].fee, opening.trades[0].fee_currency) == (Decimal("2.5"), "USDT")
    assert await held(client) == [("short", Decimal("0.1"), Decimal(50_000))]
    await at(client, market, 49_000)
    again = opened(shelf, market)  # another process, from what is stored
    await again.place(order("buy", "0.1", "b", reduce_only=True))
    assert await held(again) == []
    # 100 gained, 2.5 and 2.45 paid
    wallet = VenueBalance("USDT", Decimal("10095.05"), Decimal(0))
    assert await again.balances() == {"USDT": wallet}


async def test_margin_is_used_by_leverage_and_runs_out(client: PaperContracts) -> None:
    await client.set_leverage(SYMBOL, Decimal(10))
    await client.place(order("buy", "1", "a"))
    told = (await client.balances())["USDT"]
    assert (told.used, told.total) == (Decimal(5_000), Decimal(9_975))
    assert (await client.positions([SYMBOL]))[0].leverage == 10
    with pytest.raises(VenueError) as refused:
        await client.place(order("buy", "1", "b"))
    assert (refused.value.outcome, refused.value.code) == (REFUSED, "insufficient_funds")
    with pytest.raises(VenueError) as too_high:
        await client.set_leverage(SYMBOL, Decimal(126))
    assert too_high.value.outcome == REFUSED


async def test_a_reduce_only_order_opens_nothing(client: PaperContracts, market: Market) -> None:
    with pytest.raises(VenueError) as flat:
        await client.place(order("sell", "0.1", "a", reduce_only=True))
    assert (flat.value.outcome, flat.value.code) == (REFUSED, "reduce_only_refused")
    await client.place(order("buy", "0.1", "b"))
    stop = order("sell", "0.3", "c", type="stop_loss", stop_price=Decimal(49_000), reduce_only=True)
    assert (await client.place(stop)).status == "open"
    assert await at(client, market, 49_000) == [("sell", Decimal("0.1"))]
    assert await held(client) == []


async def test_a_position_that_its_margin_no_longer_covers_is_liquidated(
    client: PaperContracts, market: Market
) -> None:
    await client.set_leverage(SYMBOL, Decimal(10))
    await client.place(order("buy", "1", "a"))
    assert await at(client, market, 41_000) == []
    assert await at(client, market, 40_000) == [("sell", Decimal(1))]
    assert await held(client) == []
    last = (await client.trades(SYMBOL, None))[-1]
    assert last.client_order_id.startswith("autoclose-")
    told = await client.find_order(SYMBOL, "", last.exchange_order_id)
    assert told is not None
    assert (told.status, told.client_order_id) == ("filled", last.client_order_id)


async def test_a_book_of_contracts_takes_no_spot_order(client: PaperContracts) -> None:
    with pytest.raises(VenueError) as error:
        await client.place(OrderRequest("BTC/USDT", "buy", "market", Decimal("0.1"), "a"))
    assert (error.value.outcome, error.value.code) == (NOT_SENT, "not_supported")


async def test_shadow_opens_with_what_is_free_and_tells_what_is_real(market: Market) -> None:
    shelf = Shelf()
    client = ShadowContracts(
        "account-7", real=RealAccount(), quotes=market.price, max_age_ms=10_000,
        rules=market.rules, load=shelf.load, save=shelf.save, clock=lambda: NOW_MS,
    )  # type: ignore[arg-type]  # fmt: skip
    await client.set_leverage(SYMBOL, Decimal(10))
    with pytest.raises(VenueError) as refused:
        await client.place(order("buy", "0.15", "a"))  # 750 of the 700 that are free
    assert refused.value.code == "insufficient_funds"
    assert (await client.place(order("buy", "0.1", "b"))).status == "filled"
    assert await held(client) == [("long", Decimal("0.1"), Decimal(50_000))]
    assert await client.balances() == await RealAccount().balances()
    market.quote = Quote(SYMBOL, Decimal(50_000), NOW_MS - 10_001)
    with pytest.raises(VenueError) as stale:
        await client.place(order("buy", "0.01", "c"))
    assert stale.value.code == "stale_quote"
