"""What of bots people may be told of."""

from events.models import Event
from monitoring.models import Alert
from monitoring.notices import Notice, Topic, register_topic

from .models import Bot


def _write(event: Event) -> Notice:
    facts = event.payload
    word = "made" if event.kind == "bot.created" else "changed"
    is_active = facts["status"] == Bot.Status.ACTIVE
    return Notice(
        f"Bot {facts['name']}: {facts['status']}",
        f"It was {word}; it reaches {len(facts['accounts'])} accounts by name.",
        Alert.Severity.INFO if is_active else Alert.Severity.WARNING,
    )


def register_topics() -> None:
    """Called once per process when the app is ready."""
    kinds = ("bot.created", "bot.updated")
    register_topic(Topic("bots", "Bots: made, changed, paused, stopped", kinds, _write))
