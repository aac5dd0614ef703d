"""How an account, a group or a bot did: figures and the drawn record, a part of its page."""

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone

from accounts.models import Account
from common.clock import now, to_ms
from reports.bots import bot_accounts
from reports.periods import Span
from reports.track_records import TrackRecord, track_records
from surfaces.dashboard.access import page
from surfaces.dashboard.lookups import account_of, bot_of, group_of
from surfaces.dashboard.views.lists import number

DAYS = (7, 30, 90, 365)
USUAL_DAYS = 30


@page
def of_account(request: Any, account_id: int) -> HttpResponse:
    """Of one account."""
    account = account_of(request.principal, account_id)
    address = reverse("dashboard:account_performance", args=[account.pk])
    return _shown(request, account.name, address, [account], section="accounts")


@page
def of_group(request: Any, group_id: int) -> HttpResponse:
    """Of a group's accounts together: of the book and currency that most of them are in."""
    group = group_of(request.principal, group_id)
    accounts = Account.objects.visible_to(request.principal).filter(groups=group).order_by("pk")
    address = reverse("dashboard:group_performance", args=[group.pk])
    return _shown(request, group.name, address, list(accounts), section="groups")


@page
def of_bot(request: Any, bot_id: int) -> HttpResponse:
    """What a bot booked, over what the accounts it reaches were worth."""
    bot = bot_of(request.principal, bot_id)
    accounts = bot_accounts(request.principal, bot)
    address = reverse("dashboard:bot_performance", args=[bot.pk])
    return _shown(request, bot.name, address, accounts, owner=bot.magic_id, section="bots")


def _shown(
    request: Any,
    name: str,
    address: str,
    accounts: Sequence[Account],
    *,
    section: str,
    owner: int | None = None,
) -> HttpResponse:
    asked = number(request.GET.get("days"))
    days = asked if asked in DAYS else USUAL_DAYS
    zone = timezone.get_current_timezone()
    today = timezone.localdate(now(), zone)
    span = Span(today - timedelta(days=days - 1), today, ZoneInfo(str(zone)))
    record, *others = track_records(accounts, span, owner=owner) or [None]
    context = {
        "name": name,
        "address": address,
        "record": record,
        "figures": record.whole if record else None,
        "drawn": _drawn(record) if record else "",
        "others": others,
        "of_owner": owner is not None,
        "days": days,
        "zone": span.zone.key,
        "choices": DAYS,
        "section": section,
    }
    template = "performance.html" if request.htmx else "performance_page.html"
    return render(request, f"dashboard/{template}", context)


def _drawn(record: TrackRecord) -> str:
    """The line as JSON, for drawing only: seconds, and percent since the first point and below the
    peak.
    """
    line = record.line
    return json.dumps(
        {
            "at": [to_ms(point.at) // 1000 for point in line],
            "growth": [round(100 * point.growth, 4) for point in line],
            "drawdown": [round(-100 * point.drawdown, 4) for point in line],
        }
    )
