"""Forms that hand their input to a service instead of saving a model themselves."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from unfold.widgets import (
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminPasswordWidget,
    UnfoldAdminSelectMultipleWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from accounts.books import MODES
from accounts.dead_man import LEAST_SECONDS, MOST_SECONDS
from accounts.models import Account
from bots.models import Bot
from common.errors import DomainError
from common.principal import Principal
from exchanges.venues import known_venues
from groups.models import Group
from riskmgmt.models import KillSwitch, Scope
from surfaces.webhook_address import TRADINGVIEW_ADDRESSES, TRADINGVIEW_CERTIFICATE
from users.models import Organisation

from .base import ConsoleAdmin, acting_principal


def text_field(label: str, *, required: bool = True, help_text: str = "", most: int = 120) -> Any:
    """One line of text."""
    return forms.CharField(
        label=label,
        required=required,
        max_length=most,
        help_text=help_text,
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}),
    )


def secret_field(label: str, *, required: bool = True, help_text: str = "") -> Any:
    """An input that is never given back, not even after a mistake elsewhere in the form."""
    return forms.CharField(
        label=label,
        required=required,
        max_length=4096,
        help_text=help_text,
        strip=False,
        widget=UnfoldAdminPasswordWidget(
            render_value=False, attrs={"autocomplete": "new-password"}
        ),
    )


def choice_field(label: str, choices: Any, *, required: bool = True, help_text: str = "") -> Any:
    """One of several values."""
    return forms.ChoiceField(
        label=label,
        choices=choices,
        required=required,
        help_text=help_text,
        widget=UnfoldAdminSelectWidget,
    )


def mail_field(label: str) -> Any:
    """An e-mail address."""
    return forms.EmailField(label=label, widget=UnfoldAdminTextInputWidget)


class ServiceForm(forms.Form):
    """A form within an organisation: the person's own, or one that a superuser chooses."""

    organisation = forms.ModelChoiceField(
        Organisation.objects.none(), empty_label=None, widget=UnfoldAdminSelectWidget
    )

    def __init__(self, request: Any, data: Any = None) -> None:
        super().__init__(data)
        own = request.user.organisation_id
        visible = Organisation.objects.order_by("name")
        if not request.user.is_superuser:
            visible = visible.filter(pk=own)
        self.fields["organisation"].queryset = visible  # type: ignore[attr-defined]
        self.fields["organisation"].initial = own


class AccountForm(ServiceForm):
    """A new exchange account. The three secrets go in and never come out."""

    venue = choice_field("Venue", ())
    name = text_field("Name", required=False, help_text="Empty: made from the venue.", most=80)
    api_key = secret_field("API key")
    api_secret = secret_field("API secret")
    passphrase = secret_field(
        "Passphrase", required=False, help_text="Only where the venue asks for one."
    )
    mode = choice_field(
        "Mode",
        (
            ("paper", "paper: our own fills"),
            ("shadow", "shadow: everything but the send"),
            ("live", "live: real money"),
        ),
        help_text="Declared venues and testnets are rehearsal, unless shadow is chosen.",
    )
    is_testnet = forms.BooleanField(label="Testnet", required=False, widget=UnfoldBooleanWidget)
    shared = forms.BooleanField(
        label="Shared key",
        required=False,
        help_text="Another account has the same key.",
        widget=UnfoldBooleanWidget,
    )
    initial_balance = forms.DecimalField(
        label="Initial balance",
        required=False,
        min_value=0,
        max_digits=36,
        decimal_places=18,
        help_text="In the quote currency; the baseline of results.",
        widget=UnfoldAdminDecimalFieldWidget(attrs={"step": "any"}),
    )

    def __init__(self, request: Any, data: Any = None) -> None:
        super().__init__(request, data)
        self.fields["venue"].choices = [(name, name) for name in known_venues()]  # type: ignore[attr-defined]


class CredentialsForm(forms.Form):
    """New credentials of an account."""

    api_key = secret_field("API key")
    api_secret = secret_field("API secret")
    passphrase = secret_field("Passphrase", required=False)

    def __init__(self, request: Any, data: Any = None) -> None:
        super().__init__(data)


class DeadManForm(forms.Form):
    """The countdown of an account."""

    seconds = forms.IntegerField(
        label="Seconds",
        help_text=f"0 switches it off; else {LEAST_SECONDS} to {MOST_SECONDS}. It is told again "
        "after a third of that for as long as orders rest.",
        widget=UnfoldAdminIntegerFieldWidget,
    )

    def __init__(self, request: Any, data: Any = None) -> None:
        super().__init__(data)


