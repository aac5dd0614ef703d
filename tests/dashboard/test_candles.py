"""Candles on the account page: the exchange's own, or resampled, which the page says."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from bots.models import Bot
from tests.dashboard.world import World
from tests.trading.rehearsal import Exchange

LACKS = ("1m", "5m", "15m", "1h", "4h", "1d")


@pytest.fixture
def poor(exchange: Exchange, monkeypatch: pytest.MonkeyPatch) -> Exchange:
    """An exchange without ``6h`` and ``3d``, its price at 50,000."""
    monkeypatch.setattr("exchanges.candles.offered_timeframes", lambda ccxt_id: LACKS)
    return exchange


def asked(client: Client, world: World, **query: Any) -> dict[str, Any]:
    """The numbers of the chart."""
    given = {"account": world.accounts[0].pk, "symbol": "BTC/USDT", **query}
    response = client.get(reverse("dashboard:candles"), given)
    assert response.status_code == 200, response.content
    return dict(response.json())


@pytest.mark.parametrize("timeframe", Bot.Timeframe.values)
def test_every_timeframe_of_a_bot_is_drawn(
    timeframe: str, poor: Exchange, browser_client: Client, world: World
) -> None:
    found = asked(browser_client, world, timeframe=timeframe, limit=5)
    assert found["resampled_from"] == {"6h": "1h", "3d": "1d"}.get(timeframe)
    assert found["is_forming"] is True
    assert len(found["candles"]) == 5
    assert {tuple(candle[1:]) for candle in found["candles"]} == {(50000.0,) * 4}
    step = found["candles"][1][0] - found["candles"][0][0]
    assert [candle[0] % step for candle in found["candles"]] == [0] * 5


def test_the_table_says_what_it_was_made_of_and_what_is_forming(
    poor: Exchange, browser_client: Client, world: World
) -> None:
    address = reverse("dashboard:account", args=[world.accounts[0].pk])
    query = {"symbol": "BTC/USDT", "view": "table", "timeframe": "3d"}
    text = browser_client.get(address, query).content.decode()
    assert "3d candles at rehearsal, resampled from 1d</span>" in text
    assert text.count('<span class="quiet">forming</span></td><td class="n">50000</td>') == 1
    assert "<option selected>3d</option>" in text
    own = browser_client.get(address, {**query, "timeframe": "1d"}).content.decode()
    assert "1d candles at rehearsal</span>" in own
    assert own.count("forming") == 1
