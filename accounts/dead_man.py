"""An account's dead man's switch: the venue cancels its orders when nothing is heard of us."""

from django.db import transaction

from common.errors import Invalid, NotFound
from common.principal import Principal
from events.log import audit, publish
from exchanges.quirks import Countdown, quirks_of
from exchanges.venues import resolve
from users.permissions import MANAGE, demand

from .models import Account

# What every venue with a countdown takes, and a third of it is time enough to tell it again.
LEAST_SECONDS, MOST_SECONDS = 10, 120
# What whoever switches it on has to know.
NOTICE = (
    "The exchange cancels every open order of {what} when it has heard nothing for so long: orders "
    "placed elsewhere and protective ones too. Where a stop rests at the exchange the countdown is "
    "therefore not started; a take-profit that rests there is cancelled with the rest, and placed "
    "again once the platform is back."
)


def countdown_of(account: Account) -> Countdown | None:
    """The switch that the account's venue has for its market type; None where it has none, or
    where the operator took the venue away.
    """
    try:
        venue = resolve(account.venue, is_testnet=account.is_testnet)
    except Invalid:
        return None
    countdown = quirks_of(venue.ccxt_id, account.market_type).countdown
    return countdown if countdown and account.market_type in countdown.markets else None


def notice(account: Account) -> str:
    """What the countdown of the account's venue does; empty where it has none."""
    countdown = countdown_of(account)
    if countdown is None:
        return ""
    return NOTICE.format(what="a symbol" if countdown.per_symbol else "the account")


@transaction.atomic
def set_dead_man(*, principal: Principal, account: Account, seconds: int) -> Account:
    """Let the venue cancel the account's orders after so many seconds without a word of ours; 0
    switches that off. Setting what it has changes nothing.

    Workers start and stop the countdown (``trading.services.dead_man``); no venue is asked here.
    Raises Denied, NotFound, Invalid (``dead_man_unavailable`` where the venue has no countdown).
    """
    demand(principal, MANAGE)
    rows = Account.objects.visible_to(principal).select_for_update(no_key=True)
    row = rows.filter(pk=account.pk).first()
    if row is None:
        raise NotFound("There is no such account.", code="account_not_found")
    _demand_possible(row, seconds)
    before = row.dead_man_seconds
    if before == seconds:
        return row
    row.dead_man_seconds = seconds
    row.save(update_fields=["dead_man_seconds"])
    audit(
        principal,
        "account.dead_man_set",
        target=f"account:{row.pk}",
        before={"dead_man_seconds": before},
        after={"dead_man_seconds": seconds},
    )
    publish(
        "account.updated",
        organisation_id=row.organisation_id,
        topics=(f"account:{row.pk}",),
        payload={
            "account_id": row.pk,
            "name": row.name,
            "status": row.status,
            "reason": row.status_reason,
        },
    )
    return row


def _demand_possible(account: Account, seconds: int) -> None:
    if seconds and countdown_of(account) is None:
        raise Invalid(
            "This venue has no countdown that cancels orders.",
            code="dead_man_unavailable",
            fields={"seconds": "the venue has no countdown"},
        )
    if seconds and not LEAST_SECONDS <= seconds <= MOST_SECONDS:
        raise Invalid(
            "Not a countdown.",
            fields={"seconds": f"must be 0, or {LEAST_SECONDS} to {MOST_SECONDS}"},
        )