class BotForm(ServiceForm):
    """A new bot; its machine-made secrets are shown once, on the page after this one."""

    name = text_field("Name", most=60)
    base_name = text_field("Strategy family", required=False, most=60)
    timeframe = choice_field("Timeframe", Bot.Timeframe.choices)
    max_leverage = forms.IntegerField(
        label="Largest leverage",
        required=False,
        min_value=1,
        initial=1,
        help_text="The highest factor that its alerts may ask for.",
        widget=UnfoldAdminIntegerFieldWidget,
    )
    accounts = forms.ModelMultipleChoiceField(
        Account.objects.none(), required=False, widget=UnfoldAdminSelectMultipleWidget
    )
    groups = forms.ModelMultipleChoiceField(
        Group.objects.none(), required=False, widget=UnfoldAdminSelectMultipleWidget
    )
    with_token = forms.BooleanField(
        label="Token in the address (TradingView)",
        required=False,
        initial=True,
        widget=UnfoldBooleanWidget,
    )
    with_hmac = forms.BooleanField(
        label="HMAC signature (own tools)", required=False, initial=True, widget=UnfoldBooleanWidget
    )
    body_secret = secret_field(
        "Secret inside the alert", required=False, help_text="16 characters at least."
    )
    certificate_subject = text_field(
        "Name in the client certificate",
        required=False,
        help_text=f"{TRADINGVIEW_CERTIFICATE} is TradingView's; proves no more than who sent it.",
        most=64,
    )
    allowed_addresses = text_field(
        "Addresses that alerts may come from",
        required=False,
        help_text="With commas between; empty: any. TradingView's: "
        f"{', '.join(TRADINGVIEW_ADDRESSES)}",
        most=2000,
    )

    def __init__(self, request: Any, data: Any = None) -> None:
        super().__init__(request, data)
        for name, model in (("accounts", Account), ("groups", Group)):
            rows = model._default_manager.all()
            rows = rows.filter(deleted_at=None) if model is Account else rows
            if not request.user.is_superuser:
                rows = rows.filter(organisation_id=request.user.organisation_id)
            self.fields[name].queryset = rows  # type: ignore[attr-defined]


class SwitchForm(ServiceForm):
    """Engaging a kill switch; the level is typed as confirmation."""

    scope = choice_field("Scope", Scope.choices)
    account = forms.ModelChoiceField(
        Account.objects.none(),
        required=False,
        widget=UnfoldAdminSelectWidget,
        help_text="Only for the scope account.",
    )
    level = choice_field(
        "Level",
        KillSwitch.Level.choices,
        help_text="REDUCING refuses entries; HALTED lets only cancels pass.",
    )
    mode = choice_field(
        "Orders",
        (("", "of every mode"), *((mode, f"{mode} only") for mode in MODES)),
        required=False,
        help_text="Live orders are those that are really sent, to a rehearsal exchange too.",
    )
    reason = text_field("Reason", most=300)
    confirm = text_field("Type the level to confirm", most=10)

    def __init__(self, request: Any, data: Any = None) -> None:
        super().__init__(request, data)
        rows = Account.objects.filter(deleted_at=None)
        if not request.user.is_superuser:
            rows = rows.filter(organisation_id=request.user.organisation_id)
        self.fields["account"].queryset = rows  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        """The level must have been typed; the scope account needs an own account."""
        cleaned = super().clean() or {}
        if cleaned.get("confirm") != cleaned.get("level"):
            self.add_error("confirm", "Type the level exactly.")
        account = cleaned.get("account")
        if cleaned.get("scope") == Scope.ACCOUNT and account is None:
            self.add_error("account", "Choose the account.")
        if account and account.organisation_id != getattr(cleaned.get("organisation"), "pk", None):
            self.add_error("account", "The account belongs to another organisation.")
        return cleaned


Serve = Callable[[Principal, dict[str, Any]], HttpResponse | str]


def service_page(
    owner: ConsoleAdmin,
    request: HttpRequest,
    form_class: type[Any],
    *,
    title: str,
    serve: Serve,
    intro: str = "",
    organisation_id: int | None = None,
    allowed: bool | None = None,
) -> HttpResponse:
    """Show the form; on a valid one call ``serve`` within the chosen organisation.

    ``serve`` returns the sentence to show on the list, or a whole answer. A DomainError becomes
    errors of the form. Secret inputs are always rendered empty.
    """
    if not (owner.has_add_permission(request) if allowed is None else allowed):
        raise PermissionDenied
    form = form_class(request, request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        values = _as_taken(form)
        organisation = values.pop("organisation", None)
        principal = acting_principal(request, organisation.pk if organisation else organisation_id)
        try:
            outcome = serve(principal, values)
        except DomainError as error:
            _put_errors(form, error)
        else:
            if isinstance(outcome, HttpResponse):
                return outcome
            owner.message_user(request, outcome, messages.SUCCESS)
            return HttpResponseRedirect(_list_address(owner))
    context = {
        **owner.admin_site.each_context(request),
        "title": title,
        "form": form,
        "intro": intro,
        "opts": owner.opts,
        "list_address": _list_address(owner),
    }
    status = 422 if form.errors else 200
    answer = TemplateResponse(request, "console/service_form.html", context, status=status)
    answer["Cache-Control"] = "no-store"
    return answer


def _as_taken(form: Any) -> dict[str, Any]:
    taken = getattr(form, "as_service_takes_it", None)
    return taken() if taken else dict(form.cleaned_data)


def _list_address(owner: ConsoleAdmin) -> str:
    return reverse(f"admin:{owner.opts.app_label}_{owner.opts.model_name}_changelist")


def _put_errors(form: forms.Form, error: DomainError) -> None:
    for name, fault in error.fields.items():
        form.add_error(name if name in form.fields else None, fault)
    form.add_error(None, f"{error.message} ({error.code})")
