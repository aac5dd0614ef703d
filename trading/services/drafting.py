"""From one intent to an order row or a coded refusal: permission, market, size, risk. No writing
here.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings

from accounts.models import Account, Book
from common.clock import now
from common.ids import new_order_uid
from common.money import ZERO, floored, multiplied, plain
from common.principal import TRADE, Principal
from exchanges.protocol import MarketRules
from exchanges.quirks import quirks_of
from riskmgmt.checks import OrderFacts, evaluate
from trading import states
from trading.models import Order, Position
from trading.sizing import Basis, Sized, SizeSpec, fit_quantity, size_order

from .admission import FLATTEN, SIGNAL, Surroundings
from .entry_bounds import leverage_ceiling, put_at_risk, share_within, stop_of
from .entry_legs import Problem, misplaced, too_small
from .exits import PositionUnclear, choose_position, closes_of, held_by
from .folding import is_hedging
from .intents import LOT, OrderIntent
from .market_view import MarketView, Seen
from .modes import Effective, ModeRefused, effective_mode
from .venue_access import moved_address, venue_of
from .venue_marks import mark_for_venue

PRICED_TYPES = frozenset({"limit"})
STOP_TYPES = frozenset({"stop_loss", "take_profit"})
# What an order has to pass before the risk checks, in this order.
STAGES = ("mode", "market", "leverage", "precision", "group_limit", "position", "size")


@dataclass(frozen=True, slots=True)
class Draft:
    """An order ready to be written, or the ``code`` that refuses it; ``reserved`` and ``at_risk``
    (None where nothing stops its loss) are in quote currency. ``passed`` are the STAGES before the
    one that refused it.
    """

    order: Order | None = None
    code: str = ""
    decision: dict[str, Any] = field(default_factory=dict)
    reserved: Decimal = ZERO
    at_risk: Decimal | None = None
    passed: tuple[str, ...] = ()


def called_off() -> Draft:
    """The refusal of a leg whose execution ended with the rejection of an earlier one."""
    refusal = _Refused("aborted_after_reject", "an earlier leg was rejected, which ends the rest")
    return Draft(code=refusal.code, decision=refusal.decision)


class _Refused(Exception):
    def __init__(self, code: str, message: str = "", **facts: Any) -> None:
        super().__init__(code)
        self.code = code
        self.decision = {"allowed": False, "code": code, "message": message, **facts}


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
    except _Refused as refusal:
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
        rules = _open_market(account, intent, seen)
        passed.append("market")
        _demand_leverage(account, intent, rules)
        passed.append("leverage")
        _demand_prices(intent, rules)
        _demand(misplaced(intent, rules, seen.price))
        passed.append("precision")
        size, noted = _size_within(account, intent, around)
        passed.append("group_limit")
        candidates = around.unowned(account) if intent.of_nobody else around.owned(account)
        position = _named_position(account, intent, candidates)
        passed.append("position")
        sized = _sized(account, intent, size, rules, seen.price, position)
    except _Refused as refusal:
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
        raise _Refused(unclear.code, unclear.message, **unclear.facts) from unclear


def _permitted_mode(principal: Principal, account: Account, intent: OrderIntent) -> Effective:
    if not principal.may(TRADE, account.pk):
        raise _Refused("permission_denied", "no right to trade on this account")
    try:
        return effective_mode(principal, account, intent)
    except ModeRefused as refusal:
        raise _Refused(refusal.code, refusal.message) from refusal


def _open_market(account: Account, intent: OrderIntent, seen: Seen) -> MarketRules:
    """The rules of a market that takes orders, at the venue the account was made for."""
    rules = _known_market(account, intent, seen)
    if not rules.active:
        raise _Refused("market_inactive", "the venue has suspended this market")
    if moved_address(account):
        raise _Refused(
            "venue_address_changed", "the venue's address changed since the account was made"
        )
    return rules


def _demand_leverage(account: Account, intent: OrderIntent, rules: MarketRules) -> None:
    if account.market_type == "spot":
        if intent.leverage > 1:
            raise _Refused("leverage_not_supported", "spot has no leverage")
    else:
        _demand_derivative(account, intent, rules)


def _demand_prices(intent: OrderIntent, rules: MarketRules) -> None:
    """The prices that the type needs, on the venue's steps."""
    if intent.type in PRICED_TYPES and intent.price is None:
        raise _Refused("price_required", "a limit order needs a price")
    if intent.type in STOP_TYPES and intent.stop_price is None:
        raise _Refused("stop_price_required", "a triggered order needs a stop price")
    for name, value in (("price", intent.price), ("stop_price", intent.stop_price)):
        if value is not None and (value <= 0 or floored(value, rules.price_step) != value):
            raise _Refused(
                "off_precision", f"{name} is not a multiple of the venue's step", field=name
            )


def _demand(problem: Problem | None) -> None:
    if problem is not None:
        raise _Refused(problem.code, problem.message, field=problem.field)


