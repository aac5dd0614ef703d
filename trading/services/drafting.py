"""From one intent to an order row or a coded refusal: permission, market, size, risk. No writing
here.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any

from accounts.models import Account
from common.clock import now
from common.ids import new_order_uid
from common.money import ZERO
from common.principal import TRADE, Principal
from exchanges.quirks import quirks_of
from riskmgmt.checks import OrderFacts, evaluate
from trading import states
from trading.models import Order, Position
from trading.sizing import Sized

from .admission import FLATTEN, SIGNAL, Surroundings
from .entry_bounds import put_at_risk
from .entry_legs import misplaced
from .exits import PositionUnclear, choose_position
from .folding import is_hedging
from .intents import OrderIntent
from .leg_demands import LegRefused, demand, demand_leverage, demand_prices, open_market
from .leg_sizes import size_within, sized_leg
from .leg_targets import towards_target
from .market_view import MarketView, Seen
from .modes import Effective, ModeRefused, effective_mode
from .venue_access import venue_of
from .venue_marks import mark_for_venue

# What an order has to pass before the risk checks, in this order.
STAGES = ("mode", "market", "leverage", "precision", "group_limit", "position", "size")


@dataclass(frozen=True, slots=True)
class Draft:
    """An order ready to be written, or the ``code`` that refuses it; ``reserved`` and ``at_risk``
    (None where nothing stops its loss) are in quote currency. ``passed`` are the STAGES before the
    one that refused it; ``intent`` is what the order came of, which for a target is not the asked
    one.
    """

    order: Order | None = None
    intent: OrderIntent | None = None
    code: str = ""
    decision: dict[str, Any] = field(default_factory=dict)
    reserved: Decimal = ZERO
    at_risk: Decimal | None = None
    passed: tuple[str, ...] = ()


def called_off() -> Draft:
    """The refusal of a leg whose execution ended with the rejection of an earlier one."""
    refusal = LegRefused("aborted_after_reject", "an earlier leg was rejected, which ends the rest")
    return Draft(code=refusal.code, decision=refusal.decision)


def draft_leg(
    principal: Principal,
    account: Account,
    intent: OrderIntent,
    around: Surroundings,
    markets: MarketView,
) -> Draft:
    """Decide one leg by what was read under the account's lock.

    The order's account is a view of this one in the book that the intent's mode means.
    """
    try:
        mode = _permitted_mode(principal, account, intent)
    except LegRefused as refusal:
        return Draft(code=refusal.code, decision=refusal.decision)
    draft = _draft_in_book(account.in_book(mode.book), intent, around, markets)
    if mode.downgraded or (intent.mode and not intent.reduce_only):
        draft.decision["mode"] = mode.as_json()
    return draft


def _draft_in_book(
    account: Account, intent: OrderIntent, around: Surroundings, markets: MarketView
) -> Draft:
    passed = ["mode"]
    try:
        seen = markets.of(account, intent.symbol)
        rules = open_market(account, intent, seen)
        passed.append("market")
        demand_leverage(account, intent, rules)
        passed.append("leverage")
        demand_prices(intent, rules)
        demand(misplaced(intent, rules, seen.price))
        passed.append("precision")
        aimed: dict[str, Any] = {}
        if intent.is_target:
            intent, aimed = towards_target(account, intent, around, rules, seen.price)
        size, noted = size_within(account, intent, around)
        noted = aimed | noted
        passed.append("group_limit")
        candidates = around.unowned(account) if intent.of_nobody else around.owned(account)
        position = _named_position(account, intent, candidates)
        passed.append("position")
        sized = sized_leg(account, intent, size, rules, seen.price, position)
    except LegRefused as refusal:
        return Draft(code=refusal.code, decision=refusal.decision, passed=tuple(passed))
    facts = OrderFacts(
        side=intent.side,
        quantity=sized.quantity,
        notional=sized.notional,
        price=intent.price,
        reduce_only=intent.reduce_only,
        is_operator_flatten=intent.reason == FLATTEN,
        is_of_signal=intent.reason == SIGNAL and not intent.is_protective,
    )
    situation = around.situation(
        account, side=intent.side, magic_id=intent.magic_id, reference_price=seen.price
    )
    decision = evaluate(facts, situation)
    told = {**decision.as_json(), **noted}
    if not decision.allowed:
        return Draft(code=decision.code, decision=told, passed=STAGES)
    order = _order(account, intent, sized, seen, position)
    mark_for_venue(order, around.in_book(account))
    return Draft(
        order,
        intent=intent,
        decision=told,
        reserved=ZERO if intent.reduce_only else sized.notional,
        at_risk=put_at_risk(intent, rules, seen.price, sized.quantity),
        passed=STAGES,
    )


def _named_position(
    account: Account, intent: OrderIntent, owned: Sequence[Position]
) -> Position | None:
    """The position an order closes or adds to; None for an entry that opens its own, and for every
    entry of a netting account.
    """
    if not is_hedging(account) and not intent.position_id:
        return owned[0] if owned and intent.reduce_only else None
    try:
        return choose_position(intent, owned)
    except PositionUnclear as unclear:
        raise LegRefused(unclear.code, unclear.message, **unclear.facts) from unclear


def _permitted_mode(principal: Principal, account: Account, intent: OrderIntent) -> Effective:
    if not principal.may(TRADE, account.pk):
        raise LegRefused("permission_denied", "no right to trade on this account")
    try:
        return effective_mode(principal, account, intent)
    except ModeRefused as refusal:
        raise LegRefused(refusal.code, refusal.message) from refusal


def _order(
    account: Account, intent: OrderIntent, sized: Sized, seen: Seen, position: Position | None
) -> Order:
    uid = new_order_uid()
    due = now() + timedelta(seconds=intent.delay_seconds) if intent.delay_seconds else None
    quirks = quirks_of(venue_of(account).ccxt_id, account.market_type)
    return Order(
        uid=uid,
        organisation_id=account.organisation_id,
        account=account,
        book=account.book,
        position=position,
        magic_id=intent.magic_id,
        reason=intent.reason,
        symbol=intent.symbol,
        side=intent.side,
        type=intent.type,
        quantity=sized.quantity,
        price=intent.price,
        stop_price=intent.stop_price,
        time_in_force=intent.time_in_force,
        post_only=intent.post_only,
        reduce_only=intent.reduce_only,
        is_protective=intent.is_protective,
        leverage=0 if intent.reduce_only or account.market_type == "spot" else intent.leverage,
        take_profit=intent.take_profit,
        stop_loss=intent.stop_loss,
        trailing_stop=intent.trailing_stop,
        reference_price=seen.price,
        max_slippage=intent.max_slippage,
        not_before=due,
        next_attempt_at=due,
        client_order_id=quirks.encode_client_id(uid),
        state=states.CREATED,
    )
