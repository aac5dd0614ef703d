"""Fan-outs at the same moment never take more than a limit leaves, and would without the lock."""

import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from decimal import Decimal
from threading import Barrier, BrokenBarrierError
from typing import Any

import pytest

from accounts.models import Account, AccountQuerySet
from common.money import multiplied
from groups.services import create_group
from riskmgmt.limits import set_limits
from riskmgmt.models import Reservation
from tests.processes.test_claims import race
from tests.properties.ground import STEP, SYMBOL, make_account, platform_of, twin_of
from tests.properties.test_idempotency import PRICE, quiet_market
from tests.waiting import PATIENCE
from trading.models import Command, Order
from trading.services import commands
from trading.services.commands import submit
from trading.services.following import follow
from trading.services.intents import OrderIntent
from trading.sizing import AMOUNT, RISK_PERCENT, SizeSpec

# SQLite has one writer at a time: two submissions never meet there.
pytestmark = pytest.mark.distributed

FAN_OUTS = 6
MAX_ORDER, MAX_POSITION, MAX_RISK = Decimal(700), Decimal(1000), Decimal(3)


@pytest.fixture
def accounts(transactional_db: None) -> list[Account]:
    """Three accounts of a million in a group that may put 3 % at risk, with both other limits.

    Their symbol is followed: the first command would wait for another's cursor, not for the lock.
    """
    first = make_account()
    found = [first, twin_of(first, "two"), twin_of(first, "three")]
    principal = platform_of(first)
    follow([(each.pk, SYMBOL) for each in found])
    set_limits(
        principal=principal,
        scope="organisation",
        scope_id=first.organisation_id,
        max_order_value=MAX_ORDER,
        max_position_value=MAX_POSITION,
    )
    create_group(
        principal=principal,
        name="house",
        account_ids=[each.pk for each in found],
        risk_limit=MAX_RISK,
    )
    return found


def meet(monkeypatch: pytest.MonkeyPatch, *, is_locked: bool) -> None:
    """Let all submissions read before any of them writes, as far as the lock lets them."""
    all_read = Barrier(FAN_OUTS)
    genuine = commands.read_surroundings

    def read(*given: Any) -> Any:
        found = genuine(*given)
        with suppress(BrokenBarrierError):
            all_read.wait(0.3 if is_locked else PATIENCE / 4)
        return found

    monkeypatch.setattr(commands, "read_surroundings", read)
    if not is_locked:
        monkeypatch.setattr(AccountQuerySet, "select_for_update", lambda rows, **_: rows)


def fan_out(accounts: Sequence[Account], **asked: Any) -> None:
    """One order for each account."""
    submit(
        principal=platform_of(accounts[0]),
        intents=[OrderIntent(account.pk, SYMBOL, "buy", **asked) for account in accounts],
        source="test",
        markets=quiet_market(accounts[0], SYMBOL),
    )


def value(order: Order) -> Decimal:
    """What an order is worth in quote currency."""
    return multiplied(order.quantity, PRICE)


def held(account: Account) -> Decimal:
    """What the account's orders have reserved together."""
    rows = Reservation.objects.held().filter(account_id=account.pk)
    return sum(rows.values_list("notional", flat=True), Decimal(0))


def at_risk(account: Account) -> Decimal:
    """What the account's orders lose together when they are stopped out."""
    rows = Reservation.objects.held().filter(account_id=account.pk)
    return sum(rows.values_list("at_risk", flat=True), Decimal(0))


