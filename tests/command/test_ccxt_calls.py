"""ccxt's functions by name: only those on the list reach the exchange, orders become commands."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import ccxt.async_support as ccxt
import pytest

from accounts.models import Account
from accounts.services import create_account, set_status
from common.errors import DomainError, Invalid, NotFound, Unavailable
from exchanges import gateway
from exchanges.passthrough import FUNCTIONS
from tests.command.conftest import SYMBOL, Terminal, limit
from tests.users.people import Person
from trading.models import Command, Order
from trading.services import reconcile
from trading.services.passthrough import call_ccxt

CLASSES = ("binance", "bybit", "okx", "kraken", "gate")
ORDERS = {"create_order", "createOrder", "edit_order", "editOrder", "cancel_order", "cancelOrder"}


@pytest.fixture
def account(terminal: Terminal) -> Account:
    """A netting account."""
    return terminal.account()


def ask(terminal: Terminal, account: Account, func: str, *args: Any, **kwargs: Any) -> Any:
    """The response to one call."""
    body = {"args": list(args), "kwargs": kwargs}
    return terminal.call("POST", f"/ccxt/{account.pk}/{func}", body)


def test_reading_functions_answer_in_both_spellings(terminal: Terminal, account: Account) -> None:
    for func in ("fetch_ticker", "fetchTicker"):
        answer = ask(terminal, account, func, SYMBOL).json()
        assert (answer["ok"], answer["result"]["last"]) == (True, "50000")
    balance = ask(terminal, account, "fetch_balance").json()["result"]
    assert balance["USDT"]["free"] == "100000"
    assert isinstance(ask(terminal, account, "fetch_time").json()["result"], int)
    rows = ask(terminal, account, "fetch_ohlcv", SYMBOL, timeframe="1m", limit=2).json()["result"]
    assert len(rows) == 2
    assert ask(terminal, account, "fetch_ohlcv", SYMBOL).status_code == 200


def test_candles_the_exchange_lacks_are_resampled_and_the_answer_says_so(
    terminal: Terminal, account: Account
) -> None:
    own = ask(terminal, account, "fetchOHLCV", SYMBOL, "5m", limit=2).json()
    assert own.keys() == {"ok", "result"}
    made = ask(terminal, account, "fetchOHLCV", SYMBOL, "10m", limit=2).json()
    assert made.keys() == {"ok", "result", "resampled_from", "is_forming"}
    assert (made["resampled_from"], made["is_forming"]) == ("5m", True)
    opening = made["result"][0][0]
    assert opening % 600_000 == 0
    assert made["result"] == [
        [at, "50000", "50000", "50000", "50000", "0"] for at in (opening, opening + 600_000)
    ]
    call = {"account_id": account.pk, "func": "fetch_ohlcv", "kwargs": {"timeframe": "10m"}}
    until = {"symbol": SYMBOL, "timeframe": "10m", "params": {"until": opening}, "limit": 1}
    calls = [{**call, "kwargs": until}, {**call, "kwargs": {"timeframe": "10m"}}]
    first, second = terminal.call("POST", "/ccxt/multiple_commands", calls).json()["results"]
    assert (first["result"], first["resampled_from"]) == (made["result"][:1], "5m")
    assert second["error"]["code"] == "bad_request"
    refused = ask(terminal, account, "fetch_ohlcv", "NO/COIN", "10m")
    assert (refused.status_code, refused.json()["detail"]["code"]) == (422, "unknown_symbol")


@pytest.mark.parametrize(
    ("func", "args", "status", "code"),
    [
        ("fetch_ticker", [], 422, "bad_request"),
        ("fetch_ticker", ["NOPE/USDT"], 422, "unknown_symbol"),
        ("fetch_trades", [], 422, "bad_request"),
        ("fetch_ohlcv", [SYMBOL, "9z"], 422, "bad_request"),
        ("fetch_my_trades", [], 422, "bad_request"),
        ("fetch_order", ["999999", SYMBOL], 404, "order_not_found"),
    ],
)
def test_what_is_wrong_with_a_call_is_no_fault_of_the_exchange(
    terminal: Terminal, account: Account, func: str, args: list[str], status: int, code: str
) -> None:
    response = ask(terminal, account, func, *args)
    assert (response.status_code, response.json()["detail"]["code"]) == (status, code)


def test_orders_become_commands(terminal: Terminal, account: Account) -> None:
    placed = ask(
        terminal, account, "create_order", SYMBOL, "limit", "buy", "0.01", "49000",
        params={"postOnly": True},
    ).json()["result"]  # fmt: skip
    order = Order.objects.get()
    assert (placed["id"], order.post_only, str(order.price)) == (str(order.pk), True, "49000")
    terminal.work(account)
    edited = ask(terminal, account, "editOrder", placed["id"], price="49100")
    assert edited.json()["result"]["id"] == placed["id"]
    assert Command.objects.filter(kind="change_order").count() == 1
    assert ask(terminal, account, "cancelOrder", placed["id"], SYMBOL).status_code == 200
    refused = ask(terminal, account, "create_order", SYMBOL, "limit", "buy", "0.01", "90000")
    assert refused.json()["detail"]["code"].startswith("denied_")


@pytest.mark.parametrize(
    ("func", "kwargs"),
    [
        ("fetch_ticker", {"params": {"type": "swap"}}),
        ("fetch_ticker", {"params": {"maxRetriesOnFailure": 3}}),
        ("fetch_ticker", {"symbol": 7}),
        ("fetch_ticker", {"nope": 1}),
        ("fetch_order", {}),
        ("fetch_ohlcv", {"symbol": SYMBOL, "limit": 10**9}),
        ("create_order", {"symbol": SYMBOL, "params": {"clientOrderId": "mine"}}),
        ("cancel_order", {"id": "1", "params": {"x": 1}}),
    ],
)
def test_arguments_outside_the_list_are_refused(
    terminal: Terminal, account: Account, func: str, kwargs: dict[str, Any]
) -> None:
    response = ask(terminal, account, func, **kwargs)
    assert (response.status_code, response.json()["detail"]["code"]) == (422, "validation_error")
    assert not Order.objects.exists()


def test_several_calls_keep_their_order(terminal: Terminal, account: Account) -> None:
    calls = [
        {"account_id": account.pk, "func": "fetch_time"},
        {"account_id": account.pk, "func": "withdraw", "args": ["BTC", 1, "x"]},
        {"account_id": 10**9, "func": "fetch_time"},
        {"func": "fetch_time"},
    ]
    results = terminal.call("POST", "/ccxt/multiple_commands", calls).json()["results"]
    assert [each["index"] for each in results] == [0, 1, 2, 3]
    assert results[0]["ok"]
    codes = [each["error"]["code"] for each in results[1:]]
    assert codes == ["function_not_found", "account_not_found", "validation_error"]
    assert terminal.call("POST", "/ccxt/multiple_commands", []).json() == {"results": []}
    many = terminal.call("POST", "/ccxt/multiple_commands", [calls[0]] * 21)
    assert many.status_code == 422


def test_strangers_reach_nothing(terminal: Terminal, account: Account, stranger: Person) -> None:
    with pytest.raises(DomainError):
        call_ccxt(
            principal=stranger.principal, account=account, name="create_order",
            args=[SYMBOL, "market", "buy", "1"],
        )  # fmt: skip
    assert not Order.objects.exists()
    assert terminal.send(limit(account, "0.01", "49000"))[0]["ok"]


class _Counter(BaseHTTPRequestHandler):
    count = 0

    def _answer(self) -> None:
        type(self).count += 1
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(503)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    do_GET = do_POST = do_PUT = do_DELETE = _answer  # noqa: N815

    def log_message(self, *_: Any) -> None:
        """Quiet."""


@pytest.fixture
def counting(settings: Any, admin: Person) -> Iterator[dict[str, Account]]:
    """An account at each of five exchanges, all of whose traffic one counting server gets."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Counter)
    Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    settings.EXCHANGE_VENUES = {f"c{name}": {"ccxt": name, "base_url": url} for name in CLASSES}
    gateway.shutdown()
    yield {
        name: create_account(
            principal=admin.principal, venue=f"c{name}", name=name,
            api_key=f"key-{name}", api_secret="c2VjcmV0", passphrase="pass",
        )
        for name in CLASSES
    }  # fmt: skip
    gateway.shutdown()
    server.shutdown()
    server.server_close()


