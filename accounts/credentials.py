"""An account's credentials: what can be one, how they are sealed, and that each is used once."""

from dataclasses import dataclass

from common.errors import Conflict, Invalid
from common.ids import digest
from exchanges.quirks import needs_passphrase
from exchanges.venues import Venue

from .models import Account

MAX_SECRET_LENGTH = 4096


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a person enters; the passphrase is empty where the venue has none."""

    api_key: str
    api_secret: str
    passphrase: str


def put_credentials(account: Account, where: Venue, credentials: Credentials) -> None:
    """Seal the credentials into the row. The fingerprint is a digest that tells keys apart within
    one organisation; the hint is the key's last four characters. Raises Invalid (also
    ``passphrase_required``).
    """
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


def refuse_taken_key(account: Account) -> None:
    """Raise Conflict ``duplicate_key`` where another account of the organisation has the key,
    unless this one is declared shared.
    """
    if not account.key_fingerprint or account.is_shared:
        return
    same_key = Account.objects.filter(
        organisation_id=account.organisation_id,
        venue=account.venue,
        key_fingerprint=account.key_fingerprint,
        deleted_at=None,
    ).exclude(pk=account.pk)
    if same_key.exists():
        raise Conflict(
            "Another account uses this key at this venue: declare it shared if it shall.",
            code="duplicate_key",
            fields={"api_key": "is used by another account"},
        )
