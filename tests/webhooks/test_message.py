"""The message that is pasted into TradingView, and what TradingView makes of it."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from common.errors import Invalid
from trading.sizing import AMOUNT, RISK_PERCENT, SizeSpec
from webhooks.alerts import alert_time, load_json, parse_alert
from webhooks.message import SECRET_PLACE, Wish, filled_in, message_for, sample_values

AT = datetime(2026, 3, 1, 12, 30, 5, tzinfo=UTC)
ENTRY = Wish(size=Decimal(2))


def sampled(wish: Wish, *, symbol: str = "BTCUSDT", action: str = "buy") -> dict[str, Any]:
    """The alert as it would arrive."""
    values = sample_values(symbol=symbol, action=action, price=Decimal("50000.5"), at=AT)
    return load_json(filled_in(message_for("Trend", wish), values).encode())


def test_the_usual_message() -> None:
    assert json.loads(message_for("Trend", ENTRY)) == {
        "botname": "Trend",
        "symbol": "{{ticker}}",
        "side": "{{strategy.order.action}}",
        "order_type": "market",
        "size": "2%",
        "alert_id": "{{ticker}}-{{strategy.order.id}}-{{strategy.order.action}}-{{timenow}}",
        "timenow": "{{timenow}}",
    }


@pytest.mark.parametrize(
    ("wish", "size"),
    [
        (ENTRY, SizeSpec(RISK_PERCENT, Decimal(2))),
        (replace(ENTRY, size_unit="quote"), SizeSpec(AMOUNT, Decimal(2), "USDT")),
        (replace(ENTRY, size_unit="base"), SizeSpec(AMOUNT, Decimal(2), "BTC")),
        (
            replace(ENTRY, size_unit="quote", symbol="ETH/USDC"),
            SizeSpec(AMOUNT, Decimal(2), "USDC"),
        ),
    ],
)
def test_the_unit_of_a_size_arrives_as_the_door_reads_it(wish: Wish, size: SizeSpec) -> None:
    assert parse_alert(sampled(wish)).size == size


def test_what_was_chosen_arrives() -> None:
    wish = replace(
        ENTRY, side="buy", order_type="limit", take_profit="3%", stop_loss="48000", leverage=5
    )
    alert = parse_alert(sampled(wish, symbol="BINANCE:BTCUSDT.P"))
    assert (alert.symbol, alert.side, alert.type) == ("BTC/USDT:USDT", "buy", "limit")
    assert (alert.price, alert.leverage) == (Decimal("50000.5"), 5)
    assert (alert.take_profit, alert.stop_loss) == ("3%", "48000")
    assert alert_time(sampled(wish)) == AT


def test_a_close_carries_nothing_that_only_an_entry_has() -> None:
    wish = Wish(side="close", take_profit="3%", stop_loss="2%", leverage=5)
    assert set(sampled(wish)) == {"botname", "symbol", "side", "order_type", "alert_id", "timenow"}
    assert parse_alert(sampled(wish)).is_exit


def test_alerts_of_one_second_differ_and_deliveries_of_one_do_not() -> None:
    def alert_id(wish: Wish, **given: Any) -> Any:
        return sampled(wish, **given)["alert_id"]

    buy, sell = replace(ENTRY, side="buy"), replace(ENTRY, side="sell")
    ids = [
        alert_id(buy),
        alert_id(sell),
        alert_id(buy, symbol="ETHUSDT"),
        alert_id(ENTRY),
        alert_id(ENTRY, action="sell"),
    ]
    assert len(set(ids)) == 5
    assert alert_id(buy) == ids[0]


def test_the_secret_has_a_place_and_is_never_written() -> None:
    assert json.loads(message_for("Trend", ENTRY, with_secret=True))["secret"] == SECRET_PLACE
    assert "secret" not in json.loads(message_for("Trend", ENTRY))


def test_a_name_with_quotes_stays_json() -> None:
    assert json.loads(message_for('The "one"', ENTRY))["botname"] == 'The "one"'


@pytest.mark.parametrize("text", ["{{plot_0}}", "{{close}} {{plot_0}}"])
def test_a_placeholder_without_a_value_is_named(text: str) -> None:
    values = sample_values(symbol="BTCUSDT", action="buy", price=Decimal(1), at=AT)
    with pytest.raises(Invalid) as caught:
        filled_in(text, values)
    assert (caught.value.code, caught.value.fields) == (
        "unknown_placeholder",
        {"message": "replace {{plot_0}} by a value"},
    )


def test_a_price_that_was_not_given_is_missed_only_where_it_is_needed() -> None:
    values = sample_values(symbol="BTCUSDT", action="buy", price=None, at=AT)
    assert filled_in("{{ticker}}", values) == "BTCUSDT"
    with pytest.raises(Invalid):
        filled_in("{{close}}", values)


def test_a_target_follows_the_position_of_the_strategy() -> None:
    wish = Wish(order_type="target", size=Decimal(2), take_profit="3%")
    told = json.loads(message_for("Trend", wish))
    assert (told["side"], told["size"], told["prev_position"], "position_size" in told) == (
        "{{strategy.market_position}}", "2%", "{{strategy.prev_market_position}}", False,
    )  # fmt: skip
    alert = parse_alert(sampled(wish))
    assert (alert.kind, alert.side, alert.size, alert.held_before) == (
        "target", "buy", SizeSpec(RISK_PERCENT, Decimal(2)), "flat",
    )  # fmt: skip


def test_a_target_without_a_size_holds_as_much_as_the_strategy() -> None:
    alert = parse_alert(sampled(Wish(order_type="target"), action="sell"))
    assert (alert.side, alert.size) == ("sell", SizeSpec(AMOUNT, Decimal(1), "BTC"))
    flat = {**sampled(Wish(order_type="target")), "side": "flat", "position_size": "0"}
    assert (parse_alert(flat).is_exit, parse_alert(flat).size) == (True, None)


def test_a_ladder_is_one_of_its_side() -> None:
    alert = parse_alert(sampled(replace(ENTRY, order_type="ladder", take_profit="3%")))
    assert (alert.kind, alert.type, alert.take_profit) == ("ladder", "market", "3%")


def test_a_name_is_written_as_it_is_read() -> None:
    assert '"botname": "αβ"' in message_for("αβ", ENTRY)