def test_of_every_public_name_only_the_list_reaches_the_exchange(
    counting: dict[str, Account], admin: Person, capsys: pytest.CaptureFixture[str]
) -> None:
    _Counter.count = 0
    named = 0
    for exchange, account in counting.items():
        names = [name for name in dir(getattr(ccxt, exchange)) if not name.startswith("_")]
        names += [*vars(getattr(ccxt, exchange)()), "__class__", "_sign"]
        named += len(names)
        for name in set(names) - FUNCTIONS.keys() - ORDERS:
            with pytest.raises(NotFound) as error:
                call_ccxt(principal=admin.principal, account=account, name=name)
            assert error.value.code == "function_not_found"
    assert _Counter.count == 0
    assert "sapi_post_capital_withdraw_apply" not in FUNCTIONS
    with capsys.disabled():
        print(f"\n{named} names of {len(CLASSES)} classes, {len(FUNCTIONS)} on the list")
    with pytest.raises(DomainError):
        call_ccxt(
            principal=admin.principal, account=counting["binance"], name="fetch_ticker",
            args=[SYMBOL],
        )  # fmt: skip
    assert _Counter.count > 0


PRIVATE = sorted({name for name, function in FUNCTIONS.items() if function.is_private})
NEEDS = {"fetch_order", "fetchOrder", "fetch_order_trades", "fetchOrderTrades"}


