"""What authenticates a bot's alerts."""

from dataclasses import dataclass, field

from common.errors import Invalid

MIN_BODY_SECRET_LENGTH = 16
MAX_BODY_SECRET_LENGTH = 200


@dataclass(frozen=True, slots=True)
class BotSecrets:
    """What authenticates a bot's alerts, in the clear this once; empty where the bot has none."""

    path_token: str = field(default="", repr=False)
    hmac_secret: str = field(default="", repr=False)


def check_secrets(*, machine_made: bool, body_secret: str) -> None:
    """Raise Invalid ``no_authentication`` where no way to authenticate is left, ``weak_secret`` for
    a body secret that is not 16 to 200 printable characters.
    """
    if not machine_made and not body_secret:
        raise Invalid("A bot needs a way to authenticate its alerts.", code="no_authentication")
    if body_secret and not (
        MIN_BODY_SECRET_LENGTH <= len(body_secret) <= MAX_BODY_SECRET_LENGTH
        and body_secret.isprintable()
    ):
        raise Invalid(
            "The secret is not usable.",
            code="weak_secret",
            fields={
                "body_secret": f"{MIN_BODY_SECRET_LENGTH} to {MAX_BODY_SECRET_LENGTH} characters"
            },
        )