@pytest.mark.parametrize("seed", range(5))
def test_orders_at_once_stay_within_every_value_limit(
    accounts: list[Account], monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    chance = random.Random(seed)
    sizes = [STEP * chance.randint(2, 16) for _ in range(FAN_OUTS)]  # 100 to 800 USDT
    meet(monkeypatch, is_locked=True)
    race(FAN_OUTS, lambda number: fan_out(accounts, quantity=sizes[number]))
    assert Command.objects.count() == FAN_OUTS * len(accounts)
    assert max(map(value, Order.objects.all())) <= MAX_ORDER
    for account in accounts:
        orders = Order.objects.filter(account=account)
        assert held(account) == sum(map(value, orders), Decimal(0)) <= MAX_POSITION
        # Whatever was refused for the position's sake would not have fitted beside the rest.
        refused = Command.objects.filter(account=account, reason_code="denied_max_position_value")
        for command in refused:
            asked = multiplied(Decimal(command.payload["quantity"]), PRICE)
            assert held(account) + asked > MAX_POSITION


def test_sizes_at_once_stay_within_the_groups_risk(
    accounts: list[Account], monkeypatch: pytest.MonkeyPatch
) -> None:
    set_limits(
        principal=platform_of(accounts[0]),
        scope="organisation",
        scope_id=accounts[0].organisation_id,
    )
    meet(monkeypatch, is_locked=True)
    one_percent = SizeSpec(RISK_PERCENT, Decimal(1))
    race(FAN_OUTS, lambda _: fan_out(accounts, size=one_percent, stop_loss="20%"))
    for account in accounts:
        # Three times 10,000 USDT over a distance of 10,000.
        assert at_risk(account) == account.equity * MAX_RISK / 100
        assert Order.objects.filter(account=account).count() == 3
    refused = Command.objects.filter(reason_code="denied_group_open_risk")
    assert refused.count() == 3 * len(accounts)


@pytest.mark.parametrize(
    ("asked", "total", "most"),
    [
        ({"quantity": STEP * 10}, held, MAX_POSITION),
        (
            {"size": SizeSpec(RISK_PERCENT, Decimal(1)), "stop_loss": "20%"},
            at_risk,
            Decimal(30_000),
        ),
    ],
)
def test_without_the_lock_the_same_race_takes_more(
    accounts: list[Account],
    monkeypatch: pytest.MonkeyPatch,
    asked: dict[str, Any],
    total: Callable[[Account], Decimal],
    most: Decimal,
) -> None:
    """The control: what is judged by what was read before the others wrote."""
    if "size" in asked:
        set_limits(
            principal=platform_of(accounts[0]),
            scope="organisation",
            scope_id=accounts[0].organisation_id,
        )
    meet(monkeypatch, is_locked=False)
    race(FAN_OUTS, lambda _: fan_out(accounts, **asked))
    assert [total(account) > most for account in accounts] == [True] * 3


def ordered(accounts: Sequence[Account]) -> list[Decimal]:
    """What each account's orders add up to, in base units."""
    rows = Order.objects.filter(account__in=accounts).values_list("account_id", "quantity")
    found = dict.fromkeys((account.pk for account in accounts), Decimal(0))
    for account_id, quantity in rows:
        found[account_id] += quantity
    return list(found.values())


TARGET: dict[str, Any] = {
    "size": SizeSpec(AMOUNT, STEP * 8, "BTC"),
    "is_target": True,
    "magic_id": 7,
}


def test_targets_at_once_come_to_one_order(
    accounts: list[Account], monkeypatch: pytest.MonkeyPatch
) -> None:
    meet(monkeypatch, is_locked=True)
    race(FAN_OUTS, lambda _: fan_out(accounts, **TARGET))
    assert ordered(accounts) == [STEP * 8] * 3
    reached = Command.objects.filter(reason_code="target_reached")
    assert reached.count() == 3 * (FAN_OUTS - 1)


def test_targets_would_add_up_without_the_locks(
    accounts: list[Account], monkeypatch: pytest.MonkeyPatch
) -> None:
    meet(monkeypatch, is_locked=False)
    monkeypatch.setattr(commands, "hold_streams", lambda pairs: None)
    race(FAN_OUTS, lambda _: fan_out(accounts, **TARGET))
    assert ordered(accounts) == [STEP * 8 * FAN_OUTS] * 3
