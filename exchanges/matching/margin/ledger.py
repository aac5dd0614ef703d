"""What one fill does to a position and its wallet, and the incomes that tell of it."""

from decimal import Decimal
from typing import Any, Protocol

from exchanges.matching.margin.records import (
    COMMISSION,
    PLACES,
    REALIZED,
    Income,
    MarginAccount,
    Position,
)
from exchanges.matching.markets import Market
from exchanges.matching.records import (
    BUY,
    ZERO,
    Account,
    BookOrder,
    BookTrade,
    FeeRule,
    Wallet,
)
from exchanges.matching.settlement import Settled, cut


class Book(Protocol):
    """The records of a margin core that ``restore`` lays its state over."""

    accounts: dict[str, Account]
    margin: dict[str, MarginAccount]
    next_income_id: int


def fill(
    account: Account,
    row: MarginAccount,
    order: BookOrder,
    market: Market,
    quantity: Decimal,
    price: Decimal,
    fees: FeeRule,
) -> Settled:
    """Move the position by one fill: close what stands against it, then open the rest."""
    position = row.position(order.symbol, order.position_side)
    signed = quantity if order.side == BUY else -quantity
    closing = min(quantity, abs(position.quantity)) if position.quantity * signed < 0 else ZERO
    realized = _close(position, closing, price) if closing else ZERO
    opening = quantity - closing
    if opening:
        position.quantity += opening if order.side == BUY else -opening
        position.cost += opening * price
        if order.symbol in row.isolated:
            position.isolated += rounded(opening * price / row.leverage_of(order.symbol))
    value = quantity * price
    commission = cut(value * fees.rate, market.fee_decimals)
    account.wallet(market.quote).free += realized - commission
    order.filled += quantity
    order.quote_filled += value
    return Settled(quantity, commission, market.quote, realized)


def incomes_of(trade: BookTrade) -> list[Income]:
    """The incomes a trade makes, without their ids."""
    rows = [(REALIZED, trade.realized), (COMMISSION, -trade.commission)]
    return [
        Income(
            0, trade.account, kind, trade.symbol, trade.commission_asset, amount, trade.at_ms,
            trade.id,
        )
        for kind, amount in rows
        if amount
    ]  # fmt: skip


def rounded(amount: Decimal) -> Decimal:
    """To the eight places in which wallets count."""
    return amount.quantize(PLACES)


def restore(core: Book, state: dict[str, Any]) -> None:
    """Lay margin state over a core; incomes known already are skipped."""
    for name, settings in state.get("margin", {}).items():
        core.margin[name].restore(settings)
    for name, amounts in state.get("margin_wallets", ()):
        for currency, amount in amounts.items():
            core.accounts[name].wallets[currency] = Wallet(Decimal(amount))
    for row in state.get("incomes", ()):
        income = Income.from_json(row)
        known = core.margin[income.account].incomes
        if not known or known[-1].id < income.id:
            known.append(income)
        core.next_income_id = max(core.next_income_id, income.id + 1)


def _close(position: Position, quantity: Decimal, price: Decimal) -> Decimal:
    """Take ``quantity`` out of the position at ``price``; returns the profit to eight places."""
    size = abs(position.quantity)
    if quantity == size:
        cost, margin = position.cost, position.isolated
    else:
        cost = rounded(position.cost * quantity / size)
        margin = rounded(position.isolated * quantity / size)
    worth = quantity * price
    profit = worth - cost if position.quantity > 0 else cost - worth
    position.quantity += -quantity if position.quantity > 0 else quantity
    position.cost -= cost
    position.isolated -= margin
    return rounded(profit)
