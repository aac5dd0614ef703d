"""Forms of the pages: exact numbers, secrets that stay inside, refusals at their fields."""

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any, TypeVar

from django import forms

from accounts.models import Account
from common.errors import Conflict, DomainError, Invalid
from common.money import InvalidMoney, money

Result = TypeVar("Result")


class ExactField(forms.CharField):
    """A decimal number above 0, never by way of a float."""

    def clean(self, value: Any) -> Decimal | None:
        """None where nothing was entered; raises ValidationError."""
        text = super().clean(value)
        if not text:
            return None
        try:
            number = money(text)
        except InvalidMoney as error:
            raise forms.ValidationError(str(error)) from error
        if number <= 0:
            raise forms.ValidationError("must be above 0")
        return number


def exact(label: str, help_text: str = "", *, required: bool = False, **given: Any) -> ExactField:
    """The field of an exact number."""
    widget = forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off", "size": 14})
    return ExactField(
        label=label, help_text=help_text, required=required, widget=widget, max_length=60, **given
    )


def secret(label: str, help_text: str = "", *, required: bool = True) -> forms.CharField:
    """A field whose text is never given back, not even after a mistake elsewhere in the form."""
    widget = forms.PasswordInput(render_value=False, attrs={"autocomplete": "new-password"})
    return forms.CharField(
        label=label,
        help_text=help_text,
        required=required,
        max_length=4096,
        strip=False,
        widget=widget,
    )


def choices_of(label: str, help_text: str = "") -> forms.TypedMultipleChoiceField:
    """Any number of rows by their numbers, each with a box to tick."""
    return forms.TypedMultipleChoiceField(
        label=label,
        help_text=help_text,
        coerce=int,
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )


def account_choices(accounts: Iterable[Account]) -> list[tuple[int, str]]:
    """Accounts to choose from, each with its mode and where it is."""
    return [(each.pk, f"{each.name} ({each.book}, {each.venue})") for each in accounts]


class PageForm(forms.Form):
    """A form whose input a service takes."""

    def serve(self, act: Callable[[], Result]) -> Result | None:
        """What the service gives for the valid form; None where it refuses the input, which then
        stands in the form. Other refusals go on.
        """
        try:
            return act()
        except (Invalid, Conflict) as error:
            self.take(error)
            return None

    def take(self, error: DomainError) -> None:
        """Show a refusal of the service at the fields it names, and as a whole."""
        self.add_error(None, f"{error.message} ({error.code})")
        for name, text in error.fields.items():
            if name in self.fields:
                self.add_error(name, text)
