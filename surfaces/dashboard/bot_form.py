"""What a person enters of a bot."""

from typing import Any

from django import forms

from accounts.models import Account
from bots.models import Bot
from common.principal import Principal
from groups.models import Group
from surfaces.dashboard.page_form import PageForm, account_choices, choices_of

STATUSES = (
    (Bot.Status.PAUSED, "paused: entries are refused until you activate it"),
    (Bot.Status.ACTIVE, "active: its signals are executed at once"),
)


class ConnectionsForm(PageForm):
    """The groups and accounts that a bot's signals reach; each account once, however often."""

    group_ids = choices_of("Groups")
    account_ids = choices_of("Single accounts")

    def __init__(self, principal: Principal, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        accounts = Account.objects.visible_to(principal).order_by("name")
        groups = Group.objects.visible_to(principal).order_by("name")
        self.fields["account_ids"].choices = account_choices(accounts)  # type: ignore[attr-defined]
        self.fields["group_ids"].choices = [  # type: ignore[attr-defined]
            (group.pk, group.name) for group in groups
        ]


class BotForm(ConnectionsForm):
    """A new bot, with the usual ways to know its alerts."""

    name = forms.CharField(
        max_length=60, help_text="alerts name it", widget=forms.TextInput(attrs={"size": 30})
    )
    base_name = forms.CharField(label="Strategy family", required=False, max_length=60)
    timeframe = forms.ChoiceField(
        choices=[(each, each) for each in Bot.Timeframe.values], initial=Bot.Timeframe.H1.value
    )
    status = forms.ChoiceField(choices=STATUSES)
    max_leverage = forms.IntegerField(
        label="Largest leverage", help_text="contracts alone", min_value=1, initial=1
    )
    with_token = forms.BooleanField(
        label="Address with a token, for TradingView", required=False, initial=True
    )
    with_hmac = forms.BooleanField(
        label="HMAC secret, for own tools and relays", required=False, initial=True
    )
    field_order = (
        "name",
        "group_ids",
        "account_ids",
        "timeframe",
        "base_name",
        "status",
        "max_leverage",
        "with_token",
        "with_hmac",
    )
