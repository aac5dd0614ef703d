"""Whether the ledger and the venue agree on what an account holds, after every poll.

On derivatives the sum of our positions of a symbol equals the venue's, per side where both keep the
sides apart. A spot wallet may hold more than our positions (deposits), never less. A difference in
two polls running is reported and closes the symbol to entries, until it has gone or an operator
accepts it. What changed while the venue was asked is not compared.
"""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from django.db import transaction

from accounts.models import Account, Book
from common.clock import from_ms
from common.errors import NotFound
from common.money import EXACT, ZERO, ExactSum, plain
from common.principal import Principal
from events.log import audit
from exchanges.protocol import VenueBalance, VenuePosition
from monitoring.alerts import raise_alert, resolve_alerts
from monitoring.models import Alert
from trading import states
from trading.models import Deal, Order, Position, TradeCursor
from trading.models.deals import MISMATCHES_THAT_BLOCK
from trading.venue_sides import LONG, SHORT
from users.permissions import RISK, demand

from .venue_marks import holding_at_venue, is_per_side

NEWEST = 200
IN_DOUBT = states.UNSETTLED - {states.CREATED}


def changed_since(account: Account, asked_ms: int) -> set[str] | None:
    """The symbols whose ledger may have moved since the venue was asked; None: any may have.

    Called before the poll's own trades are imported.
    """
    moved = set(
        Order.objects.filter(account=account, state__in=IN_DOUBT).values_list("symbol", flat=True)
    )
    newest = (
        Deal.objects.filter(account=account)
        .order_by("-id")
        .values_list("symbol", "created_at")[:NEWEST]
    )
    later = [symbol for symbol, created_at in newest if created_at >= from_ms(asked_ms)]
    return None if len(later) == NEWEST else moved | set(later)


def compare(
    account: Account,
    cursors: Mapping[str, TradeCursor],
    unsettled: set[str] | None,
    *,
    balances: Mapping[str, VenueBalance],
    positions: Iterable[VenuePosition],
    held: Sequence[Position] | None = None,
) -> None:
    """Compare every symbol of a poll, and keep what differs; in the poll's transaction. ``held``
    are the open positions of the account in its book, read here unless given.

    What the shadow book holds is in no wallet, so there is nothing to compare it with.
    """
    if unsettled is None or account.book == Book.SHADOW:
        return
    open_ones = Position.objects.open().filter(account=account, book=account.book)
    rows = list(open_ones) if held is None else held
    if account.market_type == Account.MarketType.SPOT:
        found = _spot_differences(account, rows, cursors, unsettled, balances)
    else:
        found = {
            symbol: _difference(account, symbol, rows, positions)
            for symbol in cursors.keys() - unsettled
        }
    for symbol, difference in found.items():
        _note(account, cursors[symbol], difference)


def _difference(
    account: Account, symbol: str, rows: Iterable[Position], told: Iterable[VenuePosition]
) -> str:
    """What differs in a derivative's symbol, as text; empty when nothing does."""
    ours = [holding_at_venue(each) for each in rows if each.symbol == symbol]
    venue = [each for each in told if each.symbol == symbol]
    theirs = {
        side: sum((each.contracts for each in venue if each.side == side), ZERO)
        for side in (LONG, SHORT)
    }
    total = sum((each.quantity for each in ours), ZERO)
    pairs = {"net": (total, theirs[LONG] - theirs[SHORT])}
    if is_per_side(account) and all(each.venue_side for each in ours):
        longs = sum((each.quantity for each in ours if each.venue_side == LONG), ZERO)
        pairs = {LONG: (longs, theirs[LONG]), SHORT: (longs - total, theirs[SHORT])}
    return "; ".join(
        f"{name}: ledger {plain(mine)}, venue {plain(other)}"
        for name, (mine, other) in pairs.items()
        if mine != other
    )


