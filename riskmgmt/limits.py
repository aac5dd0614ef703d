"""Limits in force and what orders have reserved of them."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import transaction

from accounts.models import Account
from common.bulk import insert_rows
from common.clock import now
from common.errors import Invalid, NotFound
from common.money import ZERO, plain
from common.principal import Principal
from common.readings import Reading, Row, as_text, money_of
from events.log import audit
from users.permissions import RISK, demand

from .checks import DEFAULT_PRICE_COLLAR, Limits, strictest
from .models import Reservation, RiskLimit, Scope


@dataclass(frozen=True, slots=True)
class NewReservation:
    """What an entry order may add to its account's position (``notional``), and what it loses when
    it is stopped out (``at_risk``, None without a stop); in quote currency.
    """

    organisation_id: int
    account_id: int
    book: str
    order_uid: UUID
    symbol: str
    notional: Decimal
    at_risk: Decimal | None = None


@dataclass(frozen=True, slots=True)
class LimitBook:
    """The limit rows of one organisation and some of its accounts."""

    organisation: Limits
    accounts: dict[int, Limits]

    def of(self, account_id: int) -> Limits:
        """The strictest limits for an account; the default collar where nobody set one."""
        found = strictest(
            [self.organisation, self.accounts.get(account_id, Limits(price_collar=None))]
        )
        if found.price_collar is None:
            return Limits(found.max_order_value, found.max_position_value, DEFAULT_PRICE_COLLAR)
        return found


# Needs the lists ``accounts`` and ``organisations``.
LIMITS = Reading(
    "limits",
    "organisation_id, scope, scope_id, "
    + as_text("max_order_value", "max_position_value", "price_collar"),
    f"FROM {RiskLimit._meta.db_table} WHERE organisation_id {{in_organisations}}"
    f" AND (scope = '{Scope.ORGANISATION.value}' OR scope_id {{in_accounts}})",
)
# Needs the lists ``accounts`` and ``symbols``.
HELD = Reading(
    "held",
    f"account_id, book, symbol, {as_text('notional')}",
    f"FROM {Reservation._meta.db_table} WHERE released_at IS NULL"
    " AND account_id {in_accounts} AND symbol {in_symbols}",
)
# Needs the list ``accounts``.
ENTRIES_AT_RISK = Reading(
    "entries_at_risk",
    f"account_id, book, {as_text('at_risk')}",
    f"FROM {Reservation._meta.db_table} WHERE released_at IS NULL AND at_risk IS NOT NULL"
    " AND account_id {in_accounts}",
)


def limits_of(rows: Sequence[Row], organisation_id: int) -> LimitBook:
    """The limits of an organisation and its accounts among what LIMITS found."""
    organisation = Limits(price_collar=None)
    accounts: dict[int, Limits] = {}
    for owner, scope, scope_id, *values in rows:
        if owner != organisation_id:
            continue
        limits = Limits(*(None if value is None else money_of(value) for value in values))
        if scope == Scope.ORGANISATION:
            organisation = limits
        else:
            accounts[scope_id] = limits
    return LimitBook(organisation, accounts)


@transaction.atomic
def set_limits(
    *,
    principal: Principal,
    scope: str,
    scope_id: int,
    max_order_value: Decimal | None = None,
    max_position_value: Decimal | None = None,
    price_collar: Decimal | None = None,
) -> RiskLimit:
    """Set all three limits of an organisation or an account; None is no limit. Raises Denied,
    Invalid.
    """
    demand(principal, RISK)
    if scope not in (Scope.ORGANISATION, Scope.ACCOUNT):
        raise Invalid(
            "Limits belong to an organisation or an account.", fields={"scope": "unknown"}
        )
    _demand_own_scope(principal, scope, scope_id)
    values = {
        "max_order_value": max_order_value,
        "max_position_value": max_position_value,
        "price_collar": price_collar,
    }
    wrong = {
        name: "must not be negative"
        for name, value in values.items()
        if value is not None and value < 0
    }
    if wrong:
        raise Invalid("A limit must not be negative.", fields=wrong)
    before = RiskLimit.objects.filter(scope=scope, scope_id=scope_id).first()
    row, _ = RiskLimit.objects.update_or_create(
        scope=scope,
        scope_id=scope_id,
        defaults={"organisation_id": principal.organisation_id, **values},
    )
    audit(
        principal,
        "limits.set",
        target=f"{scope}:{scope_id}",
        before=_shown(before),
        after=_shown(row),
    )
    return row


def _demand_own_scope(principal: Principal, scope: str, scope_id: int) -> None:
    """Raise NotFound for an organisation or an account that is not the principal's."""
    if scope == Scope.ORGANISATION:
        is_own = scope_id == principal.organisation_id
    else:
        is_own = Account.objects.visible_to(principal).filter(pk=scope_id).exists()
    if not is_own:
        raise NotFound("There is no such organisation or account.")


def _shown(row: RiskLimit | None) -> dict[str, Any] | None:
    if row is None:
        return None
    values = (row.max_order_value, row.max_position_value, row.price_collar)
    names = ("max_order_value", "max_position_value", "price_collar")
    return {
        name: None if value is None else plain(value)
        for name, value in zip(names, values, strict=True)
    }


def held_of(rows: Sequence[Row]) -> dict[str, dict[tuple[int, str], Decimal]]:
    """What is held for each account and book, in quote currency, by symbol, from what HELD
    found.
    """
    held: dict[str, dict[tuple[int, str], Decimal]] = {}
    for account_id, book, symbol, notional in rows:
        of_symbol, place = held.setdefault(symbol, {}), (account_id, book)
        of_symbol[place] = of_symbol.get(place, ZERO) + money_of(notional)
    return held


def reserve(reservations: Iterable[NewReservation]) -> None:
    """Hold what these orders may add; call it in the transaction that creates them."""
    insert_rows(
        [
            Reservation(
                organisation_id=each.organisation_id,
                account_id=each.account_id,
                book=each.book,
                order_uid=each.order_uid,
                symbol=each.symbol,
                notional=each.notional,
                at_risk=each.at_risk,
            )
            for each in reservations
        ],
        with_ids=False,
    )


def hold_again(order_uid: UUID) -> None:
    """Hold once more what an order reserved that was held for dead and works after all."""
    Reservation.objects.filter(order_uid=order_uid).update(released_at=None)


def release_reservations(order_uids: Collection[UUID]) -> None:
    """Let go of what finished orders held. Safe to repeat."""
    if order_uids:
        Reservation.objects.held().filter(order_uid__in=order_uids).update(released_at=now())


def held_for(order_uid: UUID) -> Decimal:
    """What one order holds now, in quote currency."""
    found = Reservation.objects.held().filter(order_uid=order_uid)
    return found.values_list("notional", flat=True).first() or ZERO


def at_risk_for(order_uid: UUID) -> Decimal | None:
    """What one order was to lose when stopped out, in quote currency; None without a stop."""
    return Reservation.objects.filter(order_uid=order_uid).values_list("at_risk", flat=True).first()


def hold_instead(order_uid: UUID, notional: Decimal) -> None:
    """Let an order hold this much from now on; one that holds nothing goes on holding nothing."""
    Reservation.objects.held().filter(order_uid=order_uid).update(notional=notional)
