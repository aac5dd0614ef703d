"""Private streams through the gateway, against a rehearsal exchange over real sockets."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from exchanges.gateway import AccountRef, Gateway
from exchanges.protocol import OrderRequest
from exchanges.streams import LIVE, News, StreamState
from tests.trading.rehearsal import Exchange, running_exchange
from tests.waiting import wait_until

KEY = "streamed"


class Ear:
    """Remembers what it is told."""

    def __init__(self) -> None:
        self.heard: list[News] = []
        self.gaps: list[str] = []

    def news(self, news: News) -> None:
        """Something happened."""
        self.heard.append(news)

    def gap(self, account_id: int, reason: str) -> None:
        """Something may be missing."""
        self.gaps.append(reason)

    @property
    def trade_ids(self) -> list[str]:
        """Every trade told, as often as it was told."""
        return [trade.trade_id for news in self.heard for trade in news.trades]

    @property
    def statuses(self) -> list[tuple[str, str]]:
        """Client id and status of every order told."""
        return [(o.client_order_id, o.status) for news in self.heard for o in news.orders]


class Room:
    """A gateway that listens for one account."""

    def __init__(self, exchange: Exchange, gateway: Gateway) -> None:
        self.exchange = exchange
        self.gateway = gateway
        self.ear = Ear()

    def ref(self, *, secret: str = f"secret-of-{KEY}", version: int = 1) -> AccountRef:
        """The account as the gateway knows it."""
        credentials = {"apiKey": KEY, "secret": secret}
        return AccountRef(1, "rehearsal", "spot", "rehearsal", version, secrets=lambda: credentials)

    def listen(self, **ref: Any) -> None:
        """Hold the account's stream."""
        self.gateway.run(self.gateway.streams.hold([self.ref(**ref)], self.ear))

    @property
    def state(self) -> StreamState:
        """How the stream does."""
        return self.gateway.streams.states()[0]

    def go_live(self, **ref: Any) -> None:
        """Listen and wait until it does."""
        self.listen(**ref)
        wait_until(lambda: self.state.state == LIVE)

    def buy(self, client_id: str) -> None:
        """Buy 0.01 BTC at the market."""
        request = OrderRequest("BTC/USDT", "buy", "market", Decimal("0.01"), client_id)

        async def place() -> None:
            client = await self.gateway.client(self.ref())
            await client.place(request)

        self.gateway.run(place())

    def stream_fault(self, kind: str, times: int = 1) -> None:
        """Let the next messages of the stream suffer ``kind``."""
        self.exchange.call("POST", "/_fault", {"script": [{"kind": kind, "times": times}]})


@pytest.fixture(scope="module")
def exchange() -> Iterator[Exchange]:
    with running_exchange() as exchange:
        exchange.register(KEY, f"secret-of-{KEY}", USDT="100000")
        yield exchange


@pytest.fixture
def room(exchange: Exchange, settings: Any) -> Iterator[Room]:
    settings.EXCHANGE_VENUES = {"rehearsal": {"ccxt": "binance", "base_url": exchange.url}}
    exchange.call("DELETE", "/_fault")
    gateway = Gateway()
    yield Room(exchange, gateway)
    gateway.close()


def test_a_fill_is_told_with_the_ids_that_a_query_tells(room: Room) -> None:
    room.go_live()
    assert room.ear.gaps == ["connected"]
    room.buy("told-1")
    wait_until(lambda: room.ear.trade_ids and ("told-1", "filled") in room.ear.statuses)
    (order,) = [row for row in room.exchange.orders(KEY) if row["clientOrderId"] == "told-1"]
    (trade,) = [trade for news in room.ear.heard for trade in news.trades]
    asked = room.gateway.run(_trades_of(room))
    assert (trade.exchange_order_id, trade.side) == (str(order["orderId"]), "buy")
    assert [row for row in asked if row.trade_id == trade.trade_id][0].price == trade.price
    assert trade.fee_currency == "BTC"


async def _trades_of(room: Room) -> Any:
    client = await room.gateway.client(room.ref())
    return await client.trades("BTC/USDT", None)


def test_a_cut_stream_is_dialled_again_and_owns_up_to_the_gap(room: Room) -> None:
    room.go_live()
    room.stream_fault("ws_cut")
    room.buy("cut-1")
    wait_until(lambda: room.ear.gaps == ["connected", "network_error", "connected"])
    assert room.state.reconnects == 1
    room.buy("cut-2")
    wait_until(lambda: ("cut-2", "filled") in room.ear.statuses)


def test_an_event_that_ends_the_stream_has_it_dialled_again(room: Room) -> None:
    """ccxt ignores listenKeyExpired, after which nothing comes any more."""
    room.go_live()
    stream = room.gateway.streams._streams[1]
    exchange = stream._session._exchange
    (client,) = exchange.clients.values()

    async def expire() -> None:
        exchange.handle_message(client, {"e": "listenKeyExpired", "E": 1})

    room.gateway.run(expire())
    wait_until(lambda: room.ear.gaps == ["connected", "stream_ended", "connected"])


def test_a_message_that_ccxt_cannot_read_is_a_gap_and_not_the_end(room: Room) -> None:
    room.go_live()
    exchange = room.gateway.streams._streams[1]._session._exchange
    (client,) = exchange.clients.values()

    async def confuse() -> None:
        exchange.handle_message(client, {"e": "executionReport", "x": "TRADE", "X": 5, "N": {}})

    room.gateway.run(confuse())
    room.buy("after-confusion")
    wait_until(lambda: ("after-confusion", "filled") in room.ear.statuses)
    assert room.ear.gaps == ["connected", "message_not_read"]
    assert room.state.reconnects == 0


def test_an_old_stream_is_dialled_anew(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("exchanges.stream_session.Session._lifetime", lambda self: 0.2)
    room.go_live()
    wait_until(lambda: room.ear.gaps[:3] == ["connected", "aged", "connected"])


def test_a_wrong_key_is_not_offered_again_at_once(room: Room) -> None:
    room.listen(secret="wrong")
    wait_until(lambda: room.state.error == "key_refused")
    assert room.ear.gaps == []
    room.listen(version=2)
    wait_until(lambda: room.state.state == LIVE)


def test_a_host_that_is_not_declared_is_not_dialled(room: Room, settings: Any) -> None:
    hosts = {"api.binance.com": room.exchange.url}
    settings.EXCHANGE_VENUES = {"rehearsal": {"ccxt": "binance", "hosts": hosts}}
    room.listen()
    wait_until(lambda: room.state.error == "host_not_declared")


def test_a_declared_host_is_dialled_at_its_address(room: Room, settings: Any) -> None:
    url = room.exchange.url
    hosts = {"api.binance.com": url, "ws-api.binance.com": url.replace("http", "ws")}
    settings.EXCHANGE_VENUES = {"rehearsal": {"ccxt": "binance", "hosts": hosts}}
    room.go_live()


def test_an_account_that_is_let_go_is_told_nothing_more(room: Room) -> None:
    room.go_live()
    room.gateway.run(room.gateway.streams.hold([], room.ear))
    assert room.gateway.streams.states() == []
    room.buy("let-go")
    assert room.ear.heard == []
