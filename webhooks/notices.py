"""What of signals people may be told of."""

from bots.models import Bot
from events.models import Event
from monitoring.models import Alert
from monitoring.notices import Notice, Topic, register_topic

from .models import Signal


def _write(event: Event) -> Notice:
    facts = event.payload
    bot = Bot.objects.filter(pk=facts["bot_id"]).values_list("name", flat=True).first()
    named = f"Signal of bot {bot or facts['bot_id']}"
    number = f"Correlation id {facts['correlation_id']}."
    if facts["state"] == Signal.State.REFUSED:
        title = f"{named} refused: {facts['reason_code']}"
        return Notice(title, f"Nothing was sent. {number}", Alert.Severity.WARNING)
    done, failed = facts["success_count"], facts["error_count"]
    severity = Alert.Severity.WARNING if failed else Alert.Severity.INFO
    return Notice(f"{named}: {done} placed, {failed} not", number, severity)


def register_topics() -> None:
    """Called once per process when the app is ready."""
    for name, label, state in (
        ("signals_finished", "Signals: finished", Signal.State.FINISHED),
        ("signals_refused", "Signals: refused", Signal.State.REFUSED),
    ):
        register_topic(
            Topic(
                name,
                label,
                ("signal.finished",),
                _write,
                lambda payload, state=state: payload.get("state") == state,
            )
        )
