"""Specification 000's dialect: integer ids, decimals as text, refusals as ``{"detail": {…}}``."""

from decimal import Decimal
from typing import Any

from rest_framework.exceptions import AuthenticationFailed, NotAuthenticated
from rest_framework.request import Request

from accounts.models import Account
from common.clock import iso
from common.errors import Invalid, NotFound, Unauthenticated
from common.money import plain
from common.principal import Principal
from surfaces.base import DialectView
from surfaces.lookups import whole_parameter
from trading.models import Deal, Order, Position
from trading.services.command_batch import ItemResult
from trading.states import STATES

# What 000 calls a refusal, where it has a word of its own; ours stands beside it as ``reason``.
CODES = {
    "invalid": "validation_error",
    "order_finished": "invalid_order_state",
    "order_not_mutable": "invalid_order_state",
}
_RISK = "denied_"


class CommandView(DialectView):
    """The base of every view of 000; a key in ``x-api-key`` is the usual credential."""

    def perform_authentication(self, request: Request) -> None:
        """Raises Unauthenticated ``invalid_api_key``, and what the base raises."""
        try:
            super().perform_authentication(request)
        except AuthenticationFailed as error:
            raise Unauthenticated(str(error.detail), code="invalid_api_key") from error

    def check_permissions(self, request: Request) -> None:
        """Raises Unauthenticated ``missing_api_key``, and what the base raises."""
        try:
            super().check_permissions(request)
        except NotAuthenticated as error:
            raise Unauthenticated("An API key is required.", code="missing_api_key") from error


def account_of(principal: Principal, number: int) -> Account:
    """The account of that number; raises NotFound, alike for missing and foreign ones."""
    account = Account.objects.visible_to(principal).filter(pk=number).first()
    if account is None:
        raise NotFound("There is no such account.", code="account_not_found")
    return account


def account_parameter(view: DialectView, request: Request) -> Account:
    """The account that ``?account_id=`` names, which every list needs; raises Invalid, NotFound."""
    if "account_id" not in request.query_params:
        raise Invalid("An account must be named.", fields={"account_id": "is required"})
    return account_of(view.principal, whole_parameter(request, "account_id", 0, least=1))


def shown_result(result: ItemResult) -> dict[str, Any]:
    """What became of one item of a batch."""
    mode = result.details.get("mode") if result.ok else None
    return {
        "index": result.index,
        "ok": result.ok,
        "request_id": result.request_id or None,
        "command_id": result.command_id,
        "order_id": result.order_id,
        "error": None if result.ok else _shown_error(result),
        **({"mode": mode} if mode else {}),
    }


def _shown_error(result: ItemResult) -> dict[str, Any]:
    code = "risk_blocked" if result.code.startswith(_RISK) else CODES.get(result.code, result.code)
    error: dict[str, Any] = {"code": code, "message": result.message}
    if code != result.code:
        error["reason"] = result.code
    if result.fields:
        error["fields"] = result.fields
    return {**error, "details": result.details} if result.details else error


def _text(value: Decimal | None) -> str | None:
    return None if value is None else plain(value)


def shown_order(order: Order) -> dict[str, Any]:
    """An order's row."""
    state = STATES[order.state]
    return {
        "id": order.pk,
        "account_id": order.account_id,
        "symbol": order.symbol,
        "side": order.side,
        "order_type": order.type,
        "status": state.words.spec_000,
        "state": order.state,
        "outcome": state.words.outcome,
        "magic_id": order.magic_id,
        "position_id": order.position_id or 0,
        "reason": order.reason,
        "command_id": order.command_id,
        "client_order_id": order.client_order_id,
        "exchange_order_id": order.exchange_order_id or None,
        "replaces": order.replaces_id,
        "qty": plain(order.quantity),
        "price": _text(order.price),
        "stop_price": _text(order.stop_price),
        "time_in_force": order.time_in_force,
        "reduce_only": order.reduce_only,
        "filled_qty": plain(order.filled_quantity),
        "avg_fill_price": _text(order.average_price),
        "error_code": order.error_code or None,
        "created_at": iso(order.created_at),
        "updated_at": iso(order.updated_at),
        "closed_at": iso(order.finished_at) if order.finished_at else None,
    }


def shown_deal(deal: Deal) -> dict[str, Any]:
    """A deal's row; ``pnl`` is the result it booked, before fees."""
    return {
        "id": deal.pk,
        "account_id": deal.account_id,
        "order_id": deal.order_id,
        "position_id": deal.position_id or 0,
        "symbol": deal.symbol,
        "side": deal.side,
        "entry": deal.entry,
        "qty": plain(deal.quantity),
        "net_qty": plain(deal.net_quantity),
        "price": plain(deal.price),
        "fee": plain(deal.fee),
        "fee_currency": deal.fee_currency or None,
        "pnl": plain(deal.realised),
        "magic_id": deal.magic_id,
        "reason": deal.reason,
        "reconciled": deal.reconciled,
        "exchange_trade_id": deal.exchange_trade_id or None,
        "created_at": iso(deal.created_at),
        "executed_at": iso(deal.executed_at),
    }


def shown_position(position: Position) -> dict[str, Any]:
    """A position's row; ``reconciled`` says that somebody owns it. ``reason`` follows from that."""
    return {
        "id": position.pk,
        "account_id": position.account_id,
        "symbol": position.symbol,
        "side": position.side,
        "qty": plain(position.quantity),
        "avg_price": plain(position.average_price),
        "state": position.state,
        "protection": position.protection,
        "reason": "api" if position.allocated else "external",
        "reconciled": position.allocated,
        "entry_price": plain(position.entry_price),
        "exit_price": plain(position.exit_price),
        "realised_pnl": plain(position.realised),
        "fees": plain(position.fees),
        "opened_at": iso(position.opened_at),
        "updated_at": iso(position.updated_at),
        "closed_at": iso(position.closed_at) if position.closed_at else None,
    }
