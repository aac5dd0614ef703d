"""001's performance of accounts, groups and bots."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from accounts.models import Account
from bots.models import Bot
from bots.services import create_bot
from groups.models import Group
from groups.services import create_group
from tests.management.answers import masked, refusal
from tests.management.conftest import Call
from tests.reports.conftest import write_flow, write_readings
from tests.users.people import Person
from trading.models import Deal, Lot, Position

START = datetime(2025, 5, 1, tzinfo=UTC)
MAY = {"start_date": "2025-05-01", "end_date": "2025-05-03"}


@pytest.fixture
def group(admin: Person, account: Account) -> Group:
    """A group of the one account."""
    return create_group(principal=admin.principal, name="Group_1", account_ids=[account.pk])


@pytest.fixture
def bot(admin: Person, account: Account) -> Bot:
    """A bot connected to the one account."""
    return create_bot(principal=admin.principal, name="Trend-1h", account_ids=[account.pk])[0]


@pytest.fixture
def history(account: Account, bot: Bot) -> None:
    """Three days of 1,000: 10 % up, 500 deposited, 20 % down; a trade of the bot that won 40."""
    equities = ((0, 1000), (24, 1100), (30, 1600), (48, 1280), (72, 1280))
    write_readings(
        account, [(START + timedelta(hours=hours), Decimal(each)) for hours, each in equities]
    )
    at = START + timedelta(hours=24)
    write_flow(account, at + timedelta(hours=1), Decimal(500), before=(at, Decimal(1100)))
    ours = {"organisation_id": account.organisation_id, "account": account, "book": account.book}
    position = Position.objects.create(
        **ours, symbol="BTC/USDT", side="buy", state="closed", closed_at=at, realised=Decimal(42),
        fees=Decimal(2), entered_quantity=Decimal("0.01"), entry_price=Decimal(50000),
    )  # fmt: skip
    Lot.objects.create(
        position=position, magic_id=bot.magic_id, realised=Decimal(42), fees=Decimal(2)
    )
    Deal.objects.create(
        **ours, position=position, symbol="BTC/USDT", side="sell", entry="out", executed_at=at,
        quantity=Decimal("0.01"), net_quantity=Decimal("0.01"), price=Decimal(54200),
        realised=Decimal(42), fee_quote=Decimal(2), magic_id=bot.magic_id, exchange_trade_id="1",
    )  # fmt: skip


@pytest.mark.usefixtures("history")
def test_an_accounts_metrics(call: Call, viewer: Person, account: Account) -> None:
    query = {**MAY, "interval": "day"}
    answer = call(
        "GET", f"/accounts/{account.pk}/performance", person=viewer, query_params=query
    ).json()
    assert answer["account_id"] == str(account.pk)
    assert answer["time_range"] == {
        "start_date": "2025-05-01T00:00:00.000Z",
        "end_date": "2025-05-04T00:00:00.000Z",
        "time_zone": "UTC",
    }
    metrics = answer["metrics"]
    shown = {name: metrics[name] for name in ("book", "currency", "deposits", "withdrawals")}
    assert shown == {"book": "rehearsal", "currency": "USDT", "deposits": 500, "withdrawals": 0}
    assert (metrics["starting_equity"], metrics["closing_equity"]) == (1000, 1280)
    assert metrics["time_weighted_return"] == pytest.approx(-12)
    assert metrics["max_drawdown"] == pytest.approx(20)
    assert (metrics["closed_trades"], metrics["winning_trades"], metrics["win_rate"]) == (1, 1, 100)
    assert (metrics["realised_pnl"], metrics["trading_fees"], metrics["net_pnl"]) == (42, 2, 40)
    assert (metrics["closed_trade_value"], metrics["profit_factor"]) == (500, None)
    assert [row["date"] for row in answer["history"]] == ["2025-05-01", "2025-05-02", "2025-05-03"]
    assert [row["time_weighted_return"] for row in answer["history"]] == pytest.approx([10, -20, 0])
    assert [row["net_pnl"] for row in answer["history"]] == [0, 40, 0]


@pytest.mark.usefixtures("history")
def test_days_are_those_of_the_time_zone(call: Call, viewer: Person, account: Account) -> None:
    query = {**MAY, "interval": "day", "time_zone": "America/New_York"}
    answer = call(
        "GET", f"/accounts/{account.pk}/performance", person=viewer, query_params=query
    ).json()
    assert answer["history"][0]["start"] == "2025-05-01T04:00:00.000Z"
    assert [row["net_pnl"] for row in answer["history"]] == [40, 0, 0]


@pytest.mark.usefixtures("history")
def test_a_groups_figures_history_and_metrics(call: Call, viewer: Person, group: Group) -> None:
    at = f"/groups/{group.pk}"
    part = call("GET", f"{at}/performance", person=viewer, query_params=MAY).json()["data"][
        "performance"
    ]
    assert part["time_weighted_return"] == pytest.approx(-12)
    assert (part["others"], part["target_monthly_roi"]) == ([], 5)
    assert [row["date"] for row in part["months"]] == ["2025-05-01"]
    assert part["months"][0]["above_target"] is None
    whole = {**MAY, "end_date": "2025-05-31"}
    (month,) = call("GET", f"{at}/performance", person=viewer, query_params=whole).json()["data"][
        "performance"
    ]["months"]
    assert month["time_weighted_return"] == pytest.approx(-12)
    assert month["above_target"] == pytest.approx(-17)
    query = {**MAY, "interval": "month"}
    data = call("GET", f"{at}/history", person=viewer, query_params=query).json()["data"]
    assert data["interval"] == "month"
    assert data["period"] == {"start": "2025-05-01", "end": "2025-05-03"}
    assert [row["net_pnl"] for row in data["history"]] == [40]
    data = call("GET", f"{at}/metrics", person=viewer, query_params=MAY).json()["data"]
    assert data["risk_metrics"]["max_drawdown"] == pytest.approx(20)
    assert data["risk_metrics"]["max_drawdown_limit"] == 25
    assert data["risk_metrics"]["days"] == 3
    assert data["websocket_health"]["total_accounts"] == 1
    assert data["balance_status"]["accounts"][0]["success"] is False
    assert data["balance_status"]["totals"] == {"USDT": {"balance": 0, "equity": 0}}


@pytest.mark.usefixtures("history")
def test_a_bots_days_weeks_months_and_accounts(
    call: Call, viewer: Person, bot: Bot, account: Account
) -> None:
    answer = call("GET", f"/bots/{bot.pk}/performance", person=viewer, query_params=MAY).json()
    assert answer["daily"]["2025-05-02"]["net_pnl"] == 40
    # What it booked over what the account was worth when the day began.
    assert answer["daily"]["2025-05-02"]["time_weighted_return"] == pytest.approx(40 / 11)
    assert list(answer["weekly"]) == ["2025-05-01"]
    assert list(answer["monthly"]) == ["2025-05-01"]
    assert answer["accounts"][str(account.pk)]["winning_trades"] == 1


def test_a_group_without_accounts(call: Call, admin: Person) -> None:
    group = create_group(principal=admin.principal, name="Empty", account_ids=[])
    at = f"/groups/{group.pk}"
    assert (
        call("GET", f"{at}/performance", person=admin).json()["data"]["performance"]["others"] == []
    )
    assert call("GET", f"{at}/history", person=admin).json()["data"]["history"] == []
    data = call("GET", f"{at}/metrics", person=admin).json()["data"]
    assert data["risk_metrics"]["sharpe_ratio"] is None


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"start_date": "yesterday"}, "start_date"),
        ({"start_date": "2025-02-30"}, "start_date"),
        ({"start_date": "2025-05-02T00:00:00"}, "start_date"),
        ({"start_date": "0001-01-01"}, "end_date"),
        ({"start_date": "2025-05-02", "end_date": "2025-05-01"}, "end_date"),
        ({"end_date": "9999-12-31"}, "end_date"),
        ({"time_zone": "Mars/Base"}, "time_zone"),
        ({"interval": "hour"}, "interval"),
        ({"book": "live"}, "book"),
    ],
)
def test_a_query_that_cannot_be_is_refused(
    call: Call, viewer: Person, account: Account, query: dict[str, str], field: str
) -> None:
    response = call("GET", f"/accounts/{account.pk}/performance", person=viewer, query_params=query)
    body: dict[str, Any] = refusal(response, 422, "validation_error")
    assert field in str(body)


def test_strangers_find_nothing(
    call: Call, stranger: Person, account: Account, group: Group, bot: Bot
) -> None:
    for at in (
        "/accounts/{}/performance", "/bots/{}/performance", "/groups/{}/performance",
        "/groups/{}/metrics", "/groups/{}/history",
    ):  # fmt: skip
        kind = at.split("/")[1]
        number = {"accounts": account.pk, "bots": bot.pk, "groups": group.pk}[kind]
        foreign = call("GET", at.format(number), person=stranger)
        missing = call("GET", at.format(987654), person=stranger)
        assert foreign.status_code == 404
        assert masked(foreign) == masked(missing)
