"""From an alert to the orders of each account it reaches."""

from collections.abc import Collection, Iterable
from dataclasses import replace
from decimal import Decimal
from typing import Any

from accounts.models import Account
from bots.models import Bot
from trading.services.admission import SIGNAL
from trading.services.aiming import Stock, read_stocks
from trading.services.folding import is_hedging
from trading.services.intents import OrderIntent
from trading.services.market_view import MarketView
from trading.sizing import AMOUNT

from .alerts import Alert
from .kinds import LADDER, TARGET

# How long the exchange is given for a cancel before what replaces the order is sent.
HEAD_START_SECONDS = 1


def is_exit_for(account: Account, alert: Alert) -> bool:
    """Whether an alert closes what the bot holds in an account: on spot every sell does, but for a
    target.
    """
    is_sold = alert.side == "sell" and account.market_type == "spot" and alert.kind != TARGET
    return alert.is_exit or is_sold


def may_exit(accounts: Iterable[Account], alert: Alert) -> bool:
    """Whether an alert may close something anywhere; account by account that is judged later."""
    return alert.kind == TARGET or any(is_exit_for(account, alert) for account in accounts)


def symbols_at(accounts: Iterable[Account], alert: Alert) -> set[str]:
    """An alert's symbol as each of the accounts trades it."""
    return {alert.symbol_at(account) for account in accounts}


def calls_back(alert: Alert) -> bool:
    """Whether the bot's waiting entries in the symbol are called back first: by a ladder, by a
    target, and by an alert that closes everything.
    """
    return alert.kind in (LADDER, TARGET) or (alert.is_exit and alert.size is None)


def intents_for(
    bot: Bot,
    alert: Alert,
    accounts: Collection[Account],
    markets: MarketView,
    called_back: Collection[int] = (),
) -> list[OrderIntent]:
    """The legs of a bot's alert, account by account; where something was ``called_back`` an entry
    waits a moment.

    What the bot holds on the other side of a target is closed by a leg of its own, and in a hedging
    account each position that is to be closed has one.
    """
    stocks = _stocks(bot, alert, accounts)
    found: list[OrderIntent] = []
    for account in accounts:
        stock = stocks.get(account.pk, Stock())
        if is_exit_for(account, alert):
            found += _exits(bot, alert, account, markets, stock)
            continue
        if alert.kind == TARGET:
            found += _turns(bot, alert, account, markets, stock)
        delay = HEAD_START_SECONDS if account.pk in called_back else 0
        found.append(_entry(bot, alert, account, delay))
    return found


def _stocks(bot: Bot, alert: Alert, accounts: Collection[Account]) -> dict[int, Stock]:
    """What the bot has in the accounts' own books, where an alert may close some of it."""
    if not may_exit(accounts, alert):
        return {}
    books = {account.pk: account.book for account in accounts}
    found = {}
    for symbol in symbols_at(accounts, alert):
        for (account_id, book, _), stock in read_stocks(books, symbol, [bot.magic_id]).items():
            if book == books[account_id]:
                found[account_id] = stock
    return found


def _entry(bot: Bot, alert: Alert, account: Account, delay: int) -> OrderIntent:
    return _intent(
        bot,
        alert,
        account,
        side=alert.side,
        size=alert.size,
        take_profit=alert.take_profit,
        stop_loss=alert.stop_loss,
        delay_seconds=delay,
    )


def _exits(
    bot: Bot, alert: Alert, account: Account, markets: MarketView, stock: Stock
) -> Iterable[OrderIntent]:
    """An exit closes the bot's whole lot unless it names an amount, on whichever side it is; one
    of nothing is refused where it is judged.
    """
    quantity = _exit_quantity(alert, account, markets)
    shares = stock.shares or ((0, Decimal(1)),)
    if quantity is not None and len(shares) > 1:
        shares = ((0, shares[0][1]),)
    for position_id, held in shares:
        yield _intent(
            bot,
            alert,
            account,
            side="sell" if held > 0 else "buy",
            quantity=quantity,
            reduce_only=True,
            position_id=position_id if is_hedging(account) else 0,
        )


def _intent(bot: Bot, alert: Alert, account: Account, **more: Any) -> OrderIntent:
    """What every leg of an alert has, and what this one has besides."""
    return OrderIntent(
        account_id=account.pk,
        symbol=alert.symbol_at(account),
        type=alert.type,
        price=alert.price,
        leverage=alert.leverage,
        max_leverage=bot.max_leverage,
        is_target=alert.kind == TARGET,
        held_before=alert.held_before,
        magic_id=bot.magic_id,
        reason=SIGNAL,
        **more,
    )


def _turns(
    bot: Bot, alert: Alert, account: Account, markets: MarketView, stock: Stock
) -> Iterable[OrderIntent]:
    """The exits of what is held on the other side of a target."""
    sign = 1 if alert.side == "buy" else -1
    against = tuple(each for each in stock.shares if each[1] * sign < 0)
    if against:
        yield from _exits(bot, replace(alert, size=None), account, markets, Stock(against))


def _exit_quantity(alert: Alert, account: Account, markets: MarketView) -> Decimal | None:
    """Base units of a partial exit given as an amount; None for the whole lot."""
    size = alert.size
    if size is None or size.kind != AMOUNT:
        return None
    if size.currency == alert.base:
        return size.value
    price = markets.of(account, alert.symbol_at(account)).price
    return None if price is None else size.value / price
