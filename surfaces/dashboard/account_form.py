"""What a person enters of a new account."""

from typing import Any

from django import forms

from accounts.models import Account
from exchanges.venues import declared_venues, known_venues
from surfaces.dashboard.page_form import PageForm, exact, secret

MODES = (
    ("paper", "paper: our own fills at the real price, no money"),
    ("shadow", "shadow: everything but the send"),
    ("live", "live: real money"),
)
MARKETS = (
    (Account.MarketType.SPOT, "spot"),
    (Account.MarketType.SWAP, "perpetual contracts (linear)"),
)


class AccountForm(PageForm):
    """An account at a venue; its key goes in and never comes out."""

    venue = forms.ChoiceField(label="Exchange")
    name = forms.CharField(required=False, max_length=80, help_text="empty: made from the exchange")
    api_key = secret("API key")
    api_secret = secret("API secret")
    passphrase = secret(
        "Passphrase", "where the exchange gives one with the key, as OKX, KuCoin and Bitget do",
        required=False,
    )  # fmt: skip
    mode = forms.ChoiceField(
        choices=MODES, help_text="at a rehearsal exchange or testnet no money moves in any"
    )
    market_type = forms.ChoiceField(label="Market", choices=MARKETS)
    max_leverage = forms.IntegerField(
        label="Largest leverage", help_text="contracts alone", min_value=1, initial=1
    )
    initial_balance = exact("Initial balance", "in the quote coin: the baseline of results")
    is_testnet = forms.BooleanField(label="The exchange's own testnet", required=False)
    shared = forms.BooleanField(label="Another account has the same key", required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        declared = set(declared_venues())
        self.fields["venue"].choices = [  # type: ignore[attr-defined]
            (name, f"{name} (no money)" if name in declared else name) for name in known_venues()
        ]

    def take(self, error: Any) -> None:
        """Refusals call the venue an exchange."""
        super().take(error)
        if "exchange" in error.fields:
            self.add_error("venue", error.fields["exchange"])
