"""Forms around people: new organisations, people, keys, and acts that want a reason."""

from datetime import timedelta
from typing import Any

from django import forms
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectMultipleWidget,
    UnfoldAdminSelectWidget,
    UnfoldBooleanWidget,
)

from accounts.models import Account
from common.clock import now
from users.models import Role, User
from users.permissions import SCOPES

from .forms import ServiceForm, choice_field, mail_field, secret_field, text_field


class OrganisationForm(forms.Form):
    """A new tenant."""

    name = text_field("Name", most=80, help_text="Typed to confirm dangerous acts.")
    base_currency = text_field("Base currency", most=10, help_text="Values the equity.")

    def __init__(self, request: Any, data: Any = None) -> None:
        super().__init__(data, initial={"base_currency": "USDT"})


class UserForm(ServiceForm):
    """A new person."""

    username = text_field("User name", most=80)
    email = mail_field("E-mail")
    role = choice_field(
        "Role",
        Role.choices,
        help_text="admin: everything in the organisation; trader: reads and trades; exporter: "
        "reads and exports; viewer: reads.",
    )
    is_staff = forms.BooleanField(
        label="May enter the console", required=False, widget=UnfoldBooleanWidget
    )
    password = secret_field("Password", help_text="12 characters at least.")


class KeyForm(forms.Form):
    """A new key of a person."""

    user = forms.ModelChoiceField(
        User.objects.none(),
        empty_label=None,
        widget=UnfoldAdminSelectWidget,
        help_text="The key acts for this person and never may more than it.",
    )
    label = text_field("Label", most=80, help_text="What or where it is used.")
    role = choice_field("Role", [("", "the person's own"), *Role.choices], required=False)
    scopes = forms.MultipleChoiceField(
        choices=[(scope, scope) for scope in SCOPES],
        required=False,
        widget=UnfoldAdminSelectMultipleWidget,
        help_text="None chosen: all that the role may, but for people and keys (users).",
    )
    accounts = forms.ModelMultipleChoiceField(
        Account.objects.none(),
        required=False,
        widget=UnfoldAdminSelectMultipleWidget,
        help_text="None chosen: every account that the person reaches.",
    )
    days = forms.IntegerField(
        label="Days until it expires",
        required=False,
        min_value=1,
        max_value=3660,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text="Empty: never.",
    )

    def __init__(self, request: Any, data: Any = None) -> None:
        super().__init__(data, initial={"user": request.GET.get("user")})
        people = User.objects.filter(is_active=True).order_by("username")
        accounts = Account.objects.filter(deleted_at=None).order_by("name")
        if not request.user.is_superuser:
            own = request.user.organisation_id
            people = people.filter(organisation_id=own, is_superuser=False)
            accounts = accounts.filter(organisation_id=own)
        self.fields["user"].queryset = people  # type: ignore[attr-defined]
        self.fields["accounts"].queryset = accounts  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        """Accounts of the person's own organisation only."""
        cleaned = super().clean() or {}
        user = cleaned.get("user")
        for account in cleaned.get("accounts") or ():
            if user and account.organisation_id != user.organisation_id:
                self.add_error("accounts", f"{account} belongs to another organisation.")
        return cleaned

    def as_service_takes_it(self) -> dict[str, Any]:
        """Keyword arguments of ``create_api_key``."""
        values = self.cleaned_data
        days = values["days"]
        return {
            "user": values["user"],
            "label": values["label"],
            "role": values["role"] or None,
            "scopes": values["scopes"] or None,
            "account_ids": [account.pk for account in values["accounts"]] or None,
            "expires_at": now() + timedelta(days=days) if days else None,
        }


class ReasonForm(forms.Form):
    """An act on one row that wants a reason."""

    reason = text_field("Reason", most=200, required=False, help_text="Kept in the audit.")

    def __init__(self, request: Any, data: Any = None) -> None:
        super().__init__(data)


class ConfirmForm(forms.Form):
    """An act on one row; sending the form confirms it."""

    def __init__(self, request: Any, data: Any = None) -> None:
        super().__init__(data)
