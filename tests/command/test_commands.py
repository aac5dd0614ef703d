"""``POST /position/commands``: batches over HTTP, against an exchange that answers."""

from typing import Any

import pytest

from accounts.models import Account
from tests.command.conftest import Terminal, buy, command, limit
from tests.users.people import Person
from trading import states
from trading.models import Command, Execution, Order, Position
from trading.services.cancelling import pursue_due
from users.services import create_api_key


@pytest.fixture
def account(terminal: Terminal) -> Account:
    """A netting account."""
    return terminal.account()


def test_the_specifications_own_example_is_accepted(terminal: Terminal, account: Account) -> None:
    body = [
        {
            "account_id": account.pk,
            "command": "send_order",
            "request_id": "req-1",
            "payload": {
                "symbol": "BTC/USDT", "side": "buy", "order_type": "limit", "qty": "0.01",
                "price": "50000", "magic_id": 0, "position_id": 0,
            },
        }
    ]  # fmt: skip
    (result,) = terminal.call("POST", "/position/commands", body).json()["results"]
    order = Order.objects.get()
    assert result == {
        "index": 0,
        "ok": True,
        "request_id": "req-1",
        "command_id": order.command_id,
        "order_id": order.pk,
        "error": None,
    }
    assert (order.symbol, order.side, order.type) == ("BTC/USDT", "buy", "limit")
    assert (str(order.quantity), str(order.price)) == ("0.01", "50000")


def test_a_lone_object_is_a_batch_of_one(terminal: Terminal, account: Account) -> None:
    response = terminal.call("POST", "/position/commands", buy(account))
    (result,) = response.json()["results"]
    assert (response.status_code, result["index"], result["ok"]) == (200, 0, True)


def test_each_item_stands_alone_and_in_its_place(terminal: Terminal, account: Account) -> None:
    results = terminal.send(
        buy(account),
        {"command": "fly", "account_id": account.pk},
        buy(account, "0"),
        "no object",
        limit(account, "0.02", "49000"),
        command("cancel_order", account, order_id=10**9),
        {**buy(account), "account_id": 10**9},
        buy(account, symbol="NOPE/USDT"),
        limit(account, "0.01", "49000.123456"),
    )
    assert [each["index"] for each in results] == list(range(9))
    assert [each["ok"] for each in results] == [True, False, False, False, True] + [False] * 4
    codes = [each["error"]["code"] for each in results if not each["ok"]]
    assert codes == [
        "validation_error",
        "validation_error",
        "validation_error",
        "order_not_found",
        "account_not_found",
        "unknown_symbol",
        "off_precision",
    ]
    assert Order.objects.count() == 2
    assert [each["order_id"] for each in results if each["ok"]] == list(
        Order.objects.order_by("pk").values_list("pk", flat=True)
    )


@pytest.mark.parametrize(
    ("payload", "field"),
    [
        ({"qty": None}, "payload.qty"),
        ({"qty": "NaN"}, "payload.qty"),
        ({"qty": -1}, "payload.qty"),
        ({"qty": "1e99"}, "payload.qty"),
        ({"side": "up"}, "payload.side"),
        ({"order_type": "iceberg"}, "payload.order_type"),
        ({"type": "market"}, "payload.order_type"),
        ({"symbol": ""}, "payload.symbol"),
        ({"symbol": 7}, "payload.symbol"),
        ({"magic_id": -1}, "payload.magic_id"),
        ({"magic_id": True}, "payload.magic_id"),
        ({"position_id": "x"}, "payload.position_id"),
        ({"reduce_only": "yes"}, "payload.reduce_only"),
        ({"reason": "flatten"}, "payload.reason"),
        ({"organisation_id": 1}, "payload.organisation_id"),
        ({"client_order_id": "mine"}, "payload.client_order_id"),
        ({"time_in_force": "day"}, "payload.time_in_force"),
    ],
)
def test_a_wrong_field_is_named_and_nothing_is_written(
    terminal: Terminal, account: Account, payload: dict[str, Any], field: str
) -> None:
    (result,) = terminal.send(buy(account, **payload))
    assert result["error"]["code"] == "validation_error"
    assert list(result["error"]["fields"]) == [field]
    assert not Command.objects.exists()


NO_WORDS = (None, True, 1, 1.5, [], {}, {"a": 1}, ["send_order"], "", "SEND_ORDER", "x" * 9999)
NO_NUMBERS = (None, True, -1, 1.5, 10**30, "-1", "1.5", "\u0661", "x", "", [], {}, "9" * 40)
NO_AMOUNTS = (True, 0, -1, "0", "-0", "NaN", "Infinity", "1e400", "0x10", "1_0", "", [], {}, 10**30)


