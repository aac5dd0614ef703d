"""The inbox of external trades: adopted, given to an owner, flattened, or left as they are."""

from typing import Any

from django.contrib import admin

from common.errors import Invalid
from trading.models import ExternalPosition
from trading.services import inbox

from .actions import Order as Confirmed
from .actions import confirmed_action
from .base import ReadOnlyAdmin


def _adopt(position: Any, confirmed: Confirmed) -> None:
    inbox.adopt(principal=confirmed.principal, position=position, reason=confirmed.reason)


def _assign(position: Any, confirmed: Confirmed) -> None:
    number, _, reason = confirmed.reason.partition(" ")
    if not (number.isascii() and number.isdecimal() and len(number) <= 18):
        raise Invalid("Begin with the owner's number.", fields={"reason": "a number, then why"})
    inbox.adopt(
        principal=confirmed.principal, position=position, magic_id=int(number), reason=reason
    )


def _ignore(position: Any, confirmed: Confirmed) -> None:
    inbox.ignore(principal=confirmed.principal, position=position, reason=confirmed.reason)


def _flatten(position: Any, confirmed: Confirmed) -> None:
    inbox.flatten(
        principal=confirmed.principal,
        position=position,
        reason=confirmed.reason,
        request_id=confirmed.request_id,
    )


def _adoption(position: Any) -> str:
    return inbox.preview_adoption(position).as_text()


def _closing(position: Any) -> str:
    side = "sell" if position.side == "buy" else "buy"
    return f"{side} {position.quantity.normalize():f} {position.symbol} at market"


@admin.register(ExternalPosition)
class ExternalPositionAdmin(ReadOnlyAdmin):
    """What was traded at the exchange beside the platform and is open."""

    list_display = (
        "id",
        "account",
        "symbol",
        "side",
        "quantity",
        "average_price",
        "external_order_id",
        "waits",
        "opened_at",
    )
    list_filter = ("book", "side")
    list_select_related = ("account",)
    search_fields = ("=id", "symbol", "external_order_id", "account__name")
    change_form_outer_after_template = "console/position_deals.html"
    actions = (
        confirmed_action(
            "adopt_positions",
            title="Adopt",
            apply=_adopt,
            permission="trade",
            asks_reason=True,
            preview=_adoption,
            effect="Each becomes part of the account's own position, by hand (owner 0). Nothing is "
            "sent.",
        ),
        confirmed_action(
            "assign_positions",
            title="Give to an owner",
            apply=_assign,
            permission="trade",
            asks_reason=True,
            preview=_adoption,
            effect="As adopting, as a lot of a bot or strategy: give its owner number, a space, "
            "and why. Nothing is sent.",
        ),
        confirmed_action(
            "flatten_positions",
            title="Flatten",
            apply=_flatten,
            permission="trade",
            asks_reason=True,
            preview=_closing,
            effect="A market order for the whole quantity of each is sent to its exchange.",
        ),
        confirmed_action(
            "ignore_positions",
            title="Leave as they are",
            apply=_ignore,
            permission="trade",
            asks_reason=True,
            effect="They wait no longer, and go on counting in what the account holds. One that "
            "changes again waits again.",
        ),
    )

    @admin.display(boolean=True, description="waits")
    def waits(self, position: ExternalPosition) -> bool:
        """Whether nobody has ignored it since it changed last."""
        return position.is_waiting
