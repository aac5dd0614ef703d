"""The ledger's invariants (I1 to I9 of the order model), checked against what the venue told."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from decimal import Decimal
from fractions import Fraction

from accounts.models import Account
from exchanges.protocol import VenuePosition, VenueTrade
from tests.properties import oracle
from tests.properties.ground import COIN_PRICE, STEP, SWAP
from trading.models import Deal, Order, Position
from trading.services import agreement
from trading.services.closing_by import INTERNAL
from trading.services.folding import DUST, is_hedging
from trading.services.rebuild import check_stream, streams

# Averages and products are kept at 18 places; a run makes less than a thousand of them.
NEARLY = Fraction(1, 10**14)
MARKS = (Fraction(0), Fraction(51_234))
BASE, QUOTE, COIN = "BTC", "USDT", "BNB"


def near(stored: Decimal, exact: Fraction) -> bool:
    """Whether a stored number is an exact one but for rounding."""
    return abs(Fraction(stored) - exact) <= NEARLY


def signed(side: str, quantity: Decimal | Fraction) -> Fraction:
    """A quantity with the sign of its side."""
    return Fraction(quantity) if side == "buy" else -Fraction(quantity)


def fee_in_quote(trade: VenueTrade) -> Fraction:
    """What a fee is worth; a coin that nobody prices counts as nothing."""
    rates = {QUOTE: Fraction(1), BASE: Fraction(trade.price), COIN: Fraction(COIN_PRICE)}
    return Fraction(trade.fee) * rates.get(trade.fee_currency, Fraction(0))


def net_of_fee(trade: VenueTrade) -> Fraction:
    """The signed base units that reached or left the account; a contract keeps its size."""
    is_less = trade.fee_currency == BASE and trade.symbol != SWAP
    return signed(trade.side, trade.quantity) - (Fraction(trade.fee) if is_less else 0)


def check(
    account: Account,
    told: dict[str, VenueTrade],
    orders: Collection[Order],
    *,
    is_reassigned: bool = False,
) -> None:
    """Every invariant, for an account to which these trades were told, and of which deals were
    moved or not.
    """
    deals = list(Deal.objects.filter(account=account).select_related("position").order_by("pk"))
    positions = list(
        Position.objects.filter(account=account).order_by("pk").prefetch_related("lots")
    )
    real = [deal for deal in deals if deal.reason not in (DUST, INTERNAL)]
    _check_deals(real, told)
    _check_dust([deal for deal in deals if deal.reason == DUST])
    _check_pairs([deal for deal in deals if deal.reason == INTERNAL], is_reassigned)
    if is_hedging(account):
        _check_each_position(positions, deals)
    else:
        _check_positions(positions, _expected(deals, told))
    _check_sums(positions, told.values())
    _check_orders(orders, real)
    if account.market_type != "spot":
        _check_venue(account, positions, told.values())


def _check_deals(deals: list[Deal], told: dict[str, VenueTrade]) -> None:
    """I9: each trade once. I5: its price and its fee as the venue told them, in one deal or in
    parts that add up.
    """
    parts: dict[str, list[Deal]] = defaultdict(list)
    for deal in deals:
        parts[deal.exchange_trade_id.partition(":")[0]].append(deal)
    assert parts.keys() == told.keys()
    for trade_id, mine in parts.items():
        trade = told[trade_id]
        assert mine[0].exchange_trade_id == trade_id
        for deal in mine:
            assert (deal.side, deal.price) == (trade.side, trade.price)
            assert deal.fee_currency == trade.fee_currency
        assert sum(deal.quantity for deal in mine) == trade.quantity
        assert sum(deal.fee for deal in mine) == trade.fee
        assert Fraction(sum(deal.fee_quote for deal in mine)) == fee_in_quote(trade)
        assert signed(trade.side, sum(deal.net_quantity for deal in mine)) == net_of_fee(trade)


def _check_dust(deals: list[Deal]) -> None:
    """Dust moves in pairs that leave the account's sum alone."""
    leaving, arriving = deals[::2], deals[1::2]
    assert len(leaving) == len(arriving)
    for out, into in zip(leaving, arriving, strict=True):
        assert (out.quantity, out.price, out.fee) == (into.quantity, into.price, Decimal(0))
        assert {out.side, into.side} == {"buy", "sell"}
        assert 0 < out.quantity < STEP


def _check_pairs(deals: list[Deal], is_reassigned: bool) -> None:
    """I3: what closes two positions against each other nets to nothing, without a fee. It stands at
    the average price that the second one had: while that keeps its deals its part has no result.
    """
    for one, other in zip(deals[::2], deals[1::2], strict=True):
        assert one.exchange_trade_id[:-1] == other.exchange_trade_id[:-1]
        assert (one.net_quantity, one.price, one.fee) == (other.net_quantity, other.price, 0)
        assert {one.side, other.side} == {"buy", "sell"}
        assert one.position_id != other.position_id
        assert (one.entry, other.entry) == ("out_by", "out_by")
        assert is_reassigned or other.realised == 0


def _expected(deals: list[Deal], told: dict[str, VenueTrade]) -> dict[str, oracle.Stream]:
    """The oracle's positions by external order, from the venue's trades in the order told, where
    they belong by now.
    """
    found: dict[str, oracle.Stream] = defaultdict(oracle.Stream)
    for deal in deals:
        trade = told.get(deal.exchange_trade_id)
        if trade is None:
            net, fee = signed(deal.side, deal.quantity), Fraction()
        else:
            net, fee = net_of_fee(trade), fee_in_quote(trade)
        key = deal.position.external_order_id
        found[key].fill(net, Fraction(deal.price), fee, deal.magic_id)
    return found


