"""What the risk checks need to know about accounts and symbols, read in one statement.

Used twice for every order: when it is submitted, and again inside the transaction that claims it.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from decimal import Decimal

from django.db import DEFAULT_DB_ALIAS

from accounts.books import mode_of
from accounts.models import Account
from common.money import ZERO, multiplied
from common.readings import Reading, Row, as_text, money_of, read_together
from exchanges.venues import venue_key
from groups.services import RISK_LIMITS
from marketdata.services import PRICES
from riskmgmt.checks import Decision, OrderFacts, Situation, evaluate
from riskmgmt.group_guards import LATCHED, latches_of
from riskmgmt.limits import ENTRIES_AT_RISK, HELD, LIMITS, LimitBook, held_of, limits_of
from riskmgmt.switches import DISABLED_VENUES, ENGAGED, STOPPED_OWNERS, SwitchBoard, board_of
from trading.models import Order, Position, TradeCursor
from trading.models.deals import MISMATCHES_THAT_BLOCK

from .aiming import Place, Stock, count_in, read_stocks
from .open_risk import STOPPED_LOTS, at_risk_of

FLATTEN, SIGNAL = "flatten", "webhook"
# What the checks ask of an open position, in the model's order; its other columns are left unread.
POSITION_FIELDS = (
    "id", "organisation_id", "account_id", "book", "symbol", "side", "is_netting", "allocated",
    "external_order_id", "venue_side", "quantity", "average_price",
)  # fmt: skip
OPEN_POSITIONS = Reading(
    "positions",
    f"{', '.join(POSITION_FIELDS[:-2])}, {as_text(*POSITION_FIELDS[-2:])}",
    f"FROM {Position._meta.db_table} WHERE state = '{Position.State.OPEN.value}'"
    " AND account_id {in_accounts} AND symbol {in_symbols}",
)
MISMATCHED = Reading(
    "mismatched",
    "account_id, symbol",
    f"FROM {TradeCursor._meta.db_table} WHERE mismatch_count >= {MISMATCHES_THAT_BLOCK}"
    " AND account_id {in_accounts} AND symbol {in_symbols}",
)
READINGS = (
    ENGAGED, DISABLED_VENUES, STOPPED_OWNERS, LATCHED, LIMITS, HELD, PRICES, RISK_LIMITS,
    OPEN_POSITIONS, MISMATCHED, STOPPED_LOTS, ENTRIES_AT_RISK,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Board, limits, positions, reservations and last prices around one symbol.

    ``positions`` are all open ones of an account, in any book, also those that nobody owns;
    ``reserved`` is by account and book. ``latched`` has drawdown and limit of a latched group, by
    account; ``at_risk`` is what stops would lose in all symbols, by account and book. An account
    stands for the book it is seen in. ``stocks`` are what the owners of targets have.
    """

    board: SwitchBoard
    limits: dict[int, LimitBook]
    positions: dict[int, list[Position]]
    reserved: dict[tuple[int, str], Decimal]
    prices: dict[str, Decimal]
    group_risk_limits: dict[int, Decimal]
    mismatched: frozenset[int]
    latched: dict[int, tuple[Decimal, Decimal]]
    at_risk: dict[tuple[int, str], Decimal]
    stocks: dict[Place, Stock] = field(default_factory=dict)

    def count_in(self, order: Order, reserved: Decimal, at_risk: Decimal | None) -> None:
        """Let a leg just drafted count for the next ones of the same account."""
        place = (order.account_id, order.book)
        count_in(self.stocks, order)
        self.reserved[place] = self.reserved.get(place, ZERO) + reserved
        self.at_risk[place] = self.at_risk.get(place, ZERO) + (at_risk or ZERO)

    def in_book(self, account: Account) -> list[Position]:
        """The account's open positions in the symbol and its book."""
        return [each for each in self.positions.get(account.pk, ()) if each.book == account.book]

    def owned(self, account: Account) -> list[Position]:
        """The account's open positions in the symbol, but for those that nobody owns."""
        return [each for each in self.in_book(account) if each.allocated]

    def unowned(self, account: Account) -> list[Position]:
        """The account's open positions in the symbol that nobody owns."""
        return [each for each in self.in_book(account) if not each.allocated]

    def position_of(self, order: Order) -> Position | None:
        """The open position that a stored order names."""
        rows = self.positions.get(order.account_id, ())
        return next((each for each in rows if each.pk == order.position_id), None)

    def situation(
        self,
        account: Account,
        *,
        side: str,
        magic_id: int,
        reference_price: Decimal | None,
        own_reserved: Decimal = ZERO,
    ) -> Situation:
        """The risk check's view of one account, for an order of this side and owner;
        ``own_reserved`` is what the order itself already holds.

        Opposite positions of a hedging account do not make room for each other: one of them may be
        closed alone.
        """
        last_price = self.prices.get(venue_key(account.venue, is_testnet=account.is_testnet))
        held = sum(
            (
                each.signed_quantity
                for each in self.owned(account)
                if each.is_netting or each.side == side
            ),
            ZERO,
        )
        value = multiplied(held, last_price or reference_price or ZERO)
        return Situation(
            account_status=account.status,
            account_reason=account.status_reason,
            venue_enabled=account.venue not in self.board.disabled_venues,
            switch_level=self.board.level(
                organisation_id=account.organisation_id,
                account_id=account.pk,
                mode=mode_of(account.book),
            ),
            owner_level=self.board.owner_level(
                organisation_id=account.organisation_id, magic_id=magic_id
            ),
            group_latch=self.latched.get(account.pk),
            limits=self.limits[account.organisation_id].of(account.pk),
            position_value=value,
            reserved_value=self.reserved.get((account.pk, account.book), ZERO) - own_reserved,
            reference_price=reference_price,
            last_price=last_price,
            ledger_agrees=account.pk not in self.mismatched,
        )


