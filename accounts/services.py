"""Making accounts, changing their credentials and their status."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db import IntegrityError, transaction

from common.clock import now
from common.errors import Conflict, Invalid, NotFound
from common.ids import digest
from common.money import ZERO, InvalidMoney, money
from common.principal import Principal
from events.log import audit, publish
from exchanges.quirks import needs_passphrase
from exchanges.venues import Venue, resolve
from users.permissions import MANAGE, demand

from .books import MODES, PAPER, SHADOW, sent_book
from .models import Account, Book
from .principals import demand_organisation_wide

MAX_NAME_LENGTH = 80
MAX_SECRET_LENGTH = 4096
MAX_LEVERAGE = 125
# The ``status_reason`` of an account that was suspended because its venue refused the key.
KEY_REFUSED = "key_refused"


@dataclass(frozen=True, slots=True)
class _Credentials:
    api_key: str
    api_secret: str
    passphrase: str


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
    verify: bool = True,
) -> Account:
    """A new account with sealed credentials; nothing is sent to its venue here.

    ``market_type`` is spot or swap (linear perpetual contracts); ``max_leverage`` is the highest
    that an order may ask for. The mode shadow gives the book shadow; otherwise a declared venue or
    a testnet gives rehearsal, and elsewhere ``mode`` chooses paper or live. With ``verify`` the
    account is due for its first reading at once; who wants the outcome now calls
    ``trading.services.reconcile.sync_account`` after the commit. Raises Denied, Invalid
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
        initial_balance=_balance(initial_balance),
        next_poll_at=now() if verify else None,
    )
    _put_credentials(account, where, _Credentials(api_key, api_secret, passphrase))
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


@transaction.atomic
def update_credentials(
    *, principal: Principal, account: Account, api_key: str, api_secret: str, passphrase: str = ""
) -> Account:
    """Replace the credentials; workers pick them up by ``credentials_version``.

    An account suspended because its venue refused the key is active again. Raises Denied,
    NotFound, Invalid, Conflict (``duplicate_key``).
    """
    demand(principal, MANAGE)
    row = _locked(principal, account)
    before = _facts(row)
    where = resolve(row.venue, is_testnet=row.is_testnet)
    _put_credentials(row, where, _Credentials(api_key, api_secret, passphrase))
    _refuse_taken_key(row)
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


def _put_credentials(account: Account, where: Venue, credentials: _Credentials) -> None:
    """Seal the credentials into the row. The fingerprint is a digest that tells keys apart within
    one organisation; the hint is the key's last four characters."""
    faults = {
        column: "must be 1 to 4096 characters of text"
        for column in ("api_key", "api_secret")
        if not _is_secret(getattr(credentials, column))
    }
    if not credentials.api_key.isprintable():
        faults["api_key"] = "must be one line of printable characters"
    if credentials.passphrase and not _is_secret(credentials.passphrase):
        faults["passphrase"] = "must be 1 to 4096 characters of text"
    if faults:
        raise Invalid("The credentials are not usable.", fields=faults)
    if needs_passphrase(where.ccxt_id) and not credentials.passphrase:
        raise Invalid(
            "This venue's keys have a passphrase.",
            code="passphrase_required",
            fields={"passphrase": "is required"},
        )
    account.set_secret("api_key", credentials.api_key)
    account.set_secret("api_secret", credentials.api_secret)
    account.set_secret("passphrase", credentials.passphrase)
    account.key_fingerprint = digest(f"{account.organisation_id}:{credentials.api_key}")
    account.key_hint = credentials.api_key[-4:] if len(credentials.api_key) >= 12 else "****"


def _is_secret(text: str) -> bool:
    return (
        0 < len(text) <= MAX_SECRET_LENGTH
        and text.strip() != ""
        and text.isascii()
        and all(character.isprintable() or character in "\r\n" for character in text)
    )


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
    _refuse_taken_key(account)
    same_name = Account.objects.filter(
        organisation_id=account.organisation_id, name=account.name, deleted_at=None
    )
    if same_name.exists():
        raise Conflict(
            "An account of this name exists.", code="name_taken", fields={"name": "is taken"}
        )


def _refuse_taken_key(account: Account) -> None:
    if not account.key_fingerprint:
        return
    same_key = Account.objects.filter(
        organisation_id=account.organisation_id,
        venue=account.venue,
        key_fingerprint=account.key_fingerprint,
        deleted_at=None,
    ).exclude(pk=account.pk)
    if same_key.exists():
        raise Conflict(
            "Another account uses this key at this venue.",
            code="duplicate_key",
            fields={"api_key": "is used by another account"},
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
    row = (
        Account.objects.visible_to(principal)
        .select_for_update(no_key=True)
        .filter(pk=account.pk)
        .first()
    )
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
