"""Rows of the lists: selections, and the fragments that the live channel pushes for events."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from django.db.models import Prefetch, Q, QuerySet, prefetch_related_objects
from django.template.loader import render_to_string

from accounts.models import Account
from bots.models import Bot
from common.clock import now
from common.money import ZERO, plain
from common.principal import TRADE, Principal
from events.models import Event
from groups.models import Group
from reports.positions import priced
from reports.track_records import currency_of, parts_of
from trading import states
from trading.models import Command, Deal, Order, Position
from trading.services.folding import DUST
from webhooks.models import Signal

from . import figures


def accounts(principal: Principal) -> QuerySet[Account]:
    """Accounts in the order of their numbers."""
    return Account.objects.visible_to(principal)


def orders(principal: Principal) -> QuerySet[Order]:
    """Orders, newest first, with their accounts."""
    return Order.objects.visible_to(principal).select_related("account")


def deals(principal: Principal) -> QuerySet[Deal]:
    """Deals, newest first, with their accounts."""
    return Deal.objects.visible_to(principal).select_related("account")


def positions(principal: Principal) -> QuerySet[Position]:
    """Positions, newest first, with their accounts."""
    return Position.objects.visible_to(principal).select_related("account")


def signals(principal: Principal) -> QuerySet[Signal]:
    """Signals, newest first, with their bots."""
    return Signal.objects.visible_to(principal).select_related("bot")


def bots(principal: Principal) -> QuerySet[Bot]:
    """Bots in the order of their numbers."""
    return Bot.objects.visible_to(principal)


def groups(principal: Principal) -> QuerySet[Group]:
    """Groups in the order of their numbers."""
    return Group.objects.visible_to(principal)


def legs(principal: Principal) -> QuerySet[Command]:
    """Commands of executions with account and order: one per account that was reached."""
    return (
        Command.objects.visible_to(principal)
        .filter(execution__isnull=False)
        .select_related("account", "order", "execution")
        .order_by("account_id")
    )


def prepared(principal: Principal, name: str, rows: Iterable[Any]) -> list[Any]:
    """The rows with what their template shows beside the columns: rights, prices."""
    listed = list(rows)
    if name == "groups":
        return _with_members(principal, listed)
    for row in listed:
        account_id = row.pk if name == "accounts" else getattr(row, "account_id", 0)
        if name == "balances":
            row.held = [each for each in row.balances.order_by("currency") if each.total]
            continue
        row.may_trade = bool(account_id) and principal.may(TRADE, account_id)
    return priced(listed) if name == "positions" else listed


@dataclass(frozen=True, slots=True)
class PartSum:
    """What the accounts of one book and currency are worth together."""

    book: str
    currency: str
    equity: Decimal


def _with_members(principal: Principal, listed: list[Group]) -> list[Any]:
    """Groups with the accounts that may be read, how many of them are not active, and sums."""
    found: list[Any] = listed
    members = Prefetch("accounts", queryset=accounts(principal), to_attr="members")
    prefetch_related_objects(found, members)
    for row in found:
        row.idle = sum(each.status != Account.Status.ACTIVE for each in row.members)
        row.sums = [
            PartSum(str(part[0].book), currency_of(part), sum((each.equity for each in part), ZERO))
            for part in parts_of(row.members)
        ]
    return found


@dataclass(frozen=True, slots=True)
class LiveList:
    """One kind of row: how to read it, its template, and the words a list selects it by."""

    read: Callable[[Principal], QuerySet[Any]]
    template: str
    tags: Callable[[Any], dict[str, str]]
    element: str


def _order_tags(order: Order) -> dict[str, str]:
    group = "finished" if order.state in states.TERMINAL else "working"
    if order.state in figures.UNSURE:
        group = "unknown"
    return {
        "account": str(order.account_id),
        "symbol": order.symbol,
        "side": order.side,
        "group": group,
    }


def _ledger_tags(row: Any) -> dict[str, str]:
    return {"account": str(row.account_id), "symbol": row.symbol}


LISTS: dict[str, LiveList] = {
    "accounts": LiveList(
        accounts, "dashboard/rows/account.html", lambda row: {"account": str(row.pk)}, "account"
    ),
    "balances": LiveList(
        accounts, "dashboard/rows/balances.html", lambda row: {"account": str(row.pk)}, "balances"
    ),
    "orders": LiveList(orders, "dashboard/rows/order.html", _order_tags, "order"),
    "deals": LiveList(deals, "dashboard/rows/deal.html", _ledger_tags, "deal"),
    "positions": LiveList(
        positions,
        "dashboard/rows/position.html",
        lambda row: {**_ledger_tags(row), "state": row.state},
        "position",
    ),
    "signals": LiveList(
        signals,
        "dashboard/rows/signal.html",
        lambda row: {"bot": str(row.bot_id), "state": row.state},
        "signal",
    ),
    "bots": LiveList(bots, "dashboard/rows/bot.html", lambda row: {"bot": str(row.pk)}, "bot"),
    "groups": LiveList(
        groups, "dashboard/rows/group.html", lambda row: {"group": str(row.pk)}, "group"
    ),
    "legs": LiveList(
        legs,
        "dashboard/rows/leg.html",
        lambda row: {"execution": row.execution.correlation_id},
        "leg",
    ),
}


NAMED = ("order", "deal", "position", "account", "signal", "bot", "group")
# A bot's counters move with its signals.
ALSO_TOLD_BY = {("bot", "signal")}


@dataclass(slots=True)
class Touched:
    """What a run of events changed: row ids per list, signals by correlation id."""

    ids: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    correlations: set[str] = field(default_factory=set)
    equity: list[dict[str, Any]] = field(default_factory=list)
    fills: list[dict[str, Any]] = field(default_factory=list)


def touched(events: Iterable[Event]) -> Touched:
    """Collect the rows that events speak of; an event without a known id changes no row."""
    result = Touched()
    for event in events:
        payload = event.payload
        family = event.kind.partition(".")[0]
        for name in NAMED:
            number = payload.get(f"{name}_id")
            if isinstance(number, int) and (family == name or (name, family) in ALSO_TOLD_BY):
                result.ids[f"{name}s"].add(number)
            if isinstance(number, int) and name == "account":
                result.ids["accounts"].add(number)
                if family == "account":
                    result.ids["members"].add(number)
        if payload.get("correlation_id"):
            result.correlations.add(str(payload["correlation_id"]))
        if event.kind == "account.synced":
            result.equity.append(payload)
            result.ids["balances"].add(payload["account_id"])
        if event.kind == "deal.created" and payload.get("reason") != DUST:
            result.fills.append(payload)
    return result


def fragments(
    principal: Principal, changed: Touched, wanted: Iterable[str]
) -> list[dict[str, Any]]:
    """Rendered rows of the wanted lists; only rows that the principal may see."""
    rendered: list[dict[str, Any]] = []
    for name in wanted:
        live = LISTS[name]
        for row in prepared(principal, name, _changed_rows(principal, name, changed)):
            rendered.append(
                {
                    "list": name,
                    "id": f"{live.element}-{row.pk}",
                    "tags": live.tags(row),
                    "html": render_to_string(live.template, {"row": row}).strip(),
                }
            )
    return rendered


def group_points(principal: Principal, changed: Touched) -> list[dict[str, Any]]:
    """The equity points of the groups whose accounts were just read: of the part that is drawn."""
    found = prepared(principal, "groups", _changed_rows(principal, "groups", changed))
    at = int(now().timestamp())
    return [
        {"line": f"group:{row.pk}", "at": at, "equity": plain(row.sums[0].equity)}
        for row in found
        if row.sums
    ]


def _changed_rows(principal: Principal, name: str, changed: Touched) -> Iterable[Any]:
    """Oldest first, so that prepending leaves the newest on top."""
    ids = changed.ids.get(name, set())
    rows = LISTS[name].read(principal).order_by("pk")
    if name == "signals":
        return (
            (rows.filter(pk__in=ids) | rows.filter(correlation_id__in=changed.correlations))
            if (ids or changed.correlations)
            else ()
        )
    if name == "groups":
        members = changed.ids.get("members", set())
        touched_groups = Q(pk__in=ids) | Q(memberships__account__in=members)
        return rows.filter(touched_groups).distinct() if ids or members else ()
    if name == "legs":
        order_ids = changed.ids.get("orders", set())
        by_execution = rows.filter(execution__correlation_id__in=changed.correlations)
        return by_execution | rows.filter(order__pk__in=order_ids)
    return rows.filter(pk__in=ids) if ids else ()
