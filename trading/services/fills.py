"""From exchange trades to deals, positions and order figures, each trade exactly once."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from accounts.models import Account
from common.clock import from_ms, now
from common.crash import crash_point
from common.money import ZERO, InvalidMoney, canonical, divided, money, multiplied
from common.redaction import redact_json
from exchanges.protocol import VenueOrder, VenueTrade
from exchanges.quirks import quirks_of
from exchanges.venues import resolve
from marketdata.services import last_price
from monitoring.alerts import raise_alert
from monitoring.models import Alert
from trading import states
from trading.models import Deal, Order, TradeCursor

from .folding import LIQUIDATION, fold_deal
from .holdings import Stream
from .transitions import Moves

# The year 2100: a time beyond it is no time.
LATEST_MS = 4_102_444_800_000
FEE_PRICE_MAX_AGE = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class _Pair:
    """The currencies of a symbol: ``BTC/USDT`` or ``BTC/USDT:USDT``."""

    base: str
    quote: str
    is_contract: bool

    @classmethod
    def of(cls, symbol: str) -> "_Pair":
        base, _, rest = symbol.partition("/")
        quote, colon, _ = rest.partition(":")
        return cls(base, quote, bool(colon))


def locked_cursor(account: Account, symbol: str) -> TradeCursor:
    """The trade cursor of account and symbol under its row lock; it serialises all imports
    there.
    """
    cursor, _ = TradeCursor.objects.select_for_update(no_key=True).get_or_create(
        account=account, symbol=symbol
    )
    return cursor


def hold_streams(pairs: Iterable[tuple[int, str]]) -> None:
    """Take the import locks of several (account, symbol) pairs, always in the same order.

    Whoever locks order rows and may import deals takes these first, so that the poll and the
    sender of one account never wait for each other crosswise.
    """
    wanted = sorted(set(pairs))
    rows = TradeCursor.objects.select_for_update(no_key=True).order_by("account_id", "symbol")
    list(
        rows.filter(
            account__in={account for account, _ in wanted},
            symbol__in={symbol for _, symbol in wanted},
        )
    )


@dataclass(frozen=True, slots=True)
class Told:
    """Trades that a venue told of one stream; ``orders`` are rows the caller holds and wants
    brought up to date, ``strangers`` orders of the venue that may have been made by force.
    """

    account: Account
    symbol: str
    trades: Sequence[VenueTrade]
    orders: tuple[Order, ...] = ()
    strangers: tuple[VenueOrder, ...] = ()

    @property
    def stream(self) -> Stream:
        """Where its deals belong."""
        return Stream(self.account.pk, self.account.book, self.symbol)


def import_trades(
    account: Account,
    symbol: str,
    trades: Sequence[VenueTrade],
    moves: Moves,
    *,
    known_orders: Iterable[Order] = (),
    strangers: Iterable[VenueOrder] = (),
) -> int:
    """Import the trades of one stream, see :func:`import_told`, and write them."""
    told = Told(account, symbol, trades, tuple(known_orders), tuple(strangers))
    count = import_told([told], moves)
    moves.write()
    return count


def import_told(batch: Sequence[Told], moves: Moves) -> int:
    """Fold the deals of trades not seen before into positions and orders; returns how many were
    new. They are written with the moves.

    Each stream stands in the batch once, and the caller's transaction holds its
    :func:`locked_cursor`. Repeats and any order of trades give the same deals. A trade that belongs
    to no order of ours becomes an external deal in a position of its own; where its order is one
    that the venue made by force, it reduces what it closed. The number of statements does not grow
    with the batch.
    """
    fresh = _fresh(batch)
    if not fresh:
        return 0
    moves.holdings.read(told.stream for told, _ in fresh)
    orders = _orders_behind(fresh)
    touched: dict[int, Order] = {}
    for told, trades in fresh:
        forced = _forced(told.account, trades, told.strangers)
        for trade in trades:
            order = orders.get((*told.stream, trade.exchange_order_id))
            is_forced = trade.exchange_order_id in forced
            _record_deal(told.account, trade, order, moves, is_forced=is_forced)
            crash_point("fill_import")
            if order is not None:
                touched[order.pk] = order
    _refresh_figures(list(touched.values()), moves)
    return sum(len(trades) for _, trades in fresh)


def _fresh(batch: Sequence[Told]) -> list[tuple[Told, list[VenueTrade]]]:
    """The sound trades that are no deals yet, by stream, in the order they happened."""
    sound = [
        (told, [each for each in told.trades if is_sound(each) or _quarantine(told.account, each)])
        for told in batch
    ]
    rows = Deal.objects.filter(
        account__in={told.account.pk for told, _ in sound},
        symbol__in={told.symbol for told, _ in sound},
        exchange_trade_id__in={trade.trade_id for _, trades in sound for trade in trades},
    )
    known = set(rows.values_list("account_id", "book", "symbol", "exchange_trade_id"))
    result = []
    for told, trades in sound:
        new = {
            trade.trade_id: trade for trade in trades if (*told.stream, trade.trade_id) not in known
        }
        if new:
            result.append((told, sorted(new.values(), key=_happened)))
    return result


def _happened(trade: VenueTrade) -> tuple[int, tuple[int, str]]:
    return trade.executed_ms, _trade_rank(trade.trade_id)


def _orders_behind(
    fresh: Sequence[tuple[Told, list[VenueTrade]]],
) -> dict[tuple[int, str, str, str], Order]:
    """The orders that the trades belong to, by stream and the venue's id."""
    found = {
        (*told.stream, order.exchange_order_id): order for told, _ in fresh for order in told.orders
    }
    wanted = {
        (*told.stream, trade.exchange_order_id)
        for told, trades in fresh
        for trade in trades
        if trade.exchange_order_id
    } - found.keys()
    if wanted:
        rows = Order.objects.filter(
            account__in={key[0] for key in wanted},
            symbol__in={key[2] for key in wanted},
            exchange_order_id__in={key[3] for key in wanted},
        )
        for row in rows:
            key = (row.account_id, row.book, row.symbol, row.exchange_order_id)
            if key in wanted:
                found[key] = row
    return found