def read_surroundings(
    accounts: Collection[Account], symbols: Collection[str], aiming: Collection[int] = ()
) -> dict[str, Surroundings]:
    """Everything for these accounts by symbol, of one moment in the current transaction's view; in
    a submit that moment must come after the accounts' row locks. ``aiming`` are the owners whose
    orders name targets.
    """
    pks = {account.pk for account in accounts}
    found = read_together(
        READINGS,
        accounts=pks,
        organisations={account.organisation_id for account in accounts},
        symbols=symbols,
        venues={venue_key(each.venue, is_testnet=each.is_testnet) for each in accounts},
    )
    board = board_of(found[ENGAGED.name], found[DISABLED_VENUES.name], found[STOPPED_OWNERS.name])
    limits = {
        organisation: limits_of(found[LIMITS.name], organisation)
        for organisation in {account.organisation_id for account in accounts}
    }
    positions = _positions(found[OPEN_POSITIONS.name])
    held = held_of(found[HELD.name])
    group_risk_limits = _group_risk_limits(found[RISK_LIMITS.name])
    latched = latches_of(found[LATCHED.name])
    # One for all symbols: what a leg puts at risk counts for the account's next one in another.
    at_risk = at_risk_of(found[STOPPED_LOTS.name], found[ENTRIES_AT_RISK.name])
    return {
        symbol: Surroundings(
            board=board,
            limits=limits,
            positions=positions.get(symbol, {}),
            reserved=held.get(symbol, {}),
            prices={
                venue: money_of(price) for venue, of, price in found[PRICES.name] if of == symbol
            },
            group_risk_limits=group_risk_limits,
            mismatched=frozenset(
                account_id for account_id, of in found[MISMATCHED.name] if of == symbol
            ),
            latched=latched,
            at_risk=at_risk,
            stocks=read_stocks(pks, symbol, aiming) if aiming else {},
        )
        for symbol in symbols
    }


def _positions(rows: Iterable[Row]) -> dict[str, dict[int, list[Position]]]:
    """Open positions by symbol and account, the oldest first."""
    found: dict[str, dict[int, list[Position]]] = {}
    for row in sorted(rows, key=lambda each: int(each[0])):
        *names, is_netting, allocated, order_id, venue_side, quantity, price = row
        flags = bool(is_netting), bool(allocated)
        values = [*names, *flags, order_id, venue_side, money_of(quantity), money_of(price)]
        position = Position.from_db(DEFAULT_DB_ALIAS, POSITION_FIELDS, values)
        of_symbol = found.setdefault(position.symbol, {})
        of_symbol.setdefault(position.account_id, []).append(position)
    return found


def _group_risk_limits(rows: Iterable[Row]) -> dict[int, Decimal]:
    """The strictest group's largest share of equity at risk per trade, in percent, by account."""
    limits: dict[int, Decimal] = {}
    for account_id, text in rows:
        limit = money_of(text)
        limits[account_id] = min(limits.get(account_id, limit), limit)
    return limits


def order_facts(order: Order) -> OrderFacts:
    """A stored order as the checks see it."""
    price = order.price or order.reference_price
    return OrderFacts(
        side=order.side,
        quantity=order.quantity,
        notional=None if price is None else multiplied(order.quantity, price),
        price=order.price,
        reduce_only=order.reduce_only,
        is_operator_flatten=order.reason == FLATTEN,
        is_of_signal=order.reason == SIGNAL and not order.is_protective,
        max_slippage=order.max_slippage,
    )


def recheck(order: Order, around: Surroundings) -> Decision:
    """Judge a stored order again; its own reservation does not count against it."""
    facts = order_facts(order)
    situation = around.situation(
        order.seat,
        side=order.side,
        magic_id=order.magic_id,
        reference_price=order.reference_price,
        own_reserved=facts.notional or ZERO,
    )
    return evaluate(facts, situation)
