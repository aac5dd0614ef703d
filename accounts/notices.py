"""What of accounts people may be told of, and how an account is called in messages."""

from events.models import Event
from monitoring.models import Alert
from monitoring.notices import Notice, Topic, register_topic

from .models import Account


def account_called(number: int) -> str:
    """The account's name and book, for a message of its own organisation."""
    row = Account.objects.filter(pk=number).values_list("name", "book").first()
    return f"account {row[0]} ({row[1]})" if row else f"account {number}"


def _write(event: Event) -> Notice:
    name = account_called(event.payload["account_id"])
    word = event.kind.partition(".")[2]
    reason = event.payload.get("reason") or ""
    severity = Alert.Severity.WARNING if word == "suspended" else Alert.Severity.INFO
    said = f"{name[0].upper()}{name[1:]}"
    return Notice(
        f"{said}: {word}", f"Reason: {reason}." if reason else f"It was {word}.", severity
    )


def register_topics() -> None:
    """Called once per process when the app is ready."""
    kinds = ("account.suspended", "account.created", "account.deleted")
    register_topic(Topic("accounts", "Accounts: suspended, made, deleted", kinds, _write))
