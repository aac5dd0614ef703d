"""Bad alerts: each gets its code, is stored only when it was authentic, and nothing moves."""

import json
from collections.abc import Callable
from datetime import timedelta

import pytest

from bots.models import Bot
from bots.services import set_status
from common.clock import iso, now
from common.errors import BadJson, Invalid, TooLarge, Unauthenticated
from tests.trading.conftest import Desk
from tests.trading.test_signal_to_ledger import send
from trading.models import Command, Order
from webhooks.authentication import SIGNATURE_HEADER, sign
from webhooks.models import Signal
from webhooks.services import answer, receive


def deliver(
    desk: Desk, body: bytes, signature: str | None = None, token: str | None = None
) -> Signal:
    """Deliver raw bytes, rightly signed unless a signature is given."""
    if signature is None:
        signature = sign(desk.secrets.hmac_secret, body)
    return receive(
        body=body, headers={SIGNATURE_HEADER: signature}, token=token, address="203.0.113.7"
    )


def body_of(desk: Desk, **fields: object) -> bytes:
    """A sound alert with some fields changed."""
    alert = {"botname": desk.bot.name, "symbol": "BTCUSDT", "side": "buy", "size": "2", **fields}
    return json.dumps(alert).encode()


def nothing_moved() -> bool:
    """No command and no order came of it."""
    return (Command.objects.count(), Order.objects.count()) == (0, 0)


@pytest.mark.parametrize("signature", ["", "00" * 32, "sha256=zz", "é"])
def test_a_wrong_signature_is_refused_and_not_stored(
    make_desk: Callable[..., Desk], signature: str
) -> None:
    desk = make_desk(1)
    with pytest.raises(Unauthenticated) as refused:
        deliver(desk, body_of(desk), signature)
    with pytest.raises(Unauthenticated) as stranger:
        deliver(desk, body_of(desk, botname="nobody"))
    assert (refused.value.code, refused.value.message) == (
        stranger.value.code,
        stranger.value.message,
    )
    assert Signal.objects.count() == 0
    assert nothing_moved()


def test_a_wrong_path_token_is_refused_and_the_right_one_names_the_bot(
    make_desk: Callable[..., Desk],
) -> None:
    desk = make_desk(1)
    with pytest.raises(Unauthenticated):
        deliver(desk, body_of(desk), "", token="x" * 43)
    with pytest.raises(Invalid) as mismatch:
        deliver(desk, body_of(desk, botname="other"), "", token=desk.secrets.path_token)
    assert mismatch.value.code == "bot_mismatch"
    body = json.dumps({"symbol": "BTCUSDT", "side": "buy", "size": "2"}).encode()
    assert deliver(desk, body, "", token=desk.secrets.path_token).auth_mode == "token"


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b'"text"', b'{"size": NaN}', b'{"size": Infinity}', b"\xff\xfe",
     b'{"a":1,"a":2}',
     b'{"a":' * 30 + b"1" + b"}" * 30, b'{"a": "\\u0000"}', b'{"a": "\\ud800"}'],
)  # fmt: skip
def test_what_is_not_json_is_refused(make_desk: Callable[..., Desk], body: bytes) -> None:
    desk = make_desk(1)
    with pytest.raises(BadJson):
        deliver(desk, body)
    with pytest.raises(BadJson):
        deliver(desk, body, "", token=desk.secrets.path_token)
    assert Signal.objects.count() == 0


