"""Exchange accounts: changed through the services; credentials go in and never come out."""

from typing import Any

from django.contrib import admin
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import path, reverse
from django.utils.html import format_html

from accounts import services
from accounts.dead_man import notice, set_dead_man
from accounts.key_identity import key_warnings, note_key_facts
from accounts.models import Account, Balance, EquityPoint, StreamStatus
from accounts.safety import safety_of
from common.errors import Conflict
from common.principal import Principal
from trading.models import VenueCountdown
from trading.services import closing, promotion, venue_modes

from .actions import Order, confirmed_action
from .base import HistoryAdmin, ReadOnlyAdmin, ReadOnlyInline
from .forms import AccountForm, CredentialsForm, DeadManForm, service_page
from .own_pages import own_page


def _activate(account: Any, order: Order) -> None:
    services.set_status(principal=order.principal, account=account, status=Account.Status.ACTIVE)


def _suspend(account: Any, order: Order) -> None:
    services.set_status(
        principal=order.principal,
        account=account,
        status=Account.Status.SUSPENDED,
        reason=order.reason,
    )


def _change_mode(account: Any, order: Order) -> None:
    promotion.change_mode(
        principal=order.principal,
        account=account,
        mode=order.typed,
        confirm=order.typed,
        reason=order.reason,
    )


def _with_warnings(said: str, account: Account) -> str:
    return " ".join([said, *key_warnings(account)])


def _positions(position_mode: str) -> Any:
    def apply(account: Any, order: Order) -> None:
        venue_modes.change_position_mode(
            principal=order.principal, account=account, position_mode=position_mode
        )

    return apply


def _terminate(account: Any, order: Order) -> str:
    result = closing.terminate_account(principal=order.principal, account=account)
    said = (
        f"{result.cancelled_orders} orders cancelled, {result.terminated_positions} positions told "
        "to close"
    )
    if result.errors:
        left = "; ".join(
            " ".join(f"{name} {value}" for name, value in each.items()) for each in result.errors
        )
        raise Conflict(f"Not all could be ended: {left}. {said}.", code="partly_ended")
    return said


MODE_EFFECTS = {
    "live": "Their orders are really sent from now on, at an exchange with real money. Only from "
    "shadow, with nothing open.",
    "shadow": "Everything but the send, with real balances and quotes. Only from paper with "
    "nothing open, or down from live: what is open there stays and can be closed.",
    "paper": "Our own fills on a real price. What is open in the book they leave stays and can be "
    "closed.",
}
MODE_ACTIONS = tuple(
    confirmed_action(
        f"move_to_{mode}",
        title=f"Move accounts to {mode}",
        apply=_change_mode,
        permission="live",
        typed=mode,
        asks_reason=True,
        effect=effect,
    )
    for mode, effect in MODE_EFFECTS.items()
)


class BalanceInline(ReadOnlyInline):
    """What the account holds."""

    model = Balance
    fields = ("currency", "free", "used", "at")
    readonly_fields = fields


