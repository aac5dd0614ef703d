"""What a person chooses for the message of an alert, and the sample it is tried out with."""

from typing import Any

from django import forms

from common.errors import Invalid
from common.money import InvalidMoney
from surfaces.dashboard.page_form import PageForm, exact
from trading.brackets import as_level
from webhooks.alerts import parse_symbol
from webhooks.kinds import LADDER, TARGET
from webhooks.message import (
    BUY,
    CLOSE,
    IN_BASE,
    IN_QUOTE,
    LIMIT,
    MARKET,
    PERCENT,
    SELL,
    STRATEGY,
    Wish,
)

SIDES = (
    (STRATEGY, "what the strategy orders, or holds for a target"),
    (BUY, "buy"),
    (SELL, "sell"),
    (CLOSE, "close what the bot holds"),
)
UNITS = (
    (PERCENT, "% of each account's equity"),
    (IN_QUOTE, "of the quote coin (USDT)"),
    (IN_BASE, "of the base coin (BTC)"),
)
TYPES = (
    (MARKET, "market"),
    (LIMIT, "limit, at the price of the alert"),
    (TARGET, "target: hold so much in the end, whatever came before"),
    (LADDER, "ladder: waiting entries are called back first"),
)
ACTIONS = ((BUY, "buy"), (SELL, "sell"))
MOST_LEVERAGE = 100
LONGEST_MESSAGE = 8000


class LevelField(forms.CharField):
    """A price, or a percentage as in ``3%``."""

    def clean(self, value: Any) -> str:
        """The text the ledger keeps, empty for none; raises ValidationError."""
        try:
            return as_level(super().clean(value))
        except InvalidMoney as error:
            raise forms.ValidationError(str(error)) from error


class SymbolField(forms.CharField):
    """A symbol in any spelling that an alert may have."""

    def clean(self, value: Any) -> str:
        """The text as it was entered; raises ValidationError."""
        text: str = super().clean(value).strip()
        if text:
            try:
                parse_symbol(text)
            except Invalid as error:
                raise forms.ValidationError("is not a symbol like BTCUSDT or BTC/USDT") from error
        return text


def _level(label: str, help_text: str) -> LevelField:
    widget = forms.TextInput(attrs={"autocomplete": "off", "size": 10})
    return LevelField(
        label=label, help_text=help_text, required=False, max_length=40, widget=widget
    )


def _symbol(label: str, help_text: str = "", **given: Any) -> SymbolField:
    widget = forms.TextInput(attrs={"autocomplete": "off", "size": 16})
    return SymbolField(label=label, help_text=help_text, max_length=60, widget=widget, **given)


class MessageForm(PageForm):
    """The choices behind a message; ``as_wish`` is what they ask for."""

    side = forms.ChoiceField(label="Act", choices=SIDES)
    size = exact(
        "Size",
        "an exit without an amount closes all of it, a target without one holds as many coins as"
        " the strategy does",
    )
    size_unit = forms.ChoiceField(label="Unit of the size", choices=UNITS)
    symbol = _symbol("Symbol", "empty: that of the chart", required=False)
    order_type = forms.ChoiceField(label="Order", choices=TYPES)
    take_profit = _level("Take profit", "3% of the fill price, or a price")
    stop_loss = _level("Stop loss", "2% or a price; a size in % is then what a stop would lose")
    leverage = forms.IntegerField(
        label="Leverage", help_text="contracts alone", min_value=1, max_value=MOST_LEVERAGE
    )

    USUAL = {
        "side": STRATEGY,
        "size": "2",
        "size_unit": PERCENT,
        "symbol": "",
        "order_type": MARKET,
        "take_profit": "",
        "stop_loss": "",
        "leverage": "1",
    }

    def clean(self) -> dict[str, Any]:
        """All needs a size but a close, and a target that follows the strategy; a ladder needs its
        take-profit.
        """
        cleaned = super().clean() or {}
        side, kind = cleaned.get("side"), cleaned.get("order_type")
        may_lack_size = side == CLOSE or (side == STRATEGY and kind == TARGET)
        if side and not may_lack_size and not cleaned.get("size") and "size" not in self.errors:
            self.add_error("size", "An entry needs a size.")
        is_bare = not cleaned.get("take_profit") and "take_profit" not in self.errors
        if kind == LADDER and side != CLOSE and is_bare:
            self.add_error("take_profit", "A ladder needs a take-profit.")
        return cleaned

    def as_wish(self) -> Wish:
        """The wish of a valid form."""
        return Wish(**self.cleaned_data)


class SampleForm(PageForm):
    """A message, and what TradingView would put in the place of its placeholders."""

    message = forms.CharField(
        label="Message",
        max_length=LONGEST_MESSAGE,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 9, "spellcheck": "false"}),
    )
    symbol = _symbol("Symbol of the chart")
    action = forms.ChoiceField(label="Order of the strategy", choices=ACTIONS)
    price = exact("Price", "where the message has one")

    USUAL = {"symbol": "BTCUSDT", "action": BUY, "price": ""}