def is_sound(trade: VenueTrade) -> bool:
    """Whether a trade can be booked: an id, a side, and numbers that our money can hold."""
    try:
        money(trade.fee)
        numbers_fit = money(trade.quantity) > 0 and money(trade.price) >= 0
    except InvalidMoney:
        return False
    is_dated = 0 < trade.executed_ms < LATEST_MS
    return numbers_fit and is_dated and bool(trade.trade_id) and trade.side in ("buy", "sell")


def _quarantine(account: Account, trade: VenueTrade) -> bool:
    """Report a trade that cannot be booked; the poll's cursor does not pass it. Always False."""
    raise_alert(
        "bad_trade",
        message=f"The exchange told a trade of {trade.symbol} that cannot be booked.",
        organisation_id=account.organisation_id,
        subject=f"account:{account.pk}:{trade.symbol}:{trade.trade_id}",
        severity=Alert.Severity.CRITICAL,
        details={"trade": redact_json(trade.raw)},
    )
    return False


def _trade_rank(trade_id: str) -> tuple[int, str]:
    return (int(trade_id), "") if trade_id.isdigit() else (0, trade_id)


def _forced(
    account: Account, trades: Iterable[VenueTrade], strangers: Iterable[VenueOrder]
) -> set[str]:
    """The venue's ids of orders that it made itself to close a position: it says so in their client
    ids.
    """
    venue = resolve(account.venue, is_testnet=account.is_testnet)
    prefixes = quirks_of(venue.ccxt_id, account.market_type).forced_order_ids
    told: list[VenueTrade | VenueOrder] = [*trades, *strangers]
    return {
        each.exchange_order_id
        for each in told
        if prefixes and each.client_order_id.startswith(prefixes)
    }


