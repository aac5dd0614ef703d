"""How an account's positions are kept, by us and by its venue."""

from django.db import transaction

from accounts.models import Account
from common.errors import Conflict, Invalid
from common.principal import Principal
from events.log import audit, publish
from trading.models import Order, Position
from users.permissions import MANAGE, demand

from .settlement import suspend_account

MODE_CHANGED = "venue_mode_changed"


@transaction.atomic
def change_position_mode(*, principal: Principal, account: Account, position_mode: str) -> Account:
    """Make an account netting or hedging; setting the mode it has changes nothing.

    Raises Denied, Invalid, Conflict ``positions_open`` while it has open positions or live orders.
    Holds the account's row lock, as every submission does.
    """
    demand(principal, MANAGE)
    if position_mode not in Account.PositionMode.values:
        raise Invalid(
            "Unknown position mode.", fields={"position_mode": "must be netting or hedge"}
        )
    rows = Account.objects.visible_to(principal).select_for_update(no_key=True)
    row = rows.get(pk=account.pk)
    if row.position_mode == position_mode:
        return row
    positions = Position.objects.open().filter(account=row, allocated=True).count()
    orders = Order.objects.live().filter(account=row).count()
    if positions or orders:
        raise Conflict(
            "The mode can change only without open positions and live orders.",
            code="positions_open",
            details={"open_positions": positions, "live_orders": orders},
        )
    before = {"position_mode": row.position_mode}
    row.position_mode = position_mode
    row.save(update_fields=["position_mode"])
    audit(
        principal,
        "account.position_mode_changed",
        target=f"account:{row.pk}",
        before=before,
        after={"position_mode": position_mode},
    )
    publish(
        "account.updated",
        organisation_id=row.organisation_id,
        topics=(f"account:{row.pk}",),
        payload={"account_id": row.pk, "name": row.name, "status": row.status},
    )
    return row


def _mode(is_hedged: bool) -> str:
    return Account.VenueMode.HEDGE if is_hedged else Account.VenueMode.ONE_WAY


def has_venue_mode(account: Account, is_hedged: bool | None) -> bool:
    """Whether the venue's mode as a poll found it is the one we know; None where it was not
    asked.
    """
    return is_hedged is None or account.venue_position_mode == _mode(is_hedged)


def note_venue_mode(account: Account, is_hedged: bool | None) -> None:
    """Keep the venue's own mode as a poll found it; None where it was not asked.

    One that changes while positions are open suspends the account, exits excepted.
    """
    if is_hedged is None or has_venue_mode(account, is_hedged):
        return
    known, mode = account.venue_position_mode, _mode(is_hedged)
    account.venue_position_mode = mode
    Account.objects.filter(pk=account.pk).update(venue_position_mode=mode)
    if known and Position.objects.open().filter(account=account).exists():
        suspend_account(
            account,
            reason=MODE_CHANGED,
            message=f"The exchange changed its position mode to {mode} with positions open.",
        )