@pytest.mark.parametrize(
    ("kind", "field", "values"),
    [
        ("send_order", "position_id", NO_NUMBERS[1:]),
        ("send_order", "price", NO_AMOUNTS),
        ("cancel_order", "order_id", NO_NUMBERS),
        ("change_order", "order_id", NO_NUMBERS),
        ("change_order", "new_price", NO_AMOUNTS),
        ("change_order", "new_qty", NO_AMOUNTS),
        ("close_by", "position_id_a", NO_NUMBERS),
        ("close_by", "position_id_b", NO_NUMBERS),
        ("close_by", "qty", NO_AMOUNTS),
        ("close_position", "position_id", NO_NUMBERS),
        ("close_position", "qty", NO_AMOUNTS),
        ("close_position", "order_type", NO_WORDS[1:]),
    ],
)
def test_whatever_stands_in_a_field_is_refused_by_its_name(
    terminal: Terminal, account: Account, kind: str, field: str, values: tuple[Any, ...]
) -> None:
    good = {
        "send_order": buy(account)["payload"],
        "cancel_order": {"order_id": 1},
        "change_order": {"order_id": 1, "new_price": "1"},
        "close_by": {"position_id_a": 1, "position_id_b": 2},
        "close_position": {"position_id": 1},
    }[kind]
    results = terminal.send(*(command(kind, account, **{**good, field: value}) for value in values))
    assert [list(each["error"]["fields"]) for each in results] == [[f"payload.{field}"]] * len(
        values
    )
    assert not Command.objects.exists()


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("command", NO_WORDS),
        ("account_id", NO_NUMBERS),
        ("request_id", (True, 1, 1.5, [], {}, "", " ", "x" * 121)),
        ("payload", (True, 1, [], "", "x")),
    ],
)
def test_a_command_that_is_none_is_told_under_its_request_id(
    terminal: Terminal, account: Account, field: str, values: tuple[Any, ...]
) -> None:
    sent = [{**buy(account), "request_id": "mine", field: value} for value in values]
    results = terminal.send(*sent)
    assert {each["error"]["code"] for each in results} == {"validation_error"}
    assert [list(each["error"]["fields"]) for each in results] == [[field]] * len(values)
    if field != "request_id":
        assert {each["request_id"] for each in results} == {"mine"}
    assert not Command.objects.exists()


def test_the_size_of_a_batch_is_bounded(terminal: Terminal, account: Account) -> None:
    for count in (0, 101):
        response = terminal.call("POST", "/position/commands", [buy(account)] * count)
        assert response.status_code == 422
        assert response.json()["detail"]["code"] == "bad_batch_size"
    assert not Command.objects.exists()


def test_a_misspelt_wish_for_all_or_none_is_refused(terminal: Terminal, account: Account) -> None:
    for query, field in (("atomc=true", "atomc"), ("atomic=yes", "atomic")):
        response = terminal.call("POST", f"/position/commands?{query}", [buy(account)])
        assert response.status_code == 422
        assert list(response.json()["detail"]["fields"]) == [field]
    assert not Command.objects.exists()


def test_a_hundred_items_go_in_one_execution(terminal: Terminal, account: Account) -> None:
    results = terminal.send(*[limit(account, "0.001", "49000")] * 100)
    assert all(each["ok"] for each in results)
    assert len({each["order_id"] for each in results}) == Order.objects.count() == 100
    assert Execution.objects.count() == 1


def test_what_is_no_json_is_a_bad_request(terminal: Terminal, account: Account) -> None:
    response = terminal.call("POST", "/position/commands", '[{"a": NaN}]')
    assert (response.status_code, response.json()["detail"]["code"]) == (400, "invalid_json")


def test_keys_are_needed_and_checked(terminal: Terminal, account: Account) -> None:
    body = [buy(account)]
    missing = terminal.call("POST", "/position/commands", body, HTTP_X_API_KEY="")
    wrong = terminal.call("POST", "/position/commands", body, HTTP_X_API_KEY="tp_wrong")
    assert (missing.status_code, missing.json()["detail"]["code"]) == (401, "missing_api_key")
    assert (wrong.status_code, wrong.json()["detail"]["code"]) == (401, "invalid_api_key")
    assert not Command.objects.exists()


def test_a_viewers_key_trades_nothing(terminal: Terminal, account: Account) -> None:
    _, key = create_api_key(user=terminal.person.user, label="eyes", role="viewer")
    body = [buy(account), command("close_position", account, position_id=1)]
    results = terminal.call("POST", "/position/commands", body, HTTP_X_API_KEY=key).json()
    codes = [each["error"]["code"] for each in results["results"]]
    assert codes == ["permission_denied", "permission_denied"]
    assert not Command.objects.exists()