def test_nine_kilobytes_are_too_much(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(1)
    with pytest.raises(TooLarge):
        deliver(desk, body_of(desk, note="x" * 9000))
    assert Signal.objects.count() == 0


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"symbol": "NOSUCH"}, "unknown_symbol"),
        ({"symbol": "FOOUSDT"}, "unknown_symbol"),
        ({"symbol": ""}, "validation_error"),
        ({"symbol": 7.5}, "unknown_symbol"),
        ({"side": "up"}, "unknown_side"),
        ({"side": ["buy"]}, "validation_error"),
        ({"size": "2 XYZ"}, "unknown_size_unit"),
        ({"size": "0"}, "validation_error"),
        ({"size": "-1"}, "validation_error"),
        ({"size": "101"}, "validation_error"),
        ({"size": "1,5"}, "validation_error"),
        ({"size": "NaN"}, "validation_error"),
        ({"size": "1e400"}, "validation_error"),
        ({"size": ""}, "validation_error"),
        ({"leverage": "x"}, "validation_error"),
        ({"leverage": "1000"}, "validation_error"),
        ({"takeprofit": "abc"}, "validation_error"),
        ({"takeprofit": "40000"}, "take_profit_wrong_side"),
        ({"order_type": "Iceberg"}, "unknown_order_type"),
        ({"order_type": "Long Ladder"}, "take_profit_required"),
        ({"order_type": "short ladder", "takeprofit": "3%"}, "side_mismatch"),
        ({"order_type": "SHORT_SIGNAL"}, "side_mismatch"),
        ({"order_type": "target", "position_size": "1"}, "validation_error"),
        ({"order_type": "target", "size": "2%", "prev_position": "up"}, "validation_error"),
        ({"order_type": "target", "size": "2 XYZ"}, "unknown_size_unit"),
        ({"order_type": "target", "side": "up"}, "unknown_side"),
        ({"order_type": "target", "size": ""}, "validation_error"),
        ({"order_type": "limit"}, "validation_error"),
        ({"timenow": "yesterday"}, "validation_error"),
    ],
)
def test_an_authentic_alert_that_makes_no_sense_is_stored_as_refused(
    make_desk: Callable[..., Desk], fields: dict[str, object], code: str
) -> None:
    desk = make_desk(1)
    with pytest.raises(Invalid) as refused:
        deliver(desk, body_of(desk, **fields))
    signal = Signal.objects.get()
    assert (refused.value.code, signal.reason_code, signal.state) == (code, code, "refused")
    assert refused.value.details["correlation_id"] == signal.correlation_id
    assert nothing_moved()


@pytest.mark.parametrize("seconds", [-61, 3600])
def test_a_stale_alert_is_recorded_and_not_executed(
    make_desk: Callable[..., Desk], seconds: int
) -> None:
    desk = make_desk(1)
    with pytest.raises(Invalid) as refused:
        deliver(desk, body_of(desk, timenow=iso(now() + timedelta(seconds=seconds))))
    assert (refused.value.code, Signal.objects.get().reason_code) == ("stale", "stale")
    assert nothing_moved()


def test_a_paused_bot_refuses_entries_and_lets_exits_through(
    make_desk: Callable[..., Desk],
) -> None:
    desk = make_desk(1)
    send(desk)
    desk.run_orders()
    desk.settle()
    set_status(principal=desk.principal, bot=desk.bot, status="PAUSED")
    told = answer(send(desk, alert_id="2"))
    assert (told["reason_code"], told["results"], told["state"]) == ("bot_paused", [], "refused")
    assert answer(send(desk, side="close"))["results"][0]["status"] == "pending"


def test_a_stopped_bot_records_and_refuses_everything(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(1)
    set_status(principal=desk.principal, bot=desk.bot, status="STOPPED")
    for side in ("buy", "close"):
        assert answer(send(desk, side=side))["reason_code"] == "bot_stopped"
    assert Signal.objects.filter(state="refused").count() == 2
    assert Bot.objects.get().signals_failed == 2
    assert nothing_moved()


def test_a_replayed_body_is_one_signal_for_a_minute(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(1)
    body = body_of(desk)
    first, second = deliver(desk, body), deliver(desk, body)
    assert (second.pk, second.is_duplicate, Order.objects.count()) == (first.pk, True, 1)
    Signal.objects.update(received_at=now() - timedelta(seconds=61))
    third = deliver(desk, body)
    assert (third.pk != first.pk, third.is_duplicate, Order.objects.count()) == (True, False, 2)


def test_the_secret_in_a_body_is_never_stored(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(1)
    deliver(desk, body_of(desk, secret="MARKER-body-secret-1234"))
    signal = Signal.objects.get()
    assert "MARKER" not in signal.body + str(signal.request)


def test_long_alert_ids_that_differ_at_their_ends_are_different_alerts(
    make_desk: Callable[..., Desk],
) -> None:
    desk = make_desk(1)
    first = deliver(desk, body_of(desk, alert_id="q" * 130 + "-1"))
    second = deliver(desk, body_of(desk, alert_id="q" * 130 + "-2"))
    again = deliver(desk, body_of(desk, alert_id="q" * 130 + "-2", note="resent"))
    assert (second.pk != first.pk, again.pk, again.is_duplicate) == (True, second.pk, True)
    assert Order.objects.count() == 2


def test_true_is_no_alert_id(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(1)
    deliver(desk, body_of(desk, alert_id=True, size="11 USDT"))
    assert not deliver(desk, body_of(desk, alert_id=True, size="12 USDT")).is_duplicate
