"""Another protection for what is held already: what a person wishes for an open position."""

from dataclasses import dataclass
from decimal import Decimal

from django.db import transaction

from accounts.models import Account
from common.errors import Conflict, Denied, Invalid, NotFound
from common.money import ZERO, floored, plain
from common.principal import TRADE, Principal
from events.log import audit
from marketdata.services import quote
from trading.brackets import STOP, TARGET, distance, is_right_side, leg_price
from trading.models import Order, Position, Protection

from .exits import held_by
from .fills import hold_streams
from .market_view import stored_rules
from .protecting import converge
from .venue_access import venue_of
from .wishes import begin_anew


@dataclass(frozen=True, slots=True)
class Wishes:
    """What to change: None leaves a leg, an empty text gives it up, else as in ``OrderIntent``."""

    stop_loss: str | None = None
    take_profit: str | None = None
    trailing_stop: str | None = None


def protect_position(
    *, principal: Principal, position: Position, wishes: Wishes, magic_id: int = 0
) -> Protection:
    """Change the set of an owner's share and bring it to what it is to be; idempotent.

    Percentages are of the position's average price, a trailing stop starts at the present one. The
    venue is asked for that price before, not inside, the transaction. Raises NotFound
    ``position_not_found`` where the owner holds nothing, Denied, Invalid ``leg_wrong_side`` for a
    leg on the wrong side of the present price, Conflict ``market_unavailable``, Unavailable.
    """
    if not principal.may(TRADE, position.account_id):
        raise Denied("Your role does not allow this.", code="permission_denied")
    account: Account = position.account
    price = quote(venue_of(account), position.symbol, account.market_type).price
    with transaction.atomic():
        hold_streams([(position.account_id, position.symbol)])
        row = _written(position.pk, magic_id, wishes, price)
        audit(
            principal,
            "position.protected",
            target=f"position:{position.pk}",
            after={
                "magic_id": magic_id,
                "stop_price": plain(row.stop_price) if row.stop_price else "",
                "target_price": plain(row.target_price) if row.target_price else "",
                "trailing_stop": row.trail,
            },
        )
        converge(position.pk)
    row.refresh_from_db()
    return row


def _written(position_id: int, magic_id: int, wishes: Wishes, price: Decimal) -> Protection:
    """The set with the wishes in it; the caller holds the stream."""
    position = Position.objects.open().filter(pk=position_id, allocated=True).first()
    held = held_by(position, magic_id) if position else ZERO
    if position is None or not held:
        raise NotFound("This owner holds nothing there.", code="position_not_found")
    rules = stored_rules(position.account, position.symbol)
    if rules is None:
        raise Conflict("The market is not known.", code="market_unavailable")
    if not floored(held, rules.amount_step):
        raise NotFound("Only dust is left.", code="position_not_found")
    rows = Protection.objects.select_for_update(no_key=True)
    row, _ = rows.get_or_create(position=position, magic_id=magic_id)
    if row.state == Protection.State.ENDED:
        begin_anew(row)
    # Whatever became of the set's orders so far says nothing about these wishes.
    row.entry = Order.objects.filter(account=position.account_id).order_by("-pk").first()
    row.is_fixed = True
    if wishes.stop_loss is not None:
        row.stop_price = _leg(STOP, wishes.stop_loss, position, rules.price_step, price)
    if wishes.take_profit is not None:
        row.target_price = _leg(TARGET, wishes.take_profit, position, rules.price_step, price)
    if wishes.trailing_stop is not None:
        row.trail = wishes.trailing_stop
        row.best_price = price if row.trail else None
        if row.trail and not ZERO < distance(row.trail, price) < price:
            raise Invalid(
                "A trailing stop's distance is a part of the price.",
                code="trailing_stop_too_wide",
                fields={"trailing_stop": "too wide"},
            )
    row.failures, row.next_attempt_at = 0, None
    row.save()
    return row


def _leg(kind: str, text: str, position: Position, step: Decimal, price: Decimal) -> Decimal | None:
    if not text:
        return None
    stands = leg_price(kind, text, average=position.average_price, side=position.side, step=step)
    if not is_right_side(kind, stands, average=price, side=position.side):
        raise Invalid(
            "A leg stands on the wrong side of the present price.",
            code="leg_wrong_side",
            fields={kind: "wrong side of the present price"},
        )
    return stands