def test_a_strangers_account_is_as_missing_as_no_account(
    terminal: Terminal, account: Account, stranger: Person
) -> None:
    _, key = create_api_key(user=stranger.user, label="theirs", role="admin")
    told = [
        terminal.call("POST", "/position/commands", [each], HTTP_X_API_KEY=key).json()
        for each in (buy(account), {**buy(account), "account_id": 10**9})
    ]
    for answer in told:
        answer["results"][0].pop("request_id")
    assert told[0] == told[1]
    assert told[0]["results"][0]["error"]["code"] == "account_not_found"
    assert not Command.objects.exists()


def test_a_repeat_gets_the_first_answer_and_another_payload_is_told(
    terminal: Terminal, account: Account
) -> None:
    first = terminal.send(buy(account, request_id="same"))
    assert terminal.send(buy(account, request_id="same")) == first
    (other,) = terminal.send(buy(account, "0.02", request_id="same"))
    assert other["error"]["code"] == "idempotency_mismatch"
    (cancel,) = terminal.send(
        command("cancel_order", account, "same", order_id=first[0]["order_id"])
    )
    assert cancel["error"]["code"] == "idempotency_mismatch"
    within = terminal.send(
        buy(account, request_id="twice"), buy(account, request_id="twice"), buy(account)
    )
    assert within[0]["order_id"] == within[1]["order_id"] != within[2]["order_id"]
    assert Order.objects.count() == 3


def test_the_same_request_id_on_another_account_is_another_command(
    terminal: Terminal, account: Account
) -> None:
    other = terminal.account("two")
    results = terminal.send(buy(account, request_id="r"), buy(other, request_id="r"))
    assert results[0]["order_id"] != results[1]["order_id"]


def test_a_denied_item_keeps_its_reason_and_its_answer(
    terminal: Terminal, account: Account
) -> None:
    far = limit(account, "0.01", "90000", "far")
    (result,) = terminal.send(far)
    assert (result["ok"], result["order_id"]) == (False, None)
    assert result["error"]["code"] == "risk_blocked"
    assert result["error"]["reason"].startswith("denied_")
    assert Command.objects.get().pk == result["command_id"]
    assert terminal.send(far) == [result]
    assert Command.objects.count() == 1


def test_an_order_goes_to_the_exchange_and_is_cancelled_there(
    terminal: Terminal, account: Account
) -> None:
    (placed,) = terminal.send(limit(account, "0.01", "49000"))
    terminal.work(account)
    order = Order.objects.get(pk=placed["order_id"])
    assert order.state == states.OPEN
    cancel = command("cancel_order", account, "c1", order_id=order.pk)
    (result,) = terminal.send(cancel)
    assert (result["ok"], result["order_id"]) == (True, order.pk)
    order.refresh_from_db()
    assert order.state == states.PENDING_CANCEL
    assert terminal.send(cancel) == [result]
    _pursue(order)
    assert order.state == states.CANCELED
    (row,) = terminal.exchange.orders(account.open_secret("api_key"))
    assert row["status"] == "CANCELED"
    (again,) = terminal.send(command("cancel_order", account, order_id=order.pk))
    assert again["error"]["code"] == "invalid_order_state"
    assert again["error"]["details"] == {"state": states.CANCELED}


def _pursue(order: Order) -> None:
    pursue_due()
    order.refresh_from_db()


def test_an_order_that_was_not_sent_is_withdrawn(terminal: Terminal, account: Account) -> None:
    (placed,) = terminal.send(limit(account, "0.01", "49000"))
    (result,) = terminal.send(command("cancel_order", account, order_id=placed["order_id"]))
    assert result["ok"]
    assert Order.objects.get().state == states.WITHDRAWN
    terminal.work(account)
    assert terminal.exchange.orders(account.open_secret("api_key")) == []


def test_an_order_and_its_cancel_in_one_batch(terminal: Terminal, account: Account) -> None:
    (placed,) = terminal.send(limit(account, "0.01", "49000", "r1"))
    results = terminal.send(
        limit(account, "0.01", "49000", "r1"),
        command("cancel_order", account, order_id=placed["order_id"]),
        limit(account, "0.01", "48000"),
    )
    assert [each["ok"] for each in results] == [True, True, True]
    found = list(Order.objects.order_by("pk").values_list("state", flat=True))
    assert found == [states.WITHDRAWN, states.CREATED]


