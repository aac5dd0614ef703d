"""How pages speak to a person: in which time zone and, beside each figure's own, which currency."""

import re
from zoneinfo import ZoneInfo

from django.db import transaction

from common.clock import zone_named
from common.errors import Invalid
from common.principal import Principal
from events.log import audit

from .models import User

UTC = ZoneInfo("UTC")
_CURRENCY = re.compile(r"[A-Z0-9]{2,10}")


def zone_of(user: User) -> ZoneInfo:
    """The person's time zone; UTC where this machine does not know it any more, which the pages
    say, as they say every zone.
    """
    try:
        return zone_named(user.time_zone)
    except Invalid:
        return UTC


@transaction.atomic
def set_preferences(*, by: Principal, time_zone: str, display_currency: str) -> User:
    """Set one's own time zone and display currency (empty for none). Raises Invalid naming the
    fields.
    """
    user = User.objects.select_for_update(no_key=True).get(pk=by.user_id)
    before = {"time_zone": user.time_zone, "display_currency": user.display_currency}
    after = {
        "time_zone": zone_named(time_zone.strip()).key,
        "display_currency": _checked_currency(display_currency),
    }
    if after != before:
        User.objects.filter(pk=user.pk).update(**after)
        target = f"user:{user.pk}"
        audit(by, "user.preferences_changed", target=target, before=before, after=after)
    user.time_zone, user.display_currency = after["time_zone"], after["display_currency"]
    return user


def _checked_currency(text: str) -> str:
    currency = text.strip().upper()
    if currency and not _CURRENCY.fullmatch(currency):
        raise Invalid(
            "Not a currency.",
            fields={"display_currency": "must be a code such as EUR, USDT or BTC, or empty"},
        )
    return currency
