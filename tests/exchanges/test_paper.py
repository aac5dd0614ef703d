"""The paper venue: the same answers as an exchange, from a book the caller keeps."""

import json
from decimal import Decimal
from typing import Any

import pytest
from django.db import OperationalError

from exchanges.outcomes import NOT_SENT, REFUSED, UNKNOWN, VenueError
from exchanges.paper import PaperClient
from exchanges.protocol import MarketRules, OrderRequest, Quote, VenueBalance

BTC = MarketRules(
    "BTC/USDT", "BTC", "USDT", "spot", Decimal("0.00001"), Decimal("0.01"),
    min_amount=Decimal("0.00001"), min_cost=Decimal(5),
)  # fmt: skip
SWAP = MarketRules("BTC/USDT:USDT", "BTC", "USDT", "swap", Decimal("0.001"), Decimal("0.1"))


class Shelf:
    """Where the caller keeps the book: JSON text, as a database would."""

    def __init__(self) -> None:
        self.text: str | None = None
        self.saves = 0
        self.broken = False

    async def load(self) -> dict[str, Any] | None:
        return None if self.text is None else json.loads(self.text)

    async def save(self, state: dict[str, Any]) -> None:
        if self.broken:
            raise OperationalError("the disk is gone")
        self.text = json.dumps(state)
        self.saves += 1


class Market:
    """Rules and a quote that tests set."""

    def __init__(self) -> None:
        self.quote: Quote | None = Quote("BTC/USDT", Decimal(50_000), 1)

    async def rules(self, symbol: str) -> MarketRules:
        return {"BTC/USDT": BTC, "BTC/USDT:USDT": SWAP}[symbol]

    async def price(self, symbol: str) -> Quote | None:
        return self.quote


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def market() -> Market:
    return Market()


@pytest.fixture
def client(shelf: Shelf, market: Market) -> PaperClient:
    return open_client(shelf, market)


def open_client(shelf: Shelf, market: Market) -> PaperClient:
    return PaperClient(
        "account-7", rules=market.rules, quotes=market.price, load=shelf.load, save=shelf.save,
        clock=lambda: 1000,
    )  # fmt: skip


def order(
    side: str = "buy", kind: str = "market", quantity: str = "0.1", name: str = "c", **kwargs: Any
) -> OrderRequest:
    return OrderRequest("BTC/USDT", side, kind, Decimal(quantity), name, **kwargs)


async def test_a_market_order_fills_at_the_quote_with_its_fee_in_the_base_coin(
    client: PaperClient,
) -> None:
    placed = await client.place(order())
    assert (placed.status, placed.filled, placed.average) == ("filled", Decimal("0.1"), 50_000)
    assert [(t.fee, t.fee_currency) for t in placed.trades] == [(Decimal("0.0001"), "BTC")]
    assert await client.balances() == {
        "USDT": VenueBalance("USDT", Decimal(5000), Decimal(0)),
        "BTC": VenueBalance("BTC", Decimal("0.0999"), Decimal(0)),
    }
    assert await client.trades("BTC/USDT", None) == list(placed.trades)
    assert await client.trades("BTC/USDT", 1001) == []


async def test_a_buy_pays_the_ask_and_a_sell_gets_the_bid(
    client: PaperClient, market: Market
) -> None:
    market.quote = Quote("BTC/USDT", Decimal(50_000), 1, Decimal(49_990), Decimal(50_010))
    assert (await client.place(order(name="a"))).average == 50_010
    assert (await client.place(order("sell", quantity="0.05", name="b"))).average == 49_990


async def test_a_limit_order_rests_until_a_tick_brings_its_price(client: PaperClient) -> None:
    placed = await client.place(order(kind="limit", price=Decimal(49_000)))
    assert placed.status == "open"
    assert [o.client_order_id for o in await client.open_orders("BTC/USDT")] == ["c"]
    assert await client.tick(Quote("BTC/USDT", Decimal(49_500), 2)) == []
    trades = await client.tick(Quote("BTC/USDT", Decimal(48_900), 3))
    assert [trade.price for trade in trades] == [49_000]
    found = await client.find_order("BTC/USDT", "c", "")
    assert found is not None
    assert (found.status, found.average) == ("filled", 49_000)


