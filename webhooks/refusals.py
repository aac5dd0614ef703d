"""Alerts that are not let in: one refusal for all of them outside, the reason inside."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from bots.models import Bot
from common.errors import Unauthenticated
from monitoring.alerts import raise_alert

logger = logging.getLogger(__name__)

WRONG, ENDED, ADDRESS = "wrong", "ended", "address"
NO_BOT = "no bot"
_CODES = {
    WRONG: "webhook_failures",
    ENDED: "webhook_ended_secret",
    ADDRESS: "webhook_address_refused",
}


@dataclass(frozen=True, slots=True)
class Refused:
    """Why one bot did not take an alert that named it.

    ``wrong``: nothing proved it to be the bot's. ``ended``: it shows a renewed secret that is not
    accepted any more. ``address``: it is proven, and comes from where the bot takes nothing.
    """

    bot: Bot
    reason: str

    @property
    def is_proven(self) -> bool:
        """Whether somebody who has or had a secret of the bot sent it: a person should know."""
        return self.reason != WRONG

    @property
    def subject(self) -> str:
        """What its failures are counted and told under."""
        return f"bot:{self.bot.pk}"


class NotAuthentic(Unauthenticated):
    """The one refusal of an alert, whatever the reason; ``against`` says it to ourselves, and is
    empty where no bot was named.
    """

    def __init__(self, against: Sequence[Refused] = ()) -> None:
        super().__init__("The alert is not authentic.")
        self.against = tuple(against)
        told = ", ".join(f"{each.subject} {each.reason}" for each in self.against)
        logger.warning("an alert was refused: %s", told or NO_BOT)


def tell_of(refused: Refused, *, address: str) -> None:
    """Raise the alert of a bot that had to refuse alerts; counted while it stands unresolved."""
    place = address or "an unknown address"
    name = refused.bot.name
    message = {
        WRONG: f"Many alerts for bot {name} were refused: none was proven to be the bot's. The "
        f"latest came from {place}.",
        ENDED: f"An alert for bot {name} was refused: it shows a secret that was renewed and is "
        f"not accepted any more. It came from {place}; whoever sends it needs the new secret.",
        ADDRESS: f"An alert for bot {name} was refused: it is authentic, and came from {place}, "
        "which the bot does not list. Either the list is wrong or somebody else has the secret.",
    }[refused.reason]
    raise_alert(
        _CODES[refused.reason],
        message=message,
        organisation_id=refused.bot.organisation_id,
        subject=refused.subject,
        details={"bot_id": refused.bot.pk, "address": address},
    )


def tell_of_strangers(*, address: str) -> None:
    """Raise the platform's own alert: many alerts that name no bot there is."""
    raise_alert(
        _CODES[WRONG],
        message="Many alerts were refused that name no bot or have an unknown address; the latest "
        f"came from {address or 'an unknown address'}.",
        organisation_id=None,
        subject=NO_BOT,
        details={"address": address},
    )
