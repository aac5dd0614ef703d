"""Taking accounts and groups out of use without losing the ledger."""

from django.db import transaction

from accounts.models import Account
from common.clock import now
from common.errors import Conflict
from common.principal import Principal
from events.log import audit, publish
from groups import services as groups
from groups.models import Group
from trading.models import Order, Position
from users.permissions import MANAGE, demand


@transaction.atomic
def delete_account(*, principal: Principal, account: Account, force: bool = False) -> None:
    """Hide an account and forget its keys; orders, deals and positions stay.

    Raises Denied, Conflict ``account_busy`` while positions are open or orders live, unless
    ``force``; dust, which nobody can sell, keeps no account.
    """
    demand(principal, MANAGE)
    locked = Account.objects.select_for_update(no_key=True).get(pk=account.pk)
    positions = Position.objects.beyond_dust().filter(account=locked).count()
    orders = Order.objects.live().filter(account=locked).count()
    if (positions or orders) and not force:
        raise Conflict(
            "The account has open positions or orders.",
            code="account_busy",
            details={"open_positions": positions, "live_orders": orders},
        )
    locked.status = Account.Status.DISABLED
    locked.status_reason = "deleted"
    locked.deleted_at = now()
    locked.api_key_sealed = locked.api_secret_sealed = locked.passphrase_sealed = ""
    locked.key_fingerprint = ""
    locked.save()
    audit(
        principal,
        "account.deleted",
        target=f"account:{account.pk}",
        after={"open_positions": positions, "live_orders": orders, "forced": force},
    )
    publish(
        "account.deleted",
        organisation_id=locked.organisation_id,
        topics=(f"account:{locked.pk}",),
        payload={"account_id": locked.pk},
    )


@transaction.atomic
def delete_group(*, principal: Principal, group: Group) -> None:
    """Delete a group, never its accounts.

    Raises Denied, NotFound, Conflict ``group_busy`` while an order of one of its executions is
    live.
    """
    busy = (
        Order.objects.live()
        .filter(command__execution__source="group", command__execution__source_ref=str(group.pk))
        .count()
    )
    if busy:
        raise Conflict(
            "The group has running orders.", code="group_busy", details={"live_orders": busy}
        )
    groups.delete_group(principal=principal, group=group)