async def test_a_stop_waits_for_its_price(client: PaperClient) -> None:
    await client.place(order(name="a"))
    stop = order("sell", "stop_loss", "0.05", "b", stop_price=Decimal(48_000))
    assert (await client.place(stop)).status == "open"
    await client.tick(Quote("BTC/USDT", Decimal(47_900), 3))
    found = await client.find_order("BTC/USDT", "b", "")
    assert found is not None
    assert (found.status, found.average) == ("filled", 47_900)


async def test_the_book_is_saved_before_the_answer_and_read_by_the_next_client(
    client: PaperClient, shelf: Shelf, market: Market
) -> None:
    placed = await client.place(order(kind="limit", price=Decimal(49_000)))
    assert shelf.saves == 1
    other = open_client(shelf, market)
    assert await other.find_order("BTC/USDT", "", placed.exchange_order_id) == placed
    await other.cancel("BTC/USDT", "c", "")
    assert (await open_client(shelf, market).balances())["USDT"].free == 10_000


async def test_a_book_that_cannot_be_saved_leaves_the_outcome_unknown_and_the_old_book(
    client: PaperClient, shelf: Shelf
) -> None:
    await client.place(order(name="a"))
    shelf.broken = True
    with pytest.raises(VenueError) as error:
        await client.place(order(quantity="0.01", name="b"))
    assert (error.value.outcome, error.value.code) == (UNKNOWN, "book_not_saved")
    shelf.broken = False
    assert await client.find_order("BTC/USDT", "b", "") is None
    assert (await client.balances())["USDT"].free == 5000


@pytest.mark.parametrize(
    ("request_", "outcome", "code"),
    [
        (order(quantity="1"), REFUSED, "insufficient_funds"),
        (order(quantity="0.000001"), REFUSED, "invalid_order"),
        (order(quantity="0.00001"), REFUSED, "invalid_order"),
        (order(kind="limit", price=Decimal(50_000), post_only=True), REFUSED, "would_take"),
        (order(name="used"), UNKNOWN, "duplicate_order_id"),
        (
            OrderRequest("BTC/USDT:USDT", "buy", "market", Decimal(1), "x"),
            NOT_SENT,
            "not_supported",
        ),
    ],
)
async def test_a_refusal_has_an_outcome_and_moves_nothing(
    client: PaperClient, shelf: Shelf, request_: OrderRequest, outcome: str, code: str
) -> None:
    await client.place(order(kind="limit", quantity="0.01", name="used", price=Decimal(40_000)))
    before = shelf.text
    with pytest.raises(VenueError) as error:
        await client.place(request_)
    assert (error.value.outcome, error.value.code) == (outcome, code)
    assert shelf.text == before


async def test_without_a_price_nothing_is_placed(client: PaperClient, market: Market) -> None:
    market.quote = None
    with pytest.raises(VenueError) as error:
        await client.place(order())
    assert (error.value.outcome, error.value.code) == (NOT_SENT, "no_price")


async def test_an_order_nobody_placed_is_not_found(client: PaperClient) -> None:
    assert await client.find_order("BTC/USDT", "nothing", "") is None
    assert await client.find_order("BTC/USDT", "", "not-a-number") is None
    with pytest.raises(VenueError) as error:
        await client.cancel("BTC/USDT", "nothing", "")
    assert error.value.code == "order_not_found"


async def test_a_buy_and_the_sale_of_all_of_it_leave_no_base_coin(client: PaperClient) -> None:
    await client.place(order(quantity="0.1", name="in"))
    await client.place(order("sell", quantity="0.0999", name="out"))
    assert "BTC" not in await client.balances()
