"""From the protection that an entry wishes for to the set of what its deals have brought."""

from decimal import Decimal

from common.clock import now
from common.money import floored
from monitoring.alerts import raise_alert
from monitoring.models import Alert
from trading.brackets import STOP, TARGET, is_right_side, leg_price
from trading.models import Deal, Order, Position, Protection

from .exits import held_by
from .fills import hold_streams
from .guarding import UNPROTECTED
from .market_view import stored_rules


def adopt_wishes(entry: Order) -> int:
    """Make or change the set of the share that an entry's deals went to; returns the position, 0
    where nothing of it is left.

    In a transaction. The newest entry that wishes for a leg decides it for the whole share; with
    every further fill its percentages are taken anew. What a person has changed since stays.
    """
    hold_streams([(entry.account_id, entry.symbol)])
    position, rules = _filled_into(entry), stored_rules(entry.account, entry.symbol)
    if position is None or rules is None or entry.average_price is None:
        return 0
    if not floored(held_by(position, entry.magic_id), rules.amount_step):
        return position.pk
    if not (entry.take_profit or entry.stop_loss or entry.trailing_stop):
        return position.pk
    rows = Protection.objects.select_for_update(no_key=True)
    row, _ = rows.get_or_create(position=position, magic_id=entry.magic_id)
    is_new = row.entry_id != entry.pk
    if row.entry_id is not None and (entry.pk < row.entry_id or (not is_new and row.is_fixed)):
        return position.pk
    if row.state == Protection.State.ENDED:
        begin_anew(row)
    row.entry, row.is_fixed = entry, False
    row.stop_price = _price(entry, STOP, entry.stop_loss, rules.price_step) or row.stop_price
    row.target_price = _target(entry, rules.price_step, is_new=is_new) or row.target_price
    if entry.trailing_stop and (is_new or row.best_price is None):
        row.trail, row.best_price = entry.trailing_stop, entry.average_price
    row.save()
    return position.pk


def _filled_into(entry: Order) -> Position | None:
    """The position that the entry's last deal went to, while it is open and the entry's side."""
    deal = Deal.objects.filter(order=entry).select_related("position").order_by("-pk").first()
    position = deal.position if deal else None
    if position is None or position.state != Position.State.OPEN or not position.allocated:
        return None
    return position if position.side == entry.side else None


def begin_anew(row: Protection) -> None:
    """A share that was gone is held again: what protected the former one is no wish for this. The
    row is not saved here.
    """
    row.state, row.problem, row.since = Protection.State.PLACING, "", now()
    row.stop_price = row.target_price = row.best_price = None
    row.trail = ""
    row.failures, row.next_attempt_at = 0, None


def _price(entry: Order, kind: str, text: str, step: Decimal) -> Decimal | None:
    if not text or entry.average_price is None:
        return None
    return leg_price(kind, text, average=entry.average_price, side=entry.side, step=step)


def _target(entry: Order, step: Decimal, *, is_new: bool) -> Decimal | None:
    """The target's price; None, and an alert, where it would lose."""
    price = _price(entry, TARGET, entry.take_profit, step)
    if price is None or entry.average_price is None:
        return None
    if is_right_side(TARGET, price, average=entry.average_price, side=entry.side):
        return price
    if is_new:
        raise_alert(
            UNPROTECTED,
            message=(
                f"Order {entry.pk}: its take-profit stands on the wrong side of the fill price."
                " The position is open without it."
            ),
            organisation_id=entry.organisation_id,
            subject=f"order:{entry.pk}",
            severity=Alert.Severity.CRITICAL,
        )
    return None
