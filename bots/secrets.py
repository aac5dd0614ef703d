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


def check_body_secret(body_secret: str) -> None:
    """Raise Invalid ``weak_secret`` for what is not 16 to 200 printable characters."""
    if not (
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
