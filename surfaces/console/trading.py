"""The ledger: read-only; orders are cancelled and positions closed through the services."""

from typing import Any

from django.contrib import admin
from import_export.resources import ModelResource

from common.errors import Conflict
from trading.models import (
    CashFlow,
    Command,
    Deal,
    Execution,
    Lot,
    MagicCounter,
    Order,
    OrderEvent,
    Position,
    TradeCursor,
    TransferCursor,
)
from trading.services import agreement, blind, closing

from .actions import Order as Confirmed
from .actions import confirmed_action
from .base import ExportAdmin, ReadOnlyAdmin, ReadOnlyInline

OF_ACCOUNT = "account__organisation"


class OrderResource(ModelResource):
    """The columns of an exported order."""

    class Meta:
        model = Order
        fields = (
            "id",
            "account__name",
            "book",
            "symbol",
            "side",
            "type",
            "quantity",
            "price",
            "stop_price",
            "state",
            "filled_quantity",
            "average_price",
            "magic_id",
            "reason",
            "client_order_id",
            "exchange_order_id",
            "error_code",
            "created_at",
            "finished_at",
        )
        export_order = fields


class DealResource(ModelResource):
    """The columns of an exported deal."""

    class Meta:
        model = Deal
        fields = (
            "id",
            "account__name",
            "book",
            "order",
            "position",
            "symbol",
            "side",
            "entry",
            "quantity",
            "price",
            "fee",
            "fee_currency",
            "fee_quote",
            "net_quantity",
            "realised",
            "magic_id",
            "reason",
            "exchange_trade_id",
            "executed_at",
        )
        export_order = fields


def _cancel(order: Any, confirmed: Confirmed) -> None:
    closing.cancel_order(
        principal=confirmed.principal, order=order, request_id=confirmed.request_id
    )


def _accept_mismatch(cursor: Any, confirmed: Confirmed) -> None:
    agreement.accept_mismatch(
        principal=confirmed.principal, account=cursor.account, symbol=cursor.symbol
    )


def _close(position: Any, confirmed: Confirmed) -> None:
    if position.state != Position.State.OPEN:
        raise Conflict("The position is closed already.", code="position_not_found")
    closing.close_position(
        principal=confirmed.principal,
        account=position.account,
        symbol=position.symbol,
        position_id=position.pk,
        request_id=confirmed.request_id,
    )


def _never_placed(order: Any, confirmed: Confirmed) -> None:
    blind.settle_by_operator(
        principal=confirmed.principal, order=order, exchange_order_id="", reason=confirmed.reason
    )


def _placed_as(order: Any, confirmed: Confirmed) -> None:
    exchange_order_id, _, reason = confirmed.reason.partition(" ")
    blind.settle_by_operator(
        principal=confirmed.principal,
        order=order,
        exchange_order_id=exchange_order_id,
        reason=reason,
    )


@admin.register(Order)
class OrderAdmin(ExportAdmin):
    """Orders; each page shows how it was decided and every step since."""

    resource_classes = (OrderResource,)
    list_display = (
        "id",
        "account",
        "symbol",
        "side",
        "type",
        "quantity",
        "filled_quantity",
        "average_price",
        "state",
        "error_code",
        "created_at",
    )
    list_filter = ("state", "book", "side", "type")
    list_select_related = ("account",)
    search_fields = ("=id", "client_order_id", "exchange_order_id", "symbol", "account__name")
    change_form_outer_after_template = "console/order_trace.html"
    actions = (
        confirmed_action(
            "cancel_orders",
            title="Cancel orders",
            apply=_cancel,
            permission="trade",
            effect="Each order is cancelled at its venue, or withdrawn where it was not sent yet.",
        ),
        confirmed_action(
            "settle_as_not_placed",
            title="Settle: it was not placed",
            apply=_never_placed,
            permission="trade",
            asks_reason=True,
            effect="An order in NEEDS_OPERATOR counts as never placed; its symbol opens again.",
        ),
        confirmed_action(
            "settle_as_placed",
            title="Settle: it was placed",
            apply=_placed_as,
            permission="trade",
            asks_reason=True,
            effect="Give the exchange's order id, a space, and how you know. It is asked for "
            "at the exchange and takes over what became of it.",
        ),
    )


@admin.register(OrderEvent)
class OrderEventAdmin(ReadOnlyAdmin):
    """Every change of an order's state."""

    organisation_path = "order__organisation"
    list_display = ("id", "order_id", "old_state", "new_state", "cause", "at")
    list_filter = ("new_state",)
    search_fields = ("=order__id", "cause")
    ordering = ("-id",)


