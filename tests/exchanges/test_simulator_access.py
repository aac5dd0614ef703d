"""Who may use the simulator: keys, signatures, time windows and rate limits."""

from typing import Any

import ccxt.async_support as ccxt
import pytest

from tests.exchanges.simulator_harness import rehearsal


async def test_a_wrong_signature_is_refused() -> None:
    async with rehearsal() as venue:
        client = venue.client(secret="wrong")
        with pytest.raises(ccxt.AuthenticationError, match="-1022"):
            await client.fetch_balance()


async def test_an_unknown_key_is_enrolled_with_the_default_balance() -> None:
    async with rehearsal() as venue:
        client = venue.client(key="newcomer", secret="anything")
        assert (await client.fetch_balance())["USDT"]["free"] == 10000


async def test_a_closed_exchange_refuses_an_unknown_key() -> None:
    async with rehearsal(closed=True) as venue:
        with pytest.raises(ccxt.AuthenticationError, match="-2015"):
            await venue.client(key="stranger").fetch_balance()
        assert (await venue.client().fetch_balance())["USDT"]["free"] == 10000


async def test_registering_again_keeps_the_balances() -> None:
    async with rehearsal() as venue:
        account = {"api_key": "key-1", "api_secret": "secret-2", "balances": {"USDT": "1"}}
        assert await venue.call("POST", "/_account", account) == {"created": False}
        client = venue.client(secret="secret-2")
        assert (await client.fetch_balance())["USDT"]["free"] == 10000


async def test_a_late_request_is_refused_and_told_so() -> None:
    async with rehearsal() as venue:
        client = venue.client()
        client.options["recvWindow"] = 5000
        client.nonce = lambda: client.milliseconds() - 6000
        with pytest.raises(ccxt.InvalidNonce, match="-1021"):
            await client.fetch_balance()


async def test_a_request_without_a_key_is_refused() -> None:
    async with (
        rehearsal() as venue,
        venue.http.get(venue.server.url + "/api/v3/account") as response,
    ):
        assert (response.status, (await response.json())["code"]) == (401, -2014)


async def test_weights_are_counted_and_limited() -> None:
    async with rehearsal(weight_limit=19) as venue:
        client = venue.client()
        await client.public_get_ping()
        assert int(client.last_response_headers["X-MBX-USED-WEIGHT-1M"]) == 1
        with pytest.raises(ccxt.DDoSProtection):
            await client.private_get_account()
        assert 1 <= int(client.last_response_headers["Retry-After"]) <= 60


async def test_what_a_key_may_do_can_be_asked() -> None:
    async with rehearsal() as venue:
        client = venue.client()
        rights = await client.sapi_get_account_apirestrictions()
        assert (rights["enableSpotAndMarginTrading"], rights["enableWithdrawals"]) == (True, False)
        await venue.call("POST", "/_account", {"api_key": "key-1", "withdrawals": True})
        assert (await client.sapi_get_account_apirestrictions())["enableWithdrawals"] is True


async def test_markets_of_every_type_load_with_the_defaults_of_ccxt() -> None:
    async with rehearsal() as venue:
        client = venue.client()
        client.options.update(
            fetchMarkets={"types": ["spot", "linear", "inverse"]},
            fetchMargins=True,
            fetchCurrencies=True,
        )
        markets = await client.load_markets()
        assert sorted(markets) == [
            "BTC/USDT", "BTC/USDT:USDT", "DAI/USDT", "ETH/USDT", "ETH/USDT:USDT", "SOL/USDT",
            "SOL/USDT:USDT",
        ]  # fmt: skip
        assert markets["BTC/USDT"]["precision"]["amount"] == 0.00001
        assert markets["BTC/USDT"]["limits"]["cost"]["min"] == 5


async def test_no_secret_is_shown_or_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    async with rehearsal() as venue:
        client = venue.client()
        await client.create_order("BTC/USDT", "market", "buy", 0.01)
        answers = str(await venue.call("GET", "/dump")) + str(await venue.call("GET", "/_fault"))
        assert "secret-1" not in answers + caplog.text


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/_account", {"api_secret": "x"}),
        ("/_account", {"api_key": "x", "balances": {"USDT": "NaN"}}),
        ("/_account", {"api_key": "x", "balances": {"USDT": "-1"}}),
        ("/_account", {"api_key": "x", "balances": 5}),
        ("/_price", {"symbol": "XXX/USDT", "price": "1"}),
        ("/_price", {"symbol": "BTC/USDT", "price": "0"}),
        ("/_account/revoke", {"api_key": "nobody"}),
        ("/_fault", {"script": [{"times": 1}]}),
    ],
)
async def test_a_wrong_body_is_named_and_changes_nothing(path: str, body: dict[str, Any]) -> None:
    async with rehearsal() as venue:
        before = await venue.call("GET", "/dump")
        async with venue.http.post(venue.server.url + path, json=body) as response:
            assert response.status == 400
            assert (await response.json())["error"]
        after = await venue.call("GET", "/dump")
        assert after["accounts"] == before["accounts"]
