"""The shadow client: real balances, fresh quotes, fills of our own, nothing sent."""

from decimal import Decimal

import pytest

from exchanges.outcomes import REFUSED, VenueError
from exchanges.protocol import Quote, VenueBalance
from exchanges.shadow import ShadowClient
from tests.exchanges.test_paper import Market, Shelf, order

NOW_MS = 1_000_000


class RealAccount:
    """What the real client tells of the account; it can do nothing else."""

    async def balances(self) -> dict[str, VenueBalance]:
        return {
            "USDT": VenueBalance("USDT", Decimal(700), Decimal(300)),
            "BTC": VenueBalance("BTC", Decimal("0.5"), Decimal(0)),
        }


@pytest.fixture
def market() -> Market:
    market = Market()
    market.quote = Quote("BTC/USDT", Decimal(50_000), NOW_MS)
    return market


@pytest.fixture
def client(market: Market) -> ShadowClient:
    shelf = Shelf()
    return ShadowClient(
        "account-7", real=RealAccount(), quotes=market.price, max_age_ms=10_000,
        rules=market.rules, load=shelf.load, save=shelf.save, clock=lambda: NOW_MS,
    )  # type: ignore[arg-type]  # fmt: skip


async def test_it_opens_with_what_is_free_and_goes_on_telling_what_is_real(
    client: ShadowClient,
) -> None:
    with pytest.raises(VenueError) as caught:
        await client.place(order(quantity="0.0141"))  # 705 USDT
    assert (caught.value.outcome, caught.value.code) == (REFUSED, "insufficient_funds")
    assert (await client.place(order("sell", quantity="0.5", name="b"))).status == "filled"
    assert (await client.place(order(quantity="0.5", name="c"))).status == "filled"
    assert await client.balances() == await RealAccount().balances()


@pytest.mark.parametrize(
    ("stamped_ms", "is_fresh"),
    [
        (None, True),
        (NOW_MS - 10_000, True),
        (NOW_MS - 10_001, False),
        (NOW_MS + 2_000, True),
        (NOW_MS + 2_001, False),
    ],
)
async def test_only_a_fresh_quote_by_the_venues_own_stamp_is_good_enough(
    client: ShadowClient, market: Market, stamped_ms: int | None, is_fresh: bool
) -> None:
    market.quote = Quote("BTC/USDT", Decimal(50_000), NOW_MS, stamped_ms=stamped_ms)
    if is_fresh:
        assert (await client.place(order(quantity="0.01"))).status == "filled"
        return
    with pytest.raises(VenueError) as caught:
        await client.place(order(quantity="0.01"))
    assert (caught.value.outcome, caught.value.code) == (REFUSED, "stale_quote")
    assert await client.find_order("BTC/USDT", "c", "") is None


async def test_a_resting_limit_fills_once_the_market_trades_through_it(
    client: ShadowClient,
) -> None:
    await client.place(order(kind="limit", quantity="0.01", price=Decimal(49_000)))
    assert await client.tick(Quote("BTC/USDT", Decimal(49_000), NOW_MS)) == []
    stale = Quote("BTC/USDT", Decimal(48_000), NOW_MS, stamped_ms=1)
    assert await client.tick(stale) == []
    trades = await client.tick(Quote("BTC/USDT", Decimal("48999.99"), NOW_MS))
    assert [trade.price for trade in trades] == [49_000]
