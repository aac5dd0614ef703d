"""Would this order go? Every check by name, with what it compared, and nothing is sent or written.

The stages and the risk checks are those of a submission, run by the same code; beside them stand
what only the exchange would say otherwise: funds, the key's right, the clock, and whether the legs
behind an entry can be placed at all.
"""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from typing import Any

from accounts.books import SIMULATED
from accounts.models import Account
from common.crypto import SealError
from common.errors import DomainError, NotFound
from common.money import EXACT, ZERO, divided, floored, multiplied, plain
from common.principal import Principal
from exchanges.gateway import gateway
from exchanges.outcomes import VenueError
from exchanges.protocol import MarketRules, VenueBalance, VenueClient
from trading.brackets import STOP, TARGET, is_right_side, leg_price
from trading.models import Order
from trading.sizing import Basis, fit_quantity

from .admission import read_surroundings
from .drafting import STAGES, Draft, draft_leg
from .intents import OrderIntent
from .leg_demands import STOP_TYPES
from .market_view import MarketView, Seen, view_markets
from .venue_access import account_ref, demand_address, venue_of

# Beyond this our deadlines and records would be wrong, though requests are signed by venue time.
CLOCK_LIMIT_MS = 10_000
# How long one account's venue may take to answer.
ASK_SECONDS = 10.0
# What a venue may keep of a buy in the base coin, and wants on top of a buy's cost.
FEE_ALLOWANCE = Decimal("0.002")


@dataclass(frozen=True, slots=True)
class Check:
    """One check; ``ok`` is None where it was not reached or the venue does not tell."""

    name: str
    ok: bool | None
    code: str = ""
    message: str = ""
    value: str | None = None
    limit: str | None = None


@dataclass(frozen=True, slots=True)
class Preflight:
    """The verdict: ``code`` is the first refusal's; quantity in base units, notional and price in
    quote currency, None where the order was not sized. ``intent`` is what the order came of, None
    where there is none.
    """

    would_go: bool
    code: str
    checks: tuple[Check, ...]
    book: str = ""
    quantity: Decimal | None = None
    notional: Decimal | None = None
    price: Decimal | None = None
    mode: dict[str, Any] = field(default_factory=dict)
    intent: OrderIntent | None = None

    def as_json(self) -> dict[str, Any]:
        """For surfaces and ``--json``; money as text."""
        money = {name: getattr(self, name) for name in ("quantity", "notional", "price")}
        return {
            "would_go": self.would_go,
            "code": self.code,
            "book": self.book,
            **{name: None if value is None else plain(value) for name, value in money.items()},
            "mode": self.mode,
            "checks": [asdict(check) for check in self.checks],
        }


@dataclass(frozen=True, slots=True)
class Told:
    """What the venue said when it was asked: our clock minus its own, and the account's state; None
    for rights that it does not tell or was not asked about.
    """

    clock_ms: int = 0
    may_trade: bool | None = None
    may_withdraw: bool | None = None
    balances: dict[str, VenueBalance] = field(default_factory=dict)
    problem: str = ""


def preflight(*, principal: Principal, intent: OrderIntent) -> Preflight:
    """Judge an intent as a submission would now; asks the venue for its market, price, clock and
    the account's balances. Raises NotFound for an account that the principal does not see.
    """
    account = Account.objects.visible_to(principal).filter(pk=intent.account_id).first()
    if account is None:
        raise NotFound("There is no such account.", code="account_not_found")
    markets = view_markets([account], {intent.symbol})
    return preflights(principal=principal, intents=[(account, intent)], markets=markets)[0]


def preflights(
    *, principal: Principal, intents: Sequence[tuple[Account, OrderIntent]], markets: MarketView
) -> list[Preflight]:
    """As :func:`preflight` for one intent of each of several accounts, which the caller has read as
    the principal sees them; all venues are asked at once.
    """
    if not intents:
        return []
    accounts = [account for account, _ in intents]
    symbols = {intent.symbol for _, intent in intents}
    aiming = {intent.magic_id for _, intent in intents if intent.is_target}
    by_symbol = read_surroundings(accounts, symbols, aiming)
    drafts = []
    for account, intent in intents:
        around = by_symbol[intent.symbol]
        draft = draft_leg(principal, account, intent, around, markets)
        if draft.order is not None:
            around.count_in(draft.order, draft.reserved, draft.at_risk)
        drafts.append(draft)
    told = iter(ask_accounts([each.order.seat for each in drafts if each.order is not None]))
    return [
        _judged(draft, markets.of(account, intent.symbol), told)
        for draft, (account, intent) in zip(drafts, intents, strict=True)
    ]


def _judged(draft: Draft, seen: Seen, told: Iterator[Told]) -> Preflight:
    """The verdict over a draft; what its venue said is the next of ``told`` where it has an
    order.
    """
    checks = [*_stages(draft), *_risk_checks(draft)]
    order, price = draft.order, None
    if order is not None:
        price = order.price or order.reference_price
        checks += _venue_checks(order, seen, next(told))
    failed = next((check for check in checks if check.ok is False), None)
    return Preflight(
        would_go=failed is None,
        code=failed.code if failed else "",
        checks=tuple(checks),
        book=order.book if order else "",
        quantity=order.quantity if order else None,
        notional=multiplied(order.quantity, price) if order and price else None,
        price=price,
        mode=draft.decision.get("mode", {}),
        intent=draft.intent,
    )


def _stages(draft: Draft) -> Iterator[Check]:
    """The stages of drafting: those passed, the one that refused, and those not reached."""
    failing = None if len(draft.passed) == len(STAGES) else STAGES[len(draft.passed)]
    for stage in STAGES:
        if stage == failing:
            yield Check(stage, False, draft.code, str(draft.decision.get("message", "")))
        else:
            yield Check(stage, True if stage in draft.passed else None)


