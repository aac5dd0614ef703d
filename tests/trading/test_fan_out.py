"""One order for a group of accounts: what becomes of each leg, and what a retry touches."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from accounts.models import Account
from accounts.services import create_account
from common.clock import now
from common.errors import Conflict, Denied, Invalid
from common.principal import Principal
from events.models import AuditRecord, Event
from groups.models import Group
from groups.services import create_group, remove_account, update_group
from tests.exchanges.simulator_harness import sync_client
from tests.trading.rehearsal import Exchange
from trading.models import Command, Execution, Order
from trading.services import execution, reconcile, settlement
from trading.services.agenda import DEAD_WATCHED_FOR
from trading.services.cancelling import cancel_order
from trading.services.fan_out import GroupOrder, group_execution, retry_failed
from trading.services.legs import counts, legs, statuses, tally

SYMBOL = "BTC/USDT:USDT"
# 2 % of 10,000 is the margin, five times that the notional: 1,000 USDT, 0.02 BTC.
BUY = GroupOrder(
    symbol=SYMBOL, side="buy", order_type="market", risk_percentage=Decimal(2), leverage=5
)


@dataclass
class House:
    """A group of swap accounts at the rehearsal exchange."""

    principal: Principal
    exchange: Exchange
    group: Group
    accounts: list[Account]
    keys: list[str]

    def execute(self, order: GroupOrder = BUY, **given: Any) -> Execution:
        """Order for the whole group and send what waits."""
        done = group_execution(principal=self.principal, group=self.group, order=order, **given)
        self.send()
        return done

    def retry(self, done: Execution, key: str = "") -> int:
        """Try the failed legs again and send what waits."""
        count = retry_failed(principal=self.principal, execution=done, idempotency_key=key)
        self.send()
        return count

    def send(self) -> None:
        """Do what the execution worker does."""
        execution.run(list(Order.objects.due_to_send().values_list("pk", flat=True)))

    def poll(self) -> None:
        """Do what the polls do."""
        reconcile.poll(list(Account.objects.filter(deleted_at=None)))

    def orders_there(self) -> list[int]:
        """How many orders the exchange has of each account."""
        dumps = [self.exchange.dump(key)["futures"] for key in self.keys]
        return [len(dump["orders"]) for dump in dumps]

    def told(self, done: Execution) -> dict[int, tuple[str, str, int]]:
        """Status, reason and attempt of the legs that are not placed at first, by place."""
        places = {account.pk: place for place, account in enumerate(self.accounts)}
        return {
            places[leg.account_id]: (leg.status, leg.reason_code, leg.attempt)
            for leg in legs(done)
            if (leg.status, leg.attempt) != ("placed", 1)
        }


@pytest.fixture
def make_house(
    principal: Principal, exchange: Exchange, request: pytest.FixtureRequest
) -> Callable[..., House]:
    """Makes a group of so many accounts of 10,000 USDT, or as ``margins`` says by place."""

    def make(count: int, margins: dict[int, str] | None = None) -> House:
        exchange.price(SYMBOL, "50000")
        keys = [f"{request.node.name}-{place}" for place in range(count)]
        accounts = []
        for place, key in enumerate(keys):
            margin = (margins or {}).get(place, "10000")
            body = {"api_key": key, "api_secret": f"secret-of-{key}", "futures": {"USDT": margin}}
            exchange.call("POST", "/_account", body)
            accounts.append(
                create_account(
                    principal=principal,
                    venue="rehearsal",
                    api_key=key,
                    api_secret=f"secret-of-{key}",
                    market_type="swap",
                    max_leverage=10,
                )
            )
        reconcile.poll(accounts)
        group = create_group(
            principal=principal, name="house", account_ids=[each.pk for each in accounts]
        )
        return House(principal, exchange, group, accounts, keys)

    return make


DISABLED, SMALL, OTHER_MODE, STALE, SILENT = 3, 7, 11, 13, 17
AT_FIRST = {
    DISABLED: ("rejected", "denied_account_disabled", 1),
    SMALL: ("skipped", "below_min_notional", 1),
    OTHER_MODE: ("rejected", "position_side_refused", 1),
    STALE: ("rejected", "stale_balance", 1),
    SILENT: ("unknown", "timeout", 1),
}


def troubled(house: House) -> None:
    """One account each is disabled, has its mode changed at the exchange behind our back, has an
    old balance, and is not answered after the exchange has taken its order.
    """
    ids = [account.pk for account in house.accounts]
    Account.objects.filter(pk=ids[DISABLED]).update(status="disabled")
    owner = sync_client(
        house.exchange.url, house.keys[OTHER_MODE], f"secret-of-{house.keys[OTHER_MODE]}"
    )
    owner.fapiPrivatePostPositionSideDual({"dualSidePosition": "true"})
    owner.session.close()
    Account.objects.filter(pk=ids[STALE]).update(equity_at=now() - timedelta(minutes=2))
    fault = {
        "match": {"method": "POST", "path": "/fapi/v1/order", "api_key": house.keys[SILENT]},
        "kind": "hang_after",
        "times": 1,
        "params": {"seconds": 4},
    }
    house.exchange.call("POST", "/_fault", {"script": [fault]})


def test_twenty_accounts_of_which_five_are_in_trouble(
    make_house: Callable[..., House], settings: Any
) -> None:
    settings.EXCHANGE_TIMEOUT_MS = 1500
    house = make_house(20, {SMALL: "40"})
    troubled(house)
    done = house.execute()
    assert house.told(done) == AT_FIRST
    assert tally(legs(done)) == {
        "placed": 15, "unchanged": 0, "skipped": 1, "rejected": 3, "unknown": 1, "pending": 0
    }  # fmt: skip
    assert counts(legs(done)) == (15, 4)
    assert {str(leg.quantity) for leg in legs(done) if leg.status == "placed"} == {"0.02"}
    assert all(leg.message for leg in legs(done) if leg.status in ("rejected", "skipped"))
    nothing = (DISABLED, SMALL, OTHER_MODE, STALE)
    once = [0 if place in nothing else 1 for place in range(20)]
    assert house.orders_there() == once

    assert house.retry(done) == 4
    again = {place: (*AT_FIRST[place][:2], 2) for place in nothing}
    assert house.told(done) == {**again, SILENT: AT_FIRST[SILENT]}
    assert house.orders_there() == once

    house.exchange.end_silence()
    heard = [each for place, each in enumerate(house.accounts) if place != SILENT]
    reconcile.poll(heard)  # tells the new mode and a fresh balance
    assert house.retry(done) == 4
    assert house.told(done) == {
        DISABLED: ("rejected", "denied_account_disabled", 3),
        SMALL: ("skipped", "below_min_notional", 3),
        OTHER_MODE: ("placed", "", 3),
        STALE: ("placed", "", 3),
        SILENT: AT_FIRST[SILENT],
    }
    assert house.orders_there() == [0 if place in (DISABLED, SMALL) else 1 for place in range(20)]

    house.poll()  # tells the order that was not answered for
    assert tally(legs(done)) == {
        "placed": 18, "unchanged": 0, "skipped": 1, "rejected": 1, "unknown": 0, "pending": 0
    }  # fmt: skip
    assert Order.objects.filter(account=house.accounts[SILENT]).count() == 1
    assert [leg.account_id for leg in legs(done)] == [each.pk for each in house.accounts]
    assert statuses(done) == [leg.status for leg in legs(done)]


def test_what_is_filled_working_unknown_or_called_back_is_never_tried_again(
    make_house: Callable[..., House],
) -> None:
    house = make_house(4)
    resting = replace(BUY, order_type="limit", price=Decimal(49_000))
    done = group_execution(principal=house.principal, group=house.group, order=resting)
    filled, working, unknown, called_back = Order.objects.order_by("pk")
    cancel_order(principal=house.principal, order=called_back)
    Order.objects.filter(pk=filled.pk).update(state="FILLED")
    Order.objects.filter(pk=working.pk).update(state="OPEN")
    Order.objects.filter(pk=unknown.pk).update(state="UNKNOWN")
    named = legs(done)[2]
    assert (named.status, named.reason_code) == ("unknown", "unclear_answer")
    assert named.message.endswith("it is looked for.")
    assert house.retry(done) == 0
    assert (Order.objects.count(), Command.objects.filter(execution=done).count()) == (4, 4)
    assert house.orders_there() == [0, 0, 0, 0]
    assert not Event.objects.filter(kind="execution.retried").exists()


def test_what_may_still_come_to_rest_is_not_tried_again_until_it_cannot(
    make_house: Callable[..., House], monkeypatch: pytest.MonkeyPatch
) -> None:
    house = make_house(2)
    resting = replace(BUY, order_type="limit", price=Decimal(49_000))
    done = group_execution(principal=house.principal, group=house.group, order=resting)
    sent, never_sent = Order.objects.order_by("pk")
    dead = {"state": "NOT_PLACED", "finished_at": now()}
    Order.objects.filter(pk=sent.pk).update(**dead, claimed_at=now())
    Order.objects.filter(pk=never_sent.pk).update(**dead)
    windowless = replace(settlement.quirks_of_account(house.accounts[0]), request_window_ms=None)
    with monkeypatch.context() as patched:
        patched.setattr(settlement, "quirks_of_account", lambda _: windowless)
        assert house.retry(done) == 1
        again = Command.objects.get(execution=done, attempt=2)
        assert again.account_id == never_sent.account_id
        long_ago = now() - DEAD_WATCHED_FOR - timedelta(seconds=1)
        Order.objects.filter(pk=sent.pk).update(finished_at=long_ago)
        assert house.retry(done) == 1
    assert Command.objects.filter(execution=done, attempt=2).count() == 2


def test_a_retry_under_a_key_is_done_once(make_house: Callable[..., House]) -> None:
    house = make_house(2)
    Account.objects.update(status="disabled")
    done = house.execute()
    assert tally(legs(done))["rejected"] == 2
    assert [house.retry(done, "again"), house.retry(done, "again")] == [2, 2]
    assert [leg.attempt for leg in legs(done)] == [2, 2]
    Account.objects.update(status="active")
    assert house.retry(done, "again") == 2
    assert house.orders_there() == [0, 0]
    assert house.retry(done, "once more") == 2
    assert house.orders_there() == [1, 1]
    records = AuditRecord.objects.filter(action="execution.retried")
    assert [record.after["accounts"] for record in records] == [
        [account.pk for account in house.accounts]
    ] * 2
    assert Event.objects.filter(kind="execution.retried").count() == 2
    assert Event.objects.filter(kind="execution.created").count() == 1


def test_the_membership_is_frozen_and_a_deleted_account_stays_failed(
    make_house: Callable[..., House],
) -> None:
    house = make_house(3)
    Account.objects.update(status="disabled")
    done = house.execute()
    left, deleted, _ = house.accounts
    remove_account(principal=house.principal, group=house.group, account=left)
    Account.objects.filter(pk=deleted.pk).update(deleted_at=now())
    Account.objects.update(status="active")
    assert house.retry(done) == 2
    assert house.told(done) == {
        0: ("placed", "", 2), 1: ("rejected", "denied_account_disabled", 1), 2: ("placed", "", 2)
    }  # fmt: skip


def test_a_key_that_does_not_reach_a_failed_leg_retries_nothing(
    make_house: Callable[..., House],
) -> None:
    house = make_house(2)
    Account.objects.update(status="disabled")
    done = house.execute()
    limited = replace(house.principal, account_ids=frozenset({house.accounts[0].pk}))
    for act in (
        lambda: retry_failed(principal=limited, execution=done),
        lambda: group_execution(principal=limited, group=house.group, order=BUY),
    ):
        with pytest.raises(Denied) as refused:
            act()
        assert refused.value.code == "key_is_limited"
    assert Command.objects.count() == 2


def test_the_order_of_the_accounts_rotates(make_house: Callable[..., House]) -> None:
    house = make_house(3)
    numbers = [account.pk for account in house.accounts]
    begun = [[leg.account_id for leg in legs(house.execute())].index(numbers[0]) for _ in range(4)]
    assert begun == [0, 2, 1, 0]


def test_the_same_key_gives_the_first_execution_whatever_became_of_the_group(
    make_house: Callable[..., House],
) -> None:
    house = make_house(2)
    done = house.execute(idempotency_key="one")
    update_group(principal=house.principal, group=house.group, risk_limit=Decimal(1))
    for account in house.accounts:
        remove_account(principal=house.principal, group=house.group, account=account)
    house.group.refresh_from_db()
    assert house.execute(idempotency_key="one") == done
    with pytest.raises(Conflict) as refused:
        house.execute(replace(BUY, leverage=4), idempotency_key="one")
    assert refused.value.code == "idempotency_mismatch"
    with pytest.raises(Invalid):
        house.execute(idempotency_key="two")
    assert house.orders_there() == [1, 1]
    assert Execution.objects.count() == 1