def _known_market(account: Account, intent: OrderIntent, seen: Seen) -> MarketRules:
    """The rules, with a price for whatever cannot do without: an entry, and all in shadow."""
    is_shadow = account.book == Book.SHADOW
    if seen.rules is not None and is_shadow and seen.price is None:
        raise _Refused("stale_quote", "shadow needs a fresh quote", seen=seen.code)
    if seen.rules is None or (seen.price is None and not intent.reduce_only):
        raise _Refused(seen.code or "market_unavailable", seen.message)
    return seen.rules


def _demand_derivative(account: Account, intent: OrderIntent, rules: MarketRules) -> None:
    """Linear contracts of one unit of the base currency, at a venue whose position mode is
    known.
    """
    settle = rules.symbol.partition(":")[2]
    if settle != rules.quote:
        raise _Refused("contract_not_supported", "only contracts settled in their quote currency")
    if rules.contract_size != 1:
        raise _Refused("contract_not_supported", "only contracts of one unit of the base currency")
    if not account.kept_position_mode:
        raise _Refused("venue_mode_unknown", "the venue has not told its position mode yet")
    ceiling = leverage_ceiling(account, intent, rules)
    if not intent.reduce_only and intent.leverage > ceiling.leverage:
        raise _Refused(
            "leverage_above_limit",
            f"the {ceiling.whose} allows a leverage of at most {ceiling.leverage}",
            limit=ceiling.leverage,
        )


def _size_within(
    account: Account, intent: OrderIntent, around: Surroundings
) -> tuple[SizeSpec | None, dict[str, Any]]:
    """The size within the account's groups' risk limit, and what the decision says of a cut."""
    limit = around.group_risk_limits.get(account.pk)
    at_risk = around.at_risk.get((account.pk, account.book), ZERO)
    share = share_within(account, intent, limit, at_risk)
    if share.allowed == 0 and limit is not None:
        raise _Refused(
            "denied_group_open_risk",
            f"{plain(limit)} % of equity, which the account's group allows, is at risk already",
            limit=plain(limit),
            at_risk=plain(at_risk),
        )
    return share.size, share.facts or {}


def _sized(
    account: Account,
    intent: OrderIntent,
    size: SizeSpec | None,
    rules: MarketRules,
    price: Decimal | None,
    position: Position | None,
) -> Sized:
    if intent.reduce_only:
        return _exit_size(account, intent, rules, price, position)
    _demand_fresh_equity(account)
    if price is None:
        raise _Refused("price_unavailable", "no price is known")
    basis = Basis(
        rules=rules,
        price=intent.price or price,
        equity=account.equity,
        leverage=max(intent.leverage, 1),
        stop_price=stop_of(intent, rules, price),
    )
    if intent.quantity is not None:
        if floored(intent.quantity, rules.amount_step) != intent.quantity:
            raise _Refused(
                "off_precision", "quantity is not a multiple of the venue's step", field="quantity"
            )
        sized = fit_quantity(intent.quantity, basis)
    elif size is not None:
        sized = size_order(size, basis)
    else:
        raise _Refused("size_required", "an entry needs a size")
    if sized.code:
        raise _Refused(sized.code, sized.message)
    _demand(too_small(intent, rules, price, sized.quantity))
    return sized


def _demand_fresh_equity(account: Account) -> None:
    oldest = now() - timedelta(seconds=settings.BALANCE_MAX_AGE_SECONDS)
    if account.equity_at is None or account.equity_at < oldest:
        raise _Refused(
            "stale_balance",
            "the account's balance is older than allowed; entries wait for a new one",
        )


def _exit_size(
    account: Account,
    intent: OrderIntent,
    rules: MarketRules,
    price: Decimal | None,
    position: Position | None,
) -> Sized:
    """What an exit closes: the owner's lot or the whole position, at most what is there."""
    if position is None or position.side == intent.side:
        raise _Refused(
            "short_not_supported"
            if intent.side == "sell" and account.market_type == "spot"
            else "no_position",
            "there is nothing to close",
        )
    _demand_no_close_in_flight(position, intent)
    is_of_lot = intent.exit_scope == LOT
    held = held_by(position, intent.magic_id) if is_of_lot else position.quantity
    if held == 0:
        raise _Refused(
            "short_not_supported" if account.market_type == "spot" else "no_position",
            "this owner holds nothing",
        )
    wanted = held if intent.quantity is None else min(intent.quantity, held)
    quantity = floored(wanted, rules.amount_step)
    if quantity == 0:
        raise _Refused("below_min_amount", "what is held is below the venue's step")
    valued_at = intent.price or price or position.average_price
    return Sized(quantity=quantity, notional=multiplied(quantity, valued_at))


def _demand_no_close_in_flight(position: Position, intent: OrderIntent) -> None:
    if intent.is_protective:
        return
    owner = intent.magic_id if intent.exit_scope == LOT else None
    for close in closes_of(position, owner):
        raise _Refused(
            "position_close_in_progress", "a close of this position is running", order_id=close.pk
        )


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