def _spot_differences(
    account: Account,
    rows: Iterable[Position],
    cursors: Mapping[str, TradeCursor],
    unsettled: set[str],
    balances: Mapping[str, VenueBalance],
) -> dict[str, str]:
    """What the wallet lacks, for every symbol of the currency that is lacking."""
    claimed: dict[str, Decimal] = {}
    for position in rows:
        base = base_of(position.symbol)
        claimed[base] = EXACT.add(claimed.get(base, ZERO), position.signed_quantity)
    moving = {base_of(symbol) for symbol in unsettled}
    found: dict[str, str] = {}
    for base in {base_of(symbol) for symbol in cursors} - moving:
        held = balances[base].total if base in balances else ZERO
        missing = claimed.get(base, ZERO) - held
        if missing > 0:
            missing -= _spent_otherwise(account, base)
        text = f"the wallet lacks {plain(missing)} {base}" if missing > 0 else ""
        found |= {symbol: text for symbol in cursors if base_of(symbol) == base}
    return found


def base_of(symbol: str) -> str:
    """The base currency of a unified symbol."""
    return symbol.partition("/")[0]


def _spent_otherwise(account: Account, currency: str) -> Decimal:
    """What left the wallet as fees of other markets, or as the quote currency of others."""
    deals = Deal.objects.filter(account=account, book=account.book)
    elsewhere = deals.exclude(symbol__startswith=f"{currency}/")
    fees = elsewhere.filter(fee_currency=currency).aggregate(total=ExactSum("fee"))["total"]
    spent = fees or ZERO
    quoted = deals.filter(symbol__endswith=f"/{currency}")
    for side, quantity, price in quoted.values_list("side", "quantity", "price").iterator():
        value = EXACT.multiply(quantity, price)
        spent = spent + value if side == "buy" else spent - value
    return max(spent, ZERO)


def _note(account: Account, cursor: TradeCursor, difference: str) -> None:
    """Count a difference, or forget it; the second in a row is reported."""
    is_accepted = difference and difference == cursor.accepted_mismatch
    was_blocked = cursor.blocks_entries
    count = min(cursor.mismatch_count + 1, 100) if difference and not is_accepted else 0
    if (count, difference) == (cursor.mismatch_count, cursor.mismatch):
        return
    cursor.mismatch, cursor.mismatch_count = difference[:200], count
    if not difference:
        cursor.accepted_mismatch = ""
    cursor.save(update_fields=["mismatch", "mismatch_count", "accepted_mismatch"])
    subject = _subject(account, cursor.symbol)
    if count == MISMATCHES_THAT_BLOCK:
        raise_alert(
            "ledger_mismatch",
            message=f"Ledger and exchange differ in {cursor.symbol}: {difference}. Entries wait.",
            organisation_id=account.organisation_id,
            subject=subject,
            severity=Alert.Severity.CRITICAL,
        )
    elif was_blocked and not count:
        resolve_alerts("ledger_mismatch", organisation_id=account.organisation_id, subject=subject)


def _subject(account: Account, symbol: str) -> str:
    return f"account:{account.pk}:{symbol}"


@transaction.atomic
def accept_mismatch(*, principal: Principal, account: Account, symbol: str) -> TradeCursor:
    """Let entries pass again although ledger and venue differ; another difference blocks anew.

    Raises Denied, NotFound ``mismatch_not_found`` where nothing differs.
    """
    demand(principal, RISK)
    visible = Account.objects.visible_to(principal).filter(pk=account.pk)
    cursor = (
        TradeCursor.objects.select_for_update(no_key=True, of=("self",))
        .filter(account__in=visible, symbol=symbol)
        .exclude(mismatch="")
        .first()
    )
    if cursor is None:
        raise NotFound("Nothing differs in this symbol.", code="mismatch_not_found")
    cursor.accepted_mismatch, cursor.mismatch_count = cursor.mismatch, 0
    cursor.save(update_fields=["accepted_mismatch", "mismatch_count"])
    audit(
        principal,
        "ledger.mismatch_accepted",
        target=f"account:{account.pk}:{symbol}",
        after={"mismatch": cursor.mismatch},
    )
    resolve_alerts(
        "ledger_mismatch",
        organisation_id=account.organisation_id,
        subject=_subject(account, symbol),
    )
    return cursor
