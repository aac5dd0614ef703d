"""What a person enters on the order ticket, read exactly."""

from typing import Any

from django import forms

from accounts.models import Account
from common.principal import TRADE, Principal
from surfaces.dashboard.page_form import PageForm, account_choices, exact
from trading.models.orders import OrderType, Side
from trading.services.placing import NewOrder

TIMES_IN_FORCE = (
    ("gtc", "until cancelled"),
    ("ioc", "at once or not (ioc)"),
    ("fok", "all or nothing (fok)"),
)
MODES = (
    ("", "as the account"),
    ("paper", "paper: our own fills at the real price"),
    ("shadow", "shadow: everything but the send"),
    ("live", "live"),
)
NEEDS_PRICE, NEEDS_STOP = (OrderType.LIMIT,), (OrderType.STOP_LOSS, OrderType.TAKE_PROFIT)


def tradable(principal: Principal) -> list[Account]:
    """Accounts that the person may send an order to."""
    usable = Account.objects.visible_to(principal).usable().order_by("name", "pk")
    return [account for account in usable if principal.may(TRADE, account.pk)]


class TicketForm(PageForm):
    """One order for one account; ``as_order`` is what it asks for."""

    account = forms.TypedChoiceField(coerce=int)
    symbol = forms.CharField(max_length=60, widget=forms.TextInput(attrs={"size": 16}))
    side = forms.ChoiceField(choices=Side.choices)
    type = forms.ChoiceField(choices=OrderType.choices)
    quantity = exact("Quantity", "in the base coin", required=True)
    price = exact("Limit price", "for a limit order")
    stop_price = exact("Stop price", "for a stop loss or a take profit")
    time_in_force = forms.ChoiceField(choices=TIMES_IN_FORCE, required=False)
    mode = forms.ChoiceField(choices=MODES, required=False)
    post_only = forms.BooleanField(required=False)
    reduce_only = forms.BooleanField(required=False)

    def __init__(self, accounts: list[Account], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._accounts = {account.pk: account for account in accounts}
        self.fields["account"].choices = account_choices(accounts)  # type: ignore[attr-defined]

    def clean_symbol(self) -> str:
        """In the exchange's spelling."""
        return str(self.cleaned_data["symbol"]).strip().upper()

    @property
    def chosen(self) -> Account | None:
        """The account that is chosen, or the first."""
        text = str(self["account"].value() or "")
        first = next(iter(self._accounts.values()), None)
        return self._accounts.get(int(text), first) if text.isdecimal() else first

    @property
    def account_row(self) -> Account:
        """The account of a valid form."""
        return self._accounts[self.cleaned_data["account"]]

    def as_order(self) -> NewOrder:
        """The order of a valid form; what does not belong to its type is left out."""
        asked = dict(self.cleaned_data)
        del asked["account"]
        asked["time_in_force"] = asked["time_in_force"] or "gtc"
        if asked["type"] not in NEEDS_PRICE:
            asked["price"] = None
        if asked["type"] not in NEEDS_STOP:
            asked["stop_price"] = None
        return NewOrder(**asked)
