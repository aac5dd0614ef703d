"""Making accounts, changing their credentials and their status."""

import copy
from decimal import Decimal
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from common.clock import now
from common.errors import Conflict, Invalid, NotFound
from common.money import ZERO, InvalidMoney, money
from common.principal import Principal
from events.log import audit, publish
from exchanges.key_facts import KeyFacts
from exchanges.venues import Venue, resolve
from users.permissions import MANAGE, demand

from .books import MODES, PAPER, SHADOW, sent_book
from .credentials import Credentials, put_credentials, refuse_taken_key
from .key_identity import confirmed_facts, demand_same_identity, keep_key_facts
from .models import Account, Book
from .principals import demand_organisation_wide

MAX_NAME_LENGTH = 80
MAX_LEVERAGE = 125
# The ``status_reason`` of an account that was suspended because its venue refused the key.
KEY_REFUSED = "key_refused"


def create_account(
    *,
    principal: Principal,
    name: str = "",
    venue: str,
    api_key: str,
    api_secret: str,
    passphrase: str = "",
    initial_balance: Decimal | None = None,
    is_testnet: bool = False,
    mode: str = "paper",
    market_type: str = "spot",
    position_mode: str = "netting",
    max_leverage: int = 1,
    shared: bool = False,
    verify: bool = True,
) -> Account:
    """A new account with sealed credentials; nothing is sent to its venue here.

    ``market_type`` is spot or swap (linear perpetual contracts); ``max_leverage`` is the highest
    that an order may ask for; ``shared`` says that another account has the same key, as those for
    spot and for contracts do: each keeps a ledger of all that happens there. The
    mode shadow gives the book shadow; otherwise a declared venue or a testnet gives rehearsal, and
    elsewhere ``mode`` chooses paper or live. With ``verify`` the account is due for its first
    reading at once; who wants the outcome now calls ``trading.services.reconcile.sync_account``
    after the commit. Raises Denied, Invalid
    (``unknown_venue``, ``passphrase_required``), Conflict
    (``duplicate_key``, ``name_taken``).
    """
    demand_organisation_wide(principal)
    where = resolve(venue, is_testnet=is_testnet)
    book = _book_for(where, mode=mode, is_testnet=is_testnet)
    _demand_kind(market_type=market_type, position_mode=position_mode)
    account = Account(
        organisation_id=principal.organisation_id,
        venue=where.name,
        pinned_address=where.address,
        is_testnet=is_testnet,
        book=book,
        market_type=market_type,
        position_mode=position_mode,
        max_leverage=_leverage(max_leverage, market_type),
        is_shared=shared,
        initial_balance=_balance(initial_balance),
        next_poll_at=now() if verify else None,
    )
    put_credentials(account, where, Credentials(api_key, api_secret, passphrase))
    account.name = _checked_name(name) if name else _free_name(account)
    save_new_account(principal, account)
    return account


@transaction.atomic
def save_new_account(principal: Principal, account: Account) -> None:
    """Insert an account, audited and told; raises Conflict (``duplicate_key``, ``name_taken``)."""
    _refuse_taken(account)
    _save_new(account)
    audit(principal, "account.created", target=f"account:{account.pk}", after=_facts(account))
    _tell(account, "account.created")


def update_credentials(
    *, principal: Principal, account: Account, api_key: str, api_secret: str, passphrase: str = ""
) -> Account:
    """Replace the credentials; workers pick them up by ``credentials_version``. The venue is asked
    whose the new key is, so not within a transaction.

    An account suspended because its venue refused the key is active again. Raises Denied,
    NotFound, Invalid, Conflict (``duplicate_key``, ``other_exchange_account``), Unavailable
    ``identity_unconfirmed``.
    """
    demand(principal, MANAGE)
    credentials = Credentials(api_key, api_secret, passphrase)
    seen = _found(Account.objects.visible_to(principal), account)
    fresh = copy.copy(seen)
    put_credentials(fresh, resolve(seen.venue, is_testnet=seen.is_testnet), credentials)
    refuse_taken_key(fresh)
    facts = confirmed_facts(seen, fresh)
    row = _replace_credentials(principal, seen, credentials, facts)
    keep_key_facts(row, facts)
    return row


@transaction.atomic
def _replace_credentials(
    principal: Principal, account: Account, credentials: Credentials, facts: KeyFacts
) -> Account:
    """Raises Conflict where the identity was told to somebody else meanwhile."""
    row = _locked(principal, account)
    demand_same_identity(row.venue_identity, facts.identity)
    before = _facts(row)
    put_credentials(row, resolve(row.venue, is_testnet=row.is_testnet), credentials)
    refuse_taken_key(row)
    row.credentials_version += 1
    if row.status == Account.Status.SUSPENDED and row.status_reason == KEY_REFUSED:
        row.status, row.status_reason = Account.Status.ACTIVE, ""
    row.sync_error = ""
    row.next_poll_at = now()
    row.save()
    audit(
        principal,
        "account.credentials_changed",
        target=f"account:{row.pk}",
        before=before,
        after=_facts(row),
    )
    _tell(row, "account.updated")
    return row