def _risk_checks(draft: Draft) -> Iterator[Check]:
    for told in draft.decision.get("checks", ()):
        value, limit = (None if told[name] is None else str(told[name]) for name in _COMPARED)
        code = "" if told["ok"] else f"denied_{told['check']}"
        yield Check(told["check"], told["ok"], code, value=value, limit=limit)


_COMPARED = ("value", "limit")


def _venue_checks(order: Order, seen: Seen, told: Told) -> Iterator[Check]:
    if told.problem:
        yield Check("exchange", False, told.problem, "the exchange does not answer for the account")
        return
    yield Check("exchange", True)
    is_near = abs(told.clock_ms) <= CLOCK_LIMIT_MS
    yield Check(
        "clock",
        is_near,
        "" if is_near else "clock_skew",
        "our clock minus the exchange's, in milliseconds",
        str(told.clock_ms),
        str(CLOCK_LIMIT_MS),
    )
    refused = told.may_trade is False
    yield Check("key", told.may_trade, "key_may_not_trade" if refused else "")
    if seen.rules is not None:
        yield _funds(order, seen.rules, told.balances)
        yield from _legs(order, seen.rules)


def ask_accounts(seats: Sequence[Account], *, with_withdrawing: bool = False) -> list[Told]:
    """Ask the accounts' venues with their keys, all at once; the answers in their order, and what
    went wrong is in ``problem``, never raised.

    ``with_withdrawing`` asks for the right to withdraw, too, with one more request for each.
    """
    if not seats:
        return []
    try:
        return gateway().run(_ask_all(seats, with_withdrawing), timeout=ASK_SECONDS + 1)
    except VenueError as error:  # the loop itself did not come round
        return [Told(problem=error.code)] * len(seats)


async def _ask_all(seats: Sequence[Account], with_withdrawing: bool) -> list[Told]:
    return await asyncio.gather(*(_ask(seat, with_withdrawing) for seat in seats))


async def _ask(seat: Account, with_withdrawing: bool) -> Told:
    try:
        demand_address(seat)
        return await asyncio.wait_for(_ask_venue(seat, with_withdrawing), ASK_SECONDS)
    except (VenueError, DomainError) as error:
        return Told(problem=error.code)
    except SealError:
        return Told(problem="key_unreadable")
    except TimeoutError:
        return Told(problem="timeout")


async def _ask_venue(seat: Account, with_withdrawing: bool) -> Told:
    client = await gateway().client(account_ref(seat))
    connection = await gateway().connection(venue_of(seat), seat.market_type)
    return Told(
        clock_ms=0 if seat.book in SIMULATED else connection.clock_offset_ms,
        may_trade=await client.may_trade(),
        may_withdraw=await _may_withdraw(client) if with_withdrawing else None,
        balances=await client.balances(),
    )


async def _may_withdraw(client: VenueClient) -> bool | None:
    """A key may be good for all else and not be told its rights: a testnet has no such question."""
    try:
        return await client.may_withdraw()
    except VenueError:
        return None


def _funds(order: Order, rules: MarketRules, balances: dict[str, VenueBalance]) -> Check:
    """Whether what the order needs is free; what protective orders hold counts for an exit, which
    withdraws them first.
    """
    price = order.price or order.reference_price or ZERO
    is_spot = rules.market_type == "spot"
    if order.reduce_only and not is_spot:
        return Check("funds", True)
    if is_spot and order.side == "sell":
        currency, needed = rules.base, order.quantity
    else:
        currency = rules.quote
        cost = multiplied(order.quantity, price)
        margin = cost if is_spot else divided(cost, Decimal(max(order.leverage, 1)))
        fee = ZERO if is_spot else multiplied(cost, FEE_ALLOWANCE)
        needed = EXACT.add(margin, fee)
    held = balances.get(currency)
    free = ZERO if held is None else held.total if order.reduce_only else held.free
    is_enough = free >= needed
    return Check(
        "funds",
        is_enough,
        "" if is_enough else "insufficient_funds",
        f"free {currency}, and what the order needs of it at least",
        plain(free),
        plain(needed),
    )


def _legs(order: Order, rules: MarketRules) -> Iterator[Check]:
    """Whether the legs that follow an entry would be large enough for the venue at their prices."""
    price = order.price or order.reference_price
    if price is None:
        return
    prices: dict[str, Decimal | None] = {}
    for kind, text in ((TARGET, order.take_profit), (STOP, order.stop_loss)):
        if text:
            stands = leg_price(kind, text, average=price, side=order.side, step=rules.price_step)
            is_right = is_right_side(kind, stands, average=price, side=order.side)
            prices[f"{kind}_leg"] = stands if is_right else None
    if order.type in STOP_TYPES and order.stop_price is not None:
        prices["stop_leg"] = order.stop_price
    for name, at in prices.items():
        yield _leg(name, order, rules, at)


def _leg(name: str, order: Order, rules: MarketRules, at: Decimal | None) -> Check:
    if at is None:
        return Check(name, False, "wrong_side", "it stands on the wrong side of the price")
    is_cut = rules.market_type == "spot" and order.side == "buy" and not order.reduce_only
    kept = multiplied(order.quantity, 1 - FEE_ALLOWANCE) if is_cut else order.quantity
    quantity = floored(kept, rules.amount_step)
    if quantity == 0:
        return Check(name, False, "below_min_amount", "after fees nothing is left to place")
    fitted = fit_quantity(quantity, Basis(rules=rules, price=at, equity=ZERO))
    return Check(
        name,
        not fitted.code,
        fitted.code,
        fitted.message or "its value at its own price, and the venue's least",
        plain(multiplied(quantity, at)),
        None if rules.min_cost is None else plain(rules.min_cost),
    )
