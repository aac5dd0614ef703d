"""Whose an account's key is at the venue, and what it must not be able to do.

A key of another account at the venue would go on with a ledger that is not its own, so new
credentials have to name the same account where the venue tells.
"""

from django.db import transaction

from common.crypto import SealError
from common.errors import Conflict, Invalid, Unavailable
from exchanges.key_facts import KeyFacts, read_key_facts
from exchanges.venues import resolve
from monitoring.alerts import raise_alert, resolve_alerts
from monitoring.models import Alert

from .models import Account

WITHDRAWAL_ALERT = "key_may_withdraw"
WITHDRAWAL_WARNING = (
    "THE KEY MAY WITHDRAW MONEY: whoever gets hold of it can take all there is; make one without "
    "that right at the exchange and enter it here."
)


def confirmed_facts(account: Account, fresh: Account) -> KeyFacts:
    """What the venue says of the credentials that ``fresh``, an unsaved copy of the account, has.

    Asks the venue, where the account's identity is not known with the present key, too; nothing
    where the key is the one the account has, whose secret is entered anew. Raises
    Conflict ``other_exchange_account`` for a key of another account there, Unavailable
    ``identity_unconfirmed`` where the account's identity is known and the new key's is not told.
    Not within a transaction.
    """
    if fresh.key_fingerprint == account.key_fingerprint:
        return KeyFacts()
    known, told = account.venue_identity, _asked(fresh)
    if not known and told.identity and account.api_key_sealed:
        known = _asked(account).identity
    if known and not told.identity:
        raise Unavailable(
            "The exchange does not confirm that the key is of the same account there.",
            code="identity_unconfirmed",
        )
    demand_same_identity(known, told.identity)
    return told


def demand_same_identity(known: str, told: str) -> None:
    """Raises Conflict ``other_exchange_account`` where both are known and differ."""
    if known and told and known != told:
        raise Conflict(
            "The key belongs to another account at the exchange: add it as an account of its own.",
            code="other_exchange_account",
            fields={"api_key": "belongs to another account at the exchange"},
        )


def note_key_facts(account: Account) -> None:
    """Ask the venue about a new account's key and keep what it says; raises nothing for a venue
    that does not answer. Not within a transaction.
    """
    keep_key_facts(account, _asked(account))


@transaction.atomic
def keep_key_facts(account: Account, facts: KeyFacts) -> None:
    """Keep whose the key is, unless that is known, and raise or settle the alert about a key that
    may withdraw. Safe to repeat.
    """
    if facts.identity:
        unknown = Account.objects.filter(pk=account.pk, venue_identity="")
        if unknown.update(venue_identity=facts.identity):
            account.venue_identity = facts.identity
    subject = f"account:{account.pk}"
    if facts.may_withdraw:
        raise_alert(
            WITHDRAWAL_ALERT,
            message=f"{account.name}: {WITHDRAWAL_WARNING}",
            organisation_id=account.organisation_id,
            subject=subject,
            severity=Alert.Severity.CRITICAL,
            details={"account_id": account.pk, "key_hint": account.key_hint},
        )
    elif facts.may_withdraw is False:
        resolve_alerts(WITHDRAWAL_ALERT, organisation_id=account.organisation_id, subject=subject)


def key_warnings(account: Account) -> list[str]:
    """What is wrong with the key as it was told last, as sentences."""
    warnings = []
    alerts = Alert.objects.exclude(state=Alert.State.RESOLVED).filter(
        organisation_id=account.organisation_id, code=WITHDRAWAL_ALERT
    )
    if alerts.filter(details__account_id=account.pk).exists():
        warnings.append(WITHDRAWAL_WARNING)
    if account.venue_identity:
        twins = Account.objects.filter(
            organisation_id=account.organisation_id,
            venue=account.venue,
            is_testnet=account.is_testnet,
            venue_identity=account.venue_identity,
            deleted_at=None,
        ).exclude(pk=account.pk)
        names = ", ".join(twins.order_by("pk").values_list("name", flat=True)[:5])
        if names:
            warnings.append(f"It is the same account at the exchange as {names}.")
    return warnings


def _asked(account: Account) -> KeyFacts:
    """Credentials leave for the confirmed address alone."""
    try:
        venue = resolve(account.venue, is_testnet=account.is_testnet)
        if venue.address != account.pinned_address:
            return KeyFacts()
        return read_key_facts(venue, account.market_type, account.open_credentials())
    except (Invalid, SealError):
        return KeyFacts()