@admin.register(Command)
class CommandAdmin(ReadOnlyAdmin):
    """What was asked for, with the decision."""

    list_display = ("id", "account", "kind", "state", "reason_code", "principal_key", "created_at")
    list_filter = ("state", "kind", "reason_code")
    list_select_related = ("account",)
    search_fields = ("request_id", "account__name", "reason_code", "principal_key")


class LegInline(ReadOnlyInline):
    """The legs of an execution."""

    model = Command
    fields = ("account", "attempt", "kind", "state", "reason_code", "created_at")
    readonly_fields = fields

    def get_queryset(self, request: Any) -> Any:
        """With the accounts in the same query."""
        return super().get_queryset(request).select_related("account")


@admin.register(Execution)
class ExecutionAdmin(ReadOnlyAdmin):
    """Fan-outs with their legs."""

    list_display = ("correlation_id", "source", "source_ref", "actor", "organisation", "created_at")
    list_filter = ("source",)
    list_select_related = ("organisation",)
    search_fields = ("correlation_id", "source_ref", "actor")
    inlines = (LegInline,)


@admin.register(Deal)
class DealAdmin(ExportAdmin):
    """Executions as facts."""

    resource_classes = (DealResource,)
    list_display = (
        "id",
        "account",
        "symbol",
        "side",
        "quantity",
        "price",
        "fee",
        "fee_currency",
        "realised",
        "executed_at",
    )
    list_filter = ("book", "side", "entry", "reason")
    list_select_related = ("account",)
    search_fields = ("=id", "exchange_trade_id", "symbol", "account__name")


@admin.register(CashFlow)
class CashFlowAdmin(ReadOnlyAdmin):
    """Funding, deposits and withdrawals."""

    list_display = (
        "id",
        "account",
        "symbol",
        "reason",
        "amount",
        "currency",
        "value",
        "executed_at",
        "note",
    )
    list_filter = ("book", "reason")
    list_select_related = ("account",)
    search_fields = ("=id", "exchange_id", "symbol", "account__name")


class LotInline(ReadOnlyInline):
    """Each owner's share."""

    model = Lot
    fields = ("magic_id", "quantity", "average_price", "realised", "fees")
    readonly_fields = fields


@admin.register(Position)
class PositionAdmin(ReadOnlyAdmin):
    """Positions with their lots."""

    list_display = (
        "id",
        "account",
        "symbol",
        "side",
        "quantity",
        "average_price",
        "realised",
        "state",
        "protection",
        "opened_at",
        "closed_at",
    )
    list_filter = ("state", "protection", "book", "allocated")
    list_select_related = ("account",)
    search_fields = ("=id", "symbol", "account__name")
    inlines = (LotInline,)
    change_form_outer_after_template = "console/position_deals.html"
    actions = (
        confirmed_action(
            "close_positions",
            title="Close positions",
            apply=_close,
            permission="trade",
            effect="A reduce-only market order for the whole quantity of each position is sent.",
        ),
    )


@admin.register(Lot)
class LotAdmin(ReadOnlyAdmin):
    """Owners' shares of positions."""

    organisation_path = "position__organisation"
    list_display = ("position", "magic_id", "quantity", "average_price", "realised", "fees")
    list_select_related = ("position",)
    search_fields = ("=magic_id", "position__symbol")
    ordering = ("-id",)


@admin.register(TradeCursor)
class TradeCursorAdmin(ReadOnlyAdmin):
    """How far trades have been imported."""

    organisation_path = OF_ACCOUNT
    list_display = ("account", "symbol", "since_ms", "checked_at", "mismatch_count", "mismatch")
    list_select_related = ("account",)
    search_fields = ("account__name", "symbol")
    ordering = ("account_id", "symbol")
    actions = (
        confirmed_action(
            "accept_mismatches",
            title="Accept the differences",
            apply=_accept_mismatch,
            permission="risk",
            effect="Entries pass again although ledger and exchange differ; another difference "
            "stops them anew.",
        ),
    )


@admin.register(MagicCounter)
class MagicCounterAdmin(ReadOnlyAdmin):
    """The last owner numbers."""

    list_display = ("organisation", "last")
    list_select_related = ("organisation",)


@admin.register(TransferCursor)
class TransferCursorAdmin(ReadOnlyAdmin):
    """Whether deposits and withdrawals are told by the venue."""

    organisation_path = OF_ACCOUNT
    list_display = ("account", "checked_at", "error")
    list_select_related = ("account",)
    search_fields = ("account__name", "error")
    ordering = ("account_id",)