def _check_positions(positions: list[Position], wanted: dict[str, oracle.Stream]) -> None:
    """I1 and I6, and realised results, fees and lots as the oracle has them."""
    stored: dict[str, list[Position]] = defaultdict(list)
    for position in positions:
        assert position.allocated == (position.external_order_id == "")
        stored[position.external_order_id].append(position)
    assert stored.keys() == wanted.keys()
    for key, stream in wanted.items():
        for position, expected in zip(stored[key], stream.positions, strict=True):
            _check_position(position, expected)


def _check_each_position(positions: list[Position], deals: list[Deal]) -> None:
    """In a hedging account each position is its own deals and never turns round."""
    for position in positions:
        stream = oracle.Stream()
        for deal in deals:
            if deal.position_id == position.pk:
                net, fee = signed(deal.side, deal.net_quantity), Fraction(deal.fee_quote)
                stream.fill(net, Fraction(deal.price), fee, deal.magic_id)
        (only,) = stream.positions
        _check_position(position, only)
        if position.allocated:
            first = next(deal for deal in deals if deal.position_id == position.pk)
            assert position.side == first.side


def _check_venue(account: Account, positions: list[Position], trades: Iterable[VenueTrade]) -> None:
    """I2 as the venue tells it: its net position, or one per side."""
    sides: dict[str, Fraction] = defaultdict(Fraction)
    for trade in trades:
        sides[trade.position_side] += signed(trade.side, trade.quantity)
    net = sides.pop("", Fraction(0))
    sides["long" if net > 0 else "short"] += net
    venue = [
        VenuePosition(
            symbol=SWAP,
            side=side,
            contracts=_decimal(abs(held)),
            quantity=_decimal(abs(held)),
            entry_price=None,
            leverage=None,
            is_hedged=account.venue_position_mode == Account.VenueMode.HEDGE,
        )
        for side, held in sides.items()
        if held
    ]
    still_open = [each for each in positions if each.state == Position.State.OPEN]
    assert agreement._difference(account, SWAP, still_open, venue) == ""


def _decimal(exact: Fraction) -> Decimal:
    return Decimal(exact.numerator) / Decimal(exact.denominator)


def _check_position(position: Position, expected: oracle.Position) -> None:
    whole = expected.whole
    assert signed(position.side, position.quantity) == whole.quantity
    assert (position.state == Position.State.CLOSED) == (whole.quantity == 0)
    assert (position.quantity == 0) == (position.average_price == 0)
    assert near(position.quantity * position.average_price, abs(whole.cost))
    assert near(position.realised, whole.realised)
    assert near(position.fees, whole.fees)
    lots = {lot.magic_id: lot for lot in position.lots.all()}
    assert lots.keys() == expected.owners.keys()
    for owner, lot in lots.items():
        account = expected.owners[owner]
        assert Fraction(lot.quantity) == account.quantity
        assert (lot.quantity == 0) == (lot.average_price == 0)
        assert near(lot.quantity * lot.average_price, account.cost)
        assert near(lot.realised, account.realised)
        assert near(lot.fees, account.fees)
    assert sum(lot.quantity for lot in lots.values()) == signed(position.side, position.quantity)


def _check_sums(positions: list[Position], trades: Iterable[VenueTrade]) -> None:
    """I2: all positions are the venue's net. I4 and I8: what was earned, at any price, and the
    fees are the quote currency that came and went.
    """
    held = sum((signed(each.side, each.quantity) for each in positions), Fraction(0))
    wallet: dict[str, Fraction] = defaultdict(Fraction)
    unpaid = Fraction(0)
    for trade in trades:
        wallet[BASE] += signed(trade.side, trade.quantity)
        wallet[QUOTE] -= signed(trade.side, trade.quantity) * Fraction(trade.price)
        is_elsewhere = trade.fee_currency not in (BASE, QUOTE) or (
            trade.symbol == SWAP and trade.fee_currency == BASE
        )
        if is_elsewhere:
            unpaid += fee_in_quote(trade)
        else:
            wallet[trade.fee_currency] -= Fraction(trade.fee)
    assert held == wallet[BASE]
    fees = sum((Fraction(each.fees) for each in positions), Fraction(0))
    for mark in MARKS:
        earned = sum(
            (
                Fraction(each.realised)
                + signed(each.side, each.quantity) * (mark - Fraction(each.average_price))
                for each in positions
            ),
            Fraction(0),
        )
        assert abs(earned - fees - (wallet[QUOTE] - unpaid + mark * held)) <= NEARLY


def _check_orders(orders: Iterable[Order], deals: list[Deal]) -> None:
    """I7: filled is the sum of the order's deals, and more than asked for is flagged."""
    for order in Order.objects.filter(pk__in=[each.pk for each in orders]):
        mine = [deal for deal in deals if deal.order_id == order.pk]
        filled = sum((deal.quantity for deal in mine), Decimal(0))
        assert order.filled_quantity == filled
        assert order.overfilled == (filled > order.quantity)
        value = sum((deal.quantity * deal.price for deal in mine), Decimal(0))
        assert near(order.average_price or Decimal(0), Fraction(value) / Fraction(filled or 1))


def check_rebuild(account: Account) -> None:
    """An account's positions replayed from its deals are the stored ones."""
    for stream in streams():
        if stream.account_id == account.pk:
            assert check_stream(stream) == []