@admin.register(Account)
class AccountAdmin(HistoryAdmin):
    """Accounts with their figures; settings by form, state by action."""

    list_display = (
        "name",
        "venue",
        "book",
        "safety",
        "status",
        "balance",
        "equity",
        "quote_currency",
        "synced_at",
        "organisation",
    )
    list_filter = ("book", "status", "venue")
    list_select_related = ("organisation",)
    search_fields = ("name", "venue")
    inlines = (BalanceInline,)
    history_list_display = ("status", "name")
    actions = (
        confirmed_action(
            "activate_accounts",
            title="Activate accounts",
            apply=_activate,
            permission="manage",
            effect="Orders may be sent for these accounts again. Where a declared venue has moved, "
            "this confirms its new address.",
        ),
        confirmed_action(
            "suspend_accounts",
            title="Suspend accounts",
            apply=_suspend,
            permission="manage",
            asks_reason=True,
            effect="No order is sent for these accounts until they are activated. Positions stay.",
        ),
        confirmed_action(
            "make_netting",
            title="Make netting accounts",
            apply=_positions(Account.PositionMode.NETTING),
            permission="manage",
            effect="One position per symbol from now on. Refused while positions are open.",
        ),
        confirmed_action(
            "make_hedging",
            title="Make hedging accounts",
            apply=_positions(Account.PositionMode.HEDGE),
            permission="manage",
            effect="Every entry opens a position of its own from now on. Refused while positions "
            "are open.",
        ),
        *MODE_ACTIONS,
        confirmed_action(
            "terminate_accounts",
            title="Terminate accounts",
            apply=_terminate,
            permission="trade",
            effect="All working orders are cancelled and every position of ours is closed at the "
            "market.",
        ),
    )
    # The name is set by the form; everything else here is a reading or moved by an action.
    shown = (
        "uuid",
        "organisation",
        "venue",
        "market_type",
        "is_testnet",
        "book",
        "safety",
        "position_mode",
        "venue_position_mode",
        "dead_man",
        "status",
        "status_reason",
        "key_hint",
        "credentials_version",
        "quote_currency",
        "initial_balance",
        "balance",
        "equity",
        "synced_at",
        "sync_error",
        "created_at",
    )

    @admin.display(description="safety")
    def safety(self, account: Account) -> str:
        """Whether a lost answer about an order can be settled for certain."""
        return safety_of(account)

    @admin.display(description="dead man's switch")
    def dead_man(self, account: Account) -> str:
        """The setting, with the way to its page."""
        address = reverse("admin:accounts_account_dead_man", args=[account.pk])
        seconds = account.dead_man_seconds
        word = f"{seconds} s" if seconds else "off"
        return format_html('{} (<a href="{}">change</a>)', word, address)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        """Name and leverage, then the readings."""
        return ["name", "max_leverage", *self.as_shown(self.shown)]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        """The readings."""
        return self.as_shown(self.shown)

    def get_urls(self) -> list[Any]:
        """Beside the usual pages one that takes new credentials and one for the countdown."""
        views = {"credentials": self.credentials_view, "dead-man": self.dead_man_view}
        own = [
            path(
                f"<int:account_id>/{name}/",
                self.admin_site.admin_view(view),
                name=f"accounts_account_{name.replace('-', '_')}",
            )
            for name, view in views.items()
        ]
        return [*own, *super().get_urls()]

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """A new account, through the service."""

        def serve(principal: Principal, values: dict[str, Any]) -> str:
            account = services.create_account(principal=principal, **values)
            note_key_facts(account)
            said = f"Account {account.name} was added; its balances are read next."
            return _with_warnings(said, account)

        return service_page(
            self,
            request,
            AccountForm,
            title="Add an account",
            serve=serve,
            intro="Use a key that may trade, may not withdraw and is limited to this machine. "
            "Key and secret are encrypted at once and shown nowhere.",
        )

    @own_page("change")
    def credentials_view(self, request: HttpRequest, account_id: int) -> HttpResponse:
        """New credentials of one account."""
        account = self.get_object(request, str(account_id))
        if account is None:
            raise Http404

        def serve(principal: Principal, values: dict[str, Any]) -> str:
            changed = services.update_credentials(principal=principal, account=account, **values)
            return _with_warnings(f"Account {account.name} has new credentials.", changed)

        return service_page(
            self,
            request,
            CredentialsForm,
            title=f"New credentials of {account.name}",
            serve=serve,
            organisation_id=account.organisation_id,
            allowed=True,
        )

    @own_page("change")
    def dead_man_view(self, request: HttpRequest, account_id: int) -> HttpResponse:
        """The venue's countdown to cancelling one account's orders."""
        account = self.get_object(request, str(account_id))
        if account is None:
            raise Http404

        def serve(principal: Principal, values: dict[str, Any]) -> str:
            row = set_dead_man(principal=principal, account=account, **values)
            seconds = row.dead_man_seconds
            return f"{row.name}: dead man's switch " + (f"at {seconds} s." if seconds else "off.")

        return service_page(
            self,
            request,
            DeadManForm,
            title=f"Dead man's switch of {account.name}",
            serve=serve,
            intro=notice(account) or "The account's venue has no countdown that cancels orders.",
            organisation_id=account.organisation_id,
            allowed=True,
        )


@admin.register(Balance)
class BalanceAdmin(ReadOnlyAdmin):
    """Balances as last read."""

    organisation_path = "account__organisation"
    list_display = ("account", "currency", "free", "used", "at")
    list_filter = ("currency",)
    list_select_related = ("account",)
    search_fields = ("account__name", "currency")
    ordering = ("account_id", "currency")


@admin.register(StreamStatus)
class StreamStatusAdmin(ReadOnlyAdmin):
    """How the private streams do; a row that its holder stopped writing shows as off."""

    organisation_path = "account__organisation"
    list_display = (
        "account",
        "shown_state",
        "error",
        "reconnects",
        "connected_at",
        "told_at",
        "seen_at",
        "distrusted_at",
    )
    list_filter = ("state",)
    list_select_related = ("account",)
    search_fields = ("account__name", "account__venue")
    ordering = ("account_id",)


@admin.register(VenueCountdown)
class VenueCountdownAdmin(ReadOnlyAdmin):
    """The dead man's switches at the venues, as they were last told."""

    organisation_path = "account__organisation"
    list_display = (
        "account",
        "symbol",
        "state",
        "seconds",
        "told_at",
        "may_run_until",
        "error",
        "failures",
    )
    list_filter = ("is_held_back",)
    list_select_related = ("account",)
    search_fields = ("account__name", "symbol")
    ordering = ("account_id", "symbol")


@admin.register(EquityPoint)
class EquityPointAdmin(ReadOnlyAdmin):
    """The equity line."""

    organisation_path = "account__organisation"
    list_display = ("account", "at", "equity", "balance")
    list_select_related = ("account",)
    search_fields = ("account__name",)
    ordering = ("-id",)