def _record_deal(
    account: Account, trade: VenueTrade, order: Order | None, moves: Moves, *, is_forced: bool
) -> None:
    pair = _Pair.of(trade.symbol)
    # A contract is not paid for in its base coin, whatever the fee is taken in.
    is_paid_in_base = trade.fee_currency == pair.base and not pair.is_contract
    fee_in_base = trade.fee if is_paid_in_base else ZERO
    net = trade.quantity - fee_in_base if trade.side == "buy" else trade.quantity + fee_in_base
    deal = Deal(
        organisation_id=account.organisation_id,
        account=account,
        book=account.book,
        order=order,
        symbol=trade.symbol,
        side=trade.side,
        quantity=money(trade.quantity),
        price=money(trade.price),
        fee=money(trade.fee),
        fee_currency=trade.fee_currency,
        fee_quote=_fee_in_quote(account, trade, pair),
        net_quantity=canonical(max(net, ZERO)),
        magic_id=order.magic_id if order else 0,
        reason=order.reason if order else LIQUIDATION if is_forced else "external",
        reconciled=order is not None,
        exchange_trade_id=trade.trade_id,
        executed_at=from_ms(trade.executed_ms),
    )
    fold_deal(
        deal,
        moves,
        external_order_id="" if order else trade.exchange_order_id or trade.trade_id,
        venue_side=trade.position_side,
    )


def _fee_in_quote(account: Account, trade: VenueTrade, pair: _Pair) -> Decimal:
    """The fee's value in the quote currency; a third currency is valued at its last known price."""
    if trade.fee == 0 or trade.fee_currency == pair.quote:
        return money(trade.fee)
    if trade.fee_currency == pair.base:
        return multiplied(trade.fee, trade.price)
    venue = resolve(account.venue, is_testnet=account.is_testnet)
    row = last_price(venue, f"{trade.fee_currency}/{pair.quote}")
    if row is None or now() - row.at > FEE_PRICE_MAX_AGE:
        raise_alert(
            "fee_not_valued",
            message=f"A fee in {trade.fee_currency} could not be valued in {pair.quote}.",
            organisation_id=account.organisation_id,
            subject=f"account:{account.pk}:{trade.fee_currency}",
            severity=Alert.Severity.INFO,
        )
        return ZERO
    return multiplied(trade.fee, row.price)


def _refresh_figures(orders: Sequence[Order], moves: Moves) -> None:
    """Set orders' filled quantities and averages from their deals, and move them where these
    lead.
    """
    deals: dict[int, list[tuple[Decimal, Decimal]]] = {order.pk: [] for order in orders}
    rows = Deal.objects.filter(order__in=deals).values_list("order_id", "quantity", "price")
    for order_id, quantity, price in rows:
        deals[order_id].append((quantity, price))
    for deal in moves.holdings.unwritten():
        if deal.order_id in deals:
            deals[deal.order_id].append((deal.quantity, deal.price))
    for order in orders:
        _set_figures(order, deals[order.pk], moves)


def _set_figures(order: Order, deals: Sequence[tuple[Decimal, Decimal]], moves: Moves) -> None:
    """More deals than quantity are kept (the venue is right), flagged and reported. While a change
    is under way the venue may have either quantity: the larger one counts.
    """
    filled = sum((quantity for quantity, _ in deals), ZERO)
    value = sum((quantity * price for quantity, price in deals), ZERO)
    whole = max(order.quantity, order.wanted_quantity or ZERO)
    figures = {
        "filled_quantity": canonical(filled),
        "average_price": divided(value, filled) if filled else None,
        "overfilled": filled > whole,
    }
    target = states.FILLED if filled >= whole else states.PARTIAL
    keeps_waiting = target == states.PARTIAL and order.state in states.PURSUED
    if keeps_waiting or not moves.move(order, target, cause="deals", **figures):
        moves.put(order, **figures)
        moves.touch(order)
    if order.overfilled:
        raise_alert(
            "order_overfilled",
            message=f"Order {order.pk} was filled beyond its quantity.",
            organisation_id=order.organisation_id,
            subject=f"order:{order.pk}",
            severity=Alert.Severity.CRITICAL,
        )