def arguments(name: str) -> dict[str, str]:
    """What a function cannot do without."""
    return {"id": "1"} if name in NEEDS else {}


def code_of(person: Person, account: Account, name: str) -> str:
    """How a function by name is refused."""
    with pytest.raises(DomainError) as error:
        call_ccxt(
            principal=person.principal, account=account, name=name, kwargs=arguments(name)
        )  # fmt: skip
    return error.value.code


def test_credentials_do_not_follow_a_venue_to_another_address(
    counting: dict[str, Account], admin: Person
) -> None:
    accounts = list(counting.values())
    Account.objects.update(pinned_address="http://127.0.0.1:1")
    for account in accounts:
        account.refresh_from_db()
    _Counter.count = 0
    codes = {code_of(admin, account, name) for account in accounts for name in PRIVATE}
    assert codes == {"venue_address_changed"}
    for account in accounts:
        with pytest.raises(Unavailable) as error:
            reconcile.sync_account(account=account)
        assert error.value.code == "venue_address_changed"
    Account.objects.update(sync_error="")
    assert reconcile.poll_due() == len(accounts)
    assert reconcile.poll_due() == 0
    told = set(Account.objects.values_list("sync_error", "status"))
    assert told == {("venue_address_changed", "suspended")}
    assert _Counter.count == 0
    set_status(principal=admin.principal, account=accounts[0], status="active")
    confirmed = Account.objects.get(pk=accounts[0].pk)
    reconcile.poll([confirmed])
    assert _Counter.count > 0


def test_a_disabled_account_calls_nothing(counting: dict[str, Account], admin: Person) -> None:
    account = counting["binance"]
    set_status(principal=admin.principal, account=account, status="disabled", reason="holiday")
    account.refresh_from_db()
    _Counter.count = 0
    assert {code_of(admin, account, name) for name in FUNCTIONS} == {"account_disabled"}
    assert _Counter.count == 0


def test_no_key_of_params_outside_the_list_reaches_the_exchange(
    counting: dict[str, Account], admin: Person
) -> None:
    _Counter.count = 0
    keys = {
        "maxRetriesOnFailure",
        "type",
        "address",
        "subAccount",
        "recvWindow",
        "newClientOrderId",
    }
    for account in counting.values():
        for name in FUNCTIONS:
            for key in keys:
                with pytest.raises(Invalid):
                    call_ccxt(
                        principal=admin.principal, account=account, name=name,
                        kwargs={"params": {key: "1"}},
                    )  # fmt: skip
    assert _Counter.count == 0
    assert not Command.objects.exists()
