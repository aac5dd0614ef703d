"""One order for every account of a group, and another attempt for those that failed."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from django.db import transaction

from accounts.models import Account
from common.errors import Denied, Invalid
from common.ids import new_correlation_id
from common.money import plain
from common.principal import Principal
from events.log import audit
from groups.models import Group
from marketdata.symbols import symbol_in_market
from trading.models import Command, Execution, Order
from trading.sizing import RISK_PERCENT, SizeSpec

from .commands import add_attempts, earlier_execution, submit
from .intents import POSITION, OrderIntent, intent_of, payload_hash
from .legs import failed_legs
from .market_view import view_markets
from .settlement import may_still_come

REASON = "api"
LONGEST_STAGGER_SECONDS = 60
LONGEST_DELAY_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class GroupOrder:
    """What is asked of every account: ``risk_percentage`` of its own equity, ``leverage`` as a
    factor (0 leaves it), ``take_profit`` as a percentage (``3%``) or a price. A sell on spot closes
    what an account holds.

    Each leg is sent ``stagger_seconds`` after the one before it, and refused then when the price
    has moved against it by more than ``max_slippage`` percent since it was sized. Where fewer than
    ``min_success`` legs are placed that is reported; nothing is undone. With
    ``abort_on_first_reject`` the legs after one that is rejected are not sent; those that went out
    with it cannot be called off, so it means most where legs are staggered.
    """

    symbol: str
    side: str
    order_type: str
    risk_percentage: Decimal
    leverage: int = 0
    take_profit: str = ""
    price: Decimal | None = None
    stagger_seconds: int = 0
    max_slippage: Decimal | None = None
    min_success: int | None = None
    abort_on_first_reject: bool = False

    def requested(self) -> dict[str, Any]:
        """The order as it is stored with the execution and compared with a repeat; money as
        text.
        """
        return {
            "symbol": self.symbol,
            "side": self.side,
            "type": self.order_type,
            "size": self._size.as_text(),
            "leverage": self.leverage,
            "take_profit": self.take_profit,
            "price": None if self.price is None else plain(self.price),
            "stagger_seconds": self.stagger_seconds,
            "max_slippage": None if self.max_slippage is None else plain(self.max_slippage),
            "min_success": self.min_success,
            "abort_on_first_reject": self.abort_on_first_reject,
        }

    def intent(self, account: Account, place: int) -> OrderIntent:
        """The order for the account whose turn comes after ``place`` others."""
        return OrderIntent(
            account_id=account.pk,
            symbol=symbol_in_market(self.symbol, account.market_type),
            side=self.side,
            type=self.order_type,
            size=self._size,
            price=self.price,
            leverage=self.leverage,
            take_profit=self.take_profit if self.side == "buy" else "",
            reduce_only=self.side == "sell" and account.market_type == "spot",
            exit_scope=POSITION,
            reason=REASON,
            delay_seconds=place * self.stagger_seconds,
            max_slippage=self.max_slippage,
        )

    def demand_bounds(self, count: int) -> None:
        """Raise Invalid for what makes no sense for so many accounts."""
        faults = {}
        longest = min(LONGEST_STAGGER_SECONDS, LONGEST_DELAY_SECONDS // max(count - 1, 1))
        if not 0 <= self.stagger_seconds <= longest:
            faults["stagger_seconds"] = f"0 to {longest} for {count} accounts"
        if self.max_slippage is not None and not 0 < self.max_slippage <= 100:
            faults["max_slippage"] = "above 0 and at most 100 percent"
        if self.min_success is not None and not 0 < self.min_success <= count:
            faults["min_success"] = f"1 to {count}, the number of accounts"
        if faults:
            raise Invalid("The legs cannot be sent like this.", fields=faults)

    @property
    def _size(self) -> SizeSpec:
        return SizeSpec(RISK_PERCENT, self.risk_percentage)


def group_execution(
    *, principal: Principal, group: Group, order: GroupOrder, idempotency_key: str = ""
) -> Execution:
    """One leg for every account that the group has now, whatever becomes of it; the account whose
    turn came last time is the last one this time.

    ``idempotency_key`` names the request within the group: the same key and the same order give
    the first execution again, whatever has changed in the group. Raises Invalid (a risk outside
    the group's limit, ``empty_group``), Denied ``key_is_limited``, Conflict
    ``idempotency_mismatch``.
    """
    requested = {**order.requested(), "group_id": group.pk}
    correlation_id = group_correlation(principal, group, idempotency_key)
    if correlation_id:
        earlier = earlier_execution(principal, correlation_id, requested)
        if earlier is not None:
            return earlier
    if not 0 < order.risk_percentage <= group.risk_limit:
        raise Invalid(
            "The risk is outside the group's limit.",
            fields={"risk_percentage": f"above 0 and at most {group.risk_limit}"},
        )
    accounts = _in_turn(group, list(group.accounts.filter(deleted_at=None).order_by("pk")))
    if not accounts:
        raise Invalid("The group has no accounts.", code="empty_group")
    order.demand_bounds(len(accounts))
    _demand_reach(principal, [account.pk for account in accounts])
    return submit(
        principal=principal,
        intents=[order.intent(account, place) for place, account in enumerate(accounts)],
        source=Execution.GROUP,
        source_ref=str(group.pk),
        correlation_id=correlation_id,
        requested=requested,
        min_success=order.min_success,
        abort_on_first_reject=order.abort_on_first_reject,
    )


def group_correlation(principal: Principal, group: Group, idempotency_key: str) -> str | None:
    """The correlation id that an idempotency key of a group's execution stands for; None without a
    key.
    """
    if not idempotency_key:
        return None
    return payload_hash({"principal": principal.key, "group": group.pk, "key": idempotency_key})[
        :32
    ]


def _in_turn(group: Group, accounts: list[Account]) -> list[Account]:
    """The accounts by number, beginning after the one that the group's last execution began with,
    so that nobody is always served last.
    """
    last = Execution.objects.of_groups().filter(source_ref=str(group.pk)).first()
    first = last and last.legs.order_by("pk").values_list("account_id", flat=True).first()
    if not first:
        return accounts
    return [each for each in accounts if each.pk > first] + [
        each for each in accounts if each.pk <= first
    ]


def _demand_reach(principal: Principal, account_ids: Sequence[int]) -> None:
    reached = principal.account_ids
    if reached is not None and not reached.issuperset(account_ids):
        raise Denied("This key does not reach all accounts of the group.", code="key_is_limited")


def retry_failed(*, principal: Principal, execution: Execution, idempotency_key: str = "") -> int:
    """Try those legs of a group's execution again that placed nothing; returns how many.

    Each is sized and judged anew, by the present price and equity, and keeps what became of it
    before. Legs that are pending, unknown or were ever at the venue are left alone, and so is one
    that somebody cancelled before it was sent, whose account is deleted, or which may still come to
    rest at a venue without a request window. Safe to repeat: what is
    on its way again is no failed leg, and ``idempotency_key`` names the attempt, so that a repeat
    tries nothing further and returns the same number. Locks the execution, then its accounts.
    Raises Denied ``key_is_limited``.
    """
    prefix = _retry_prefix(principal, execution, idempotency_key)
    if done := _tried_under(execution, prefix):
        return done
    found = failed_legs(execution)
    wanted = {leg.account_id for leg in found}
    _demand_reach(principal, sorted(wanted))
    accounts = Account.objects.visible_to(principal).in_bulk(wanted)
    if not accounts:
        return 0
    markets = view_markets(accounts.values(), {leg.payload["symbol"] for leg in found})
    with transaction.atomic():
        locked = Execution.objects.select_for_update(no_key=True).get(pk=execution.pk)
        if done := _tried_under(locked, prefix):
            return done
        failed = [leg for leg in _gone(failed_legs(locked)) if leg.account_id in accounts]
        if not failed:
            return 0
        add_attempts(
            principal=principal,
            execution=locked,
            intents=_again(locked, failed, prefix),
            retried=failed,
            accounts={leg.account_id: accounts[leg.account_id] for leg in failed},
            markets=markets,
        )
        Execution.objects.filter(pk=locked.pk).update(judged_at=None)
        audit(
            principal,
            "execution.retried",
            target=f"execution:{locked.pk}",
            after={"accounts": [leg.account_id for leg in failed]},
        )
    return len(failed)


def _gone(failed: Sequence[Command]) -> list[Command]:
    """Those of failed legs of which nothing can come to rest any more."""
    sent = Order.objects.filter(command__in=failed).select_related("account")
    doubtful = {order.command_id for order in sent if may_still_come(order)}
    return [leg for leg in failed if leg.pk not in doubtful]


def _retry_prefix(principal: Principal, execution: Execution, idempotency_key: str) -> str:
    """What the request ids of one call's attempts begin with."""
    if not idempotency_key:
        return f"{new_correlation_id()}:"
    key = {"principal": principal.key, "retry": execution.pk, "key": idempotency_key}
    return f"{payload_hash(key)[:32]}:"


def _tried_under(execution: Execution, prefix: str) -> int:
    rows = Command.objects.filter(execution=execution, request_id__startswith=prefix)
    return rows.count()


def _again(execution: Execution, failed: Sequence[Command], prefix: str) -> list[OrderIntent]:
    stagger = execution.requested.get("stagger_seconds", 0)
    intents = [
        intent_of(
            leg.payload, account_id=leg.account_id, reason=REASON, request_id=f"{prefix}{number}"
        )
        for number, leg in enumerate(failed)
    ]
    return [replace(each, delay_seconds=place * stagger) for place, each in enumerate(intents)]
