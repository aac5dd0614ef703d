"""What a person enters of a group."""

from typing import Any

from django import forms

from accounts.models import Account
from common.money import plain
from common.principal import Principal
from groups.models import Group
from groups.services import MAX_DESCRIPTION_LENGTH, SETTINGS, account_ids_of
from surfaces.dashboard.page_form import PageForm, account_choices, choices_of, exact


class GroupForm(PageForm):
    """The settings of a group and its accounts; percentages."""

    description = forms.CharField(
        required=False,
        max_length=MAX_DESCRIPTION_LENGTH,
        widget=forms.Textarea(attrs={"rows": 2}),
    )
    account_ids = choices_of("Accounts")
    risk_limit = exact("Risk limit", "% of equity that one trade may risk at most", required=True)
    max_drawdown = exact("Largest drawdown", "% below the peak of its equity", required=True)
    target_monthly_roi = exact("Target", "% a month, to compare with", required=True)

    def __init__(self, principal: Principal, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        accounts = Account.objects.visible_to(principal).order_by("name")
        self.fields["account_ids"].choices = account_choices(accounts)  # type: ignore[attr-defined]


class NewGroupForm(GroupForm):
    """A new group."""

    name = forms.CharField(max_length=32, help_text="3 to 32 letters, digits, _ or -")
    field_order = ("name", "account_ids")


def settings_of(group: Group) -> dict[str, Any]:
    """What the form shows of a group that is there."""
    return {
        "description": group.description,
        "account_ids": account_ids_of(group),
        **{name: plain(getattr(group, name)) for name in SETTINGS},
    }


def usual_settings() -> dict[str, Any]:
    """What a new group begins with."""
    return {name: plain(Group._meta.get_field(name).default) for name in SETTINGS}
