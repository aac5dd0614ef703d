"""Orders on contracts: what is refused, how they are marked, in all four pairs of modes."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from accounts.models import Account
from accounts.services import create_account
from common.errors import Conflict, Invalid
from common.principal import Principal
from monitoring.models import Alert
from tests.trading.contracts import RULES, Contracts, contracts
from tests.trading.hedging import ledger_differences
from trading.models import Order, Position
from trading.services.venue_access import order_request
from trading.services.venue_modes import change_position_mode
from trading.sizing import RISK_PERCENT, SizeSpec


@pytest.fixture(autouse=True)
def _venue(settings: Any) -> None:
    settings.EXCHANGE_VENUES = {"rehearsal": {"ccxt": "binance", "base_url": "http://127.0.0.1:9"}}


def marks(order: Order | str) -> tuple[str, bool]:
    """What an order carries to its venue."""
    assert isinstance(order, Order), order
    request = order_request(order)
    return request.position_side, request.reduce_only


def open_rows() -> list[tuple[str, Decimal]]:
    """Side and quantity of the open positions, oldest first."""
    return list(Position.objects.open().order_by("pk").values_list("side", "quantity"))


@pytest.mark.parametrize(
    ("ours", "is_hedged", "entry", "short_entry", "close"),
    [
        ("netting", False, ("", False), ("", False), ("", True)),
        ("netting", True, ("long", False), ("short", False), ("long", True)),
        ("hedge", False, ("", False), ("", False), ("", False)),
        ("hedge", True, ("long", False), ("short", False), ("long", True)),
    ],
)
def test_each_pair_of_modes_has_its_marks_and_its_positions(
    principal: Principal, ours: str, is_hedged: bool, entry: tuple[str, bool],
    short_entry: tuple[str, bool], close: tuple[str, bool],
) -> None:  # fmt: skip
    desk = contracts(principal, is_hedged=is_hedged, position_mode=ours)
    first = desk.fill("buy", "0.03")
    second = desk.fill("sell", "0.01")
    assert (marks(first), marks(second)) == (entry, short_entry)
    two = [("buy", Decimal("0.03")), ("sell", Decimal("0.01"))]
    assert open_rows() == ([("buy", Decimal("0.02"))] if ours == "netting" else two)
    target = first.position_id if ours == "hedge" else 0
    closing = desk.ask("sell", reduce_only=True, exit_scope="position", position_id=target or 0)
    assert marks(closing) == close
    assert ledger_differences() == []
    assert Alert.objects.count() == 0


def test_a_short_is_opened_and_its_profit_is_booked(principal: Principal) -> None:
    desk = contracts(principal)
    desk.fill("sell", "0.2", "50000")
    desk.fill("buy", "0.2", "49000", reduce_only=True, exit_scope="position")
    position = Position.objects.get()
    assert (position.side, position.state) == ("sell", "closed")
    assert (position.realised, position.fees) == (Decimal(200), Decimal(1))


def test_leverage_enlarges_the_size_up_to_the_accounts_limit(principal: Principal) -> None:
    desk = contracts(principal)
    size = SizeSpec(RISK_PERCENT, Decimal(2))
    order = desk.ask("buy", size=size, leverage=5)
    assert isinstance(order, Order)
    assert (order.quantity, order.leverage) == (Decimal("0.02"), 5)
    assert desk.ask("buy", size=size, leverage=11) == "leverage_above_limit"
    assert Order.objects.count() == 1


def test_contracts_that_the_ledger_cannot_count_are_refused(principal: Principal) -> None:
    desk = contracts(principal)
    tenth = replace(RULES, contract_size=Decimal("0.1"))
    inverse = replace(RULES, symbol="BTC/USD:BTC", quote="USD")
    for rules in (tenth, inverse):
        refused = Contracts(principal, desk.account, rules=rules).ask("buy", "0.1")
        assert refused == "contract_not_supported"
    assert Order.objects.count() == 0


def test_nothing_is_sent_before_the_venue_told_its_mode(principal: Principal) -> None:
    desk = contracts(principal)
    Account.objects.update(venue_position_mode="")
    assert desk.ask("buy", "0.1") == "venue_mode_unknown"
    assert Order.objects.count() == 0


def test_our_mode_stays_while_positions_are_open(principal: Principal) -> None:
    desk = contracts(principal)
    desk.fill("buy", "0.1")
    with pytest.raises(Conflict) as refused:
        change_position_mode(principal=principal, account=desk.account, position_mode="hedge")
    assert refused.value.code == "positions_open"
    assert Account.objects.get().position_mode == "netting"
    desk.fill("sell", "0.1", reduce_only=True, exit_scope="position")
    change_position_mode(principal=principal, account=desk.account, position_mode="hedge")
    assert Account.objects.get().position_mode == "hedge"


def test_a_venue_that_changes_its_mode_with_positions_open_takes_no_more_entries(
    principal: Principal,
) -> None:
    desk = contracts(principal)
    desk.is_hedged = True
    desk.hear(positions={})
    assert (desk.account.status, desk.account.venue_position_mode) == ("active", "hedge")
    desk.fill("buy", "0.1")
    desk.is_hedged = False
    desk.hear(positions=None)
    assert (desk.account.status, desk.account.status_reason) == ("suspended", "venue_mode_changed")
    assert desk.ask("buy", "0.1") == "denied_account_suspended"
    assert isinstance(desk.ask("sell", reduce_only=True, exit_scope="position"), Order)
    assert Alert.objects.filter(code="account_suspended").count() == 1


def test_spot_has_no_leverage(principal: Principal) -> None:
    given = {"principal": principal, "api_key": "k", "api_secret": "s"}
    with pytest.raises(Invalid) as spot:
        create_account(venue="rehearsal", max_leverage=2, **given)
    assert list(spot.value.fields) == ["max_leverage"]
    assert Account.objects.count() == 0
