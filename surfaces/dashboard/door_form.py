"""What a person enters of the way in for a bot's alerts."""

from typing import Any

from django import forms

from bots.models import BODY_SECRET, Bot
from bots.secrets import MAX_BODY_SECRET_LENGTH, MIN_BODY_SECRET_LENGTH
from bots.services.door import MAX_SUBJECT_LENGTH
from bots.services.secrets import DEFAULT_GRACE_SECONDS
from surfaces.dashboard.page_form import PageForm, secret
from surfaces.webhook_address import TRADINGVIEW_ADDRESSES, TRADINGVIEW_CERTIFICATE

HOUR, DAY = 3600, 24 * 3600
GRACES = (
    (0, "refused at once"),
    (HOUR, "accepted for one hour more"),
    (DEFAULT_GRACE_SECONDS, "accepted for 24 hours more"),
    (7 * DAY, "accepted for 7 days more"),
    (30 * DAY, "accepted for 30 days more"),
)


class DoorForm(PageForm):
    """Whose certificate a bot accepts, and from where its alerts may come."""

    certificate_subject = forms.CharField(
        label="Name in the client certificate",
        help_text="empty: certificates let nothing in",
        required=False,
        max_length=MAX_SUBJECT_LENGTH,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    allowed_addresses = forms.CharField(
        label="Addresses that alerts may come from",
        help_text="addresses and networks, one on a line; empty: from anywhere",
        required=False,
        max_length=4000,
        widget=forms.Textarea(attrs={"rows": 6, "spellcheck": "false"}),
    )

    def as_service_takes_it(self) -> dict[str, Any]:
        """The valid input; lines and commas part the addresses."""
        given = self.cleaned_data
        words = given["allowed_addresses"].replace(",", " ").split()
        return {"certificate_subject": given["certificate_subject"], "allowed_addresses": words}


def door_shown(bot: Bot, *, fill: str = "") -> dict[str, str]:
    """What the form shows; with ``fill`` TradingView's ``addresses`` beside those that are there,
    or the name in its ``certificate``.
    """
    addresses = list(bot.allowed_addresses)
    if fill == "addresses":
        addresses += [each for each in TRADINGVIEW_ADDRESSES if each not in addresses]
    usual = TRADINGVIEW_CERTIFICATE if fill == "certificate" else ""
    return {
        "certificate_subject": bot.certificate_subject or usual,
        "allowed_addresses": "\n".join(addresses),
    }


class RenewForm(PageForm):
    """A new secret, and what becomes of the one before."""

    body_secret = secret(
        "The new secret",
        f"{MIN_BODY_SECRET_LENGTH} to {MAX_BODY_SECRET_LENGTH} characters; empty: one is made",
        required=False,
    )
    grace_seconds = forms.TypedChoiceField(
        label="The one before is",
        choices=GRACES,
        coerce=int,
        initial=DEFAULT_GRACE_SECONDS,
    )

    def __init__(self, bot: Bot, kind: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if kind != BODY_SECRET:
            del self.fields["body_secret"]
        if kind not in bot.auth_modes:
            self.fields["grace_seconds"].widget = forms.HiddenInput()
            self.fields["grace_seconds"].required = False
            self.fields["grace_seconds"].empty_value = 0  # type: ignore[attr-defined]