@transaction.atomic
def set_status(*, principal: Principal, account: Account, status: str, reason: str = "") -> Account:
    """Activate, suspend or disable an account; setting the status it has changes nothing.

    Activating confirms the address its venue has now, which is what an operator does after a
    declared venue has moved. Raises Denied, NotFound, Invalid.
    """
    demand(principal, MANAGE)
    if status not in Account.Status.values:
        raise Invalid(
            "Unknown status.", fields={"status": f"one of {', '.join(Account.Status.values)}"}
        )
    row = _locked(principal, account)
    before = _facts(row)
    if status == Account.Status.ACTIVE:
        row.pinned_address = resolve(row.venue, is_testnet=row.is_testnet).address
    row.status = status
    row.status_reason = "" if status == Account.Status.ACTIVE else reason[:200]
    if _facts(row) == before:
        return row
    row.save(update_fields=["status", "status_reason", "pinned_address"])
    audit(
        principal,
        "account.status_changed",
        target=f"account:{row.pk}",
        before=before,
        after=_facts(row),
    )
    _tell(row, "account.suspended" if status == Account.Status.SUSPENDED else "account.updated")
    return row


def _book_for(where: Venue, *, mode: str, is_testnet: bool) -> str:
    """The book of a new account; whoever makes accounts is an administrator, which live demands."""
    if mode not in MODES:
        raise Invalid("Unknown mode.", fields={"mode": "must be paper, shadow or live"})
    sent = sent_book(where, is_testnet=is_testnet)
    return mode if mode == SHADOW or (mode == PAPER and sent == Book.LIVE) else sent


def _demand_kind(*, market_type: str, position_mode: str) -> None:
    if position_mode not in Account.PositionMode.values:
        raise Invalid(
            "Unknown position mode.", fields={"position_mode": "must be netting or hedge"}
        )
    if market_type not in Account.MarketType.values:
        raise Invalid("Unknown market type.", fields={"market_type": "must be spot or swap"})


def _leverage(value: int, market_type: str) -> int:
    highest = 1 if market_type == Account.MarketType.SPOT else MAX_LEVERAGE
    if not 1 <= value <= highest:
        raise Invalid("Not a leverage.", fields={"max_leverage": f"must be 1 to {highest}"})
    return value


def _balance(value: Any) -> Decimal:
    if value is None:
        return ZERO
    try:
        amount = money(value)
    except InvalidMoney as error:
        raise Invalid("Not an amount.", fields={"initial_balance": str(error)}) from error
    if amount < 0:
        raise Invalid("Not an amount.", fields={"initial_balance": "must not be negative"})
    return amount


def _checked_name(name: str) -> str:
    name = name.strip()
    if not name or len(name) > MAX_NAME_LENGTH or not name.isprintable():
        raise Invalid(
            "Not a name.", fields={"name": f"1 to {MAX_NAME_LENGTH} printable characters"}
        )
    return name


def _free_name(account: Account) -> str:
    """``<venue>-<n>``, the first that is free."""
    prefix = f"{account.venue}-"
    taken = set(
        Account.objects.filter(
            organisation_id=account.organisation_id, name__startswith=prefix, deleted_at=None
        ).values_list("name", flat=True)
    )
    number = 1
    while f"{prefix}{number}" in taken:
        number += 1
    return f"{prefix}{number}"


def _refuse_taken(account: Account) -> None:
    refuse_taken_key(account)
    same_name = Account.objects.filter(
        organisation_id=account.organisation_id, name=account.name, deleted_at=None
    )
    if same_name.exists():
        raise Conflict(
            "An account of this name exists.", code="name_taken", fields={"name": "is taken"}
        )


def _save_new(account: Account) -> None:
    """Insert; a racing twin that passed the look-ups meets the unique constraints."""
    try:
        with transaction.atomic():
            account.save()
    except IntegrityError as error:
        _refuse_taken(account)
        raise Conflict(
            "An account like this was made at the same time.", code="conflict"
        ) from error


def _locked(principal: Principal, account: Account) -> Account:
    visible = Account.objects.visible_to(principal)
    return _found(visible.select_for_update(no_key=True), account)


def _found(rows: QuerySet[Account], account: Account) -> Account:
    row = rows.filter(pk=account.pk).first()
    if row is None:
        raise NotFound("There is no such account.", code="account_not_found")
    return row


def _facts(account: Account) -> dict[str, Any]:
    """What the audit record tells of an account; no secrets."""
    return {
        "name": account.name,
        "venue": account.venue,
        "book": account.book,
        "is_testnet": account.is_testnet,
        "market_type": account.market_type,
        "position_mode": account.position_mode,
        "address": account.pinned_address,
        "is_shared": account.is_shared,
        "status": account.status,
        "status_reason": account.status_reason,
        "hint": account.key_hint,
        "version": account.credentials_version,
    }


def _tell(account: Account, kind: str) -> None:
    publish(
        kind,
        organisation_id=account.organisation_id,
        topics=(f"account:{account.pk}",),
        payload={
            "account_id": account.pk,
            "name": account.name,
            "status": account.status,
            "reason": account.status_reason,
        },
    )