def test_a_position_is_closed_in_part_and_whole(terminal: Terminal, account: Account) -> None:
    terminal.send(buy(account, "0.03"))
    terminal.work(account)
    position = terminal.position(account)
    close = command("close_position", account, "c1", position_id=position.pk, qty="0.01")
    (part,) = terminal.send(close)
    order = Order.objects.get(pk=part["order_id"])
    assert (order.side, order.reduce_only, str(order.quantity)) == ("sell", True, "0.01")
    whole = command("close_position", account, position_id=position.pk)
    (locked,) = terminal.send(whole)
    assert locked["error"]["code"] == "position_close_in_progress"
    assert locked["error"]["details"] == {"order_id": order.pk}
    terminal.work(account)
    assert terminal.send(close) == [part]
    position.refresh_from_db()
    held = position.quantity
    (rest,) = terminal.send(whole)
    assert rest["ok"]
    terminal.work(account)
    assert Order.objects.get(pk=rest["order_id"]).state == states.FILLED
    position.refresh_from_db()
    assert position.quantity < held
    assert terminal.send(close) == [part]


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        ({"qty": "0.5"}, "quantity_above_position"),
        ({"qty": "0.0000001"}, "off_precision"),
        ({"order_type": "limit"}, "price_required"),
        ({"order_type": "stop_loss"}, "validation_error"),
        ({"position_id": 10**9}, "position_not_found"),
    ],
)
def test_a_close_that_cannot_be_is_refused_and_nothing_moves(
    terminal: Terminal, account: Account, payload: dict[str, Any], code: str
) -> None:
    terminal.send(buy(account, "0.03"))
    terminal.work(account)
    position = terminal.position(account)
    (result,) = terminal.send(
        command("close_position", account, **{"position_id": position.pk, **payload})
    )
    assert result["error"]["code"] == code
    assert Order.objects.count() == 1


def test_a_batch_that_is_atomic_goes_whole(terminal: Terminal, account: Account) -> None:
    results = terminal.send(buy(account), limit(account, "0.01", "49000"), query="?atomic=true")
    assert [each["ok"] for each in results] == [True, True]
    assert Order.objects.count() == 2


@pytest.mark.parametrize("wrong", ["parse", "risk", "state"])
def test_a_batch_that_is_atomic_goes_not_at_all(
    terminal: Terminal, account: Account, wrong: str
) -> None:
    bad = {
        "parse": buy(account, "0"),
        "risk": limit(account, "0.01", "90000"),
        "state": command("cancel_order", account, order_id=10**9),
    }[wrong]
    results = terminal.send(buy(account, request_id="a"), bad, query="?atomic=true")
    assert [each["ok"] for each in results] == [False, False]
    assert results[0]["error"]["code"] == "batch_not_executed"
    assert results[1]["error"]["code"] != "batch_not_executed"
    assert {each["order_id"] for each in results} == {None}
    assert {each["command_id"] for each in results} == {None}
    assert not Command.objects.exists()
    assert not Execution.objects.exists()


def test_an_exit_of_an_owner_takes_its_own_lot(terminal: Terminal, account: Account) -> None:
    terminal.send(buy(account, "0.02", magic_id=7))
    terminal.work(account)
    position = terminal.position(account)
    sell = {"side": "sell", "reduce_only": True}
    (foreign,) = terminal.send(buy(account, "0.01", **sell))
    assert foreign["error"]["code"] == "short_not_supported"
    (own,) = terminal.send(buy(account, "0.01", magic_id=7, **sell))
    assert own["ok"]
    terminal.work(account)
    (named,) = terminal.send(buy(account, "0.005", position_id=position.pk, **sell))
    assert named["ok"]
    assert Order.objects.get(pk=named["order_id"]).position_id == position.pk
    assert Position.objects.count() == 1


def test_an_entry_brings_its_protection_and_a_close_withdraws_it(
    terminal: Terminal, account: Account
) -> None:
    (sent,) = terminal.send(
        buy(account, "0.03", stop_loss="2%", take_profit=55000, trailing_stop="1500.5")
    )
    order = Order.objects.get(pk=sent["order_id"])
    assert (order.stop_loss, order.take_profit, order.trailing_stop) == ("2%", "55000", "1500.5")
    (bad,) = terminal.send(buy(account, "0.03", stop_loss="-1"))
    assert bad["error"]["fields"] == {"payload.stop_loss": "must not be negative"}
    (wrong,) = terminal.send(buy(account, "0.03", stop_loss="60000"))
    assert wrong["error"]["code"] == "stop_loss_wrong_side"
    assert Order.objects.count() == 1
