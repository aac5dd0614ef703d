"""``/api/v1/trading/*`` of 001: group orders, closed positions, closing and terminating."""

from typing import Any

from django.conf import settings
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import Account
from common.clock import iso
from common.principal import Principal
from groups.models import Group
from reports.accounts import closed_positions
from surfaces.fields import StrictInput
from surfaces.idempotency import idempotency_key
from surfaces.limits import Bucket
from surfaces.lookups import DEFAULT_PAGE, find, whole_parameter
from surfaces.management.dialect import ManagementView
from surfaces.management.serializers import CloseInput, ExecuteInput
from surfaces.policy import Policy
from surfaces.rendering import number
from trading.models import Execution, Position
from trading.services.closing import close_position, terminate_account
from trading.services.fan_out import GroupOrder, group_execution, retry_failed
from trading.services.legs import (
    PLACED,
    REJECTED,
    SKIPPED,
    UNKNOWN,
    await_answers,
    counts,
    legs,
    statuses,
    tally,
    wait_for_legs,
)
from trading.services.minimum import enough

MAX_POSITIONS = 500


class AccountTradingView(ManagementView):
    """A view about the trading of the account its path names."""

    def account(self, account_id: str) -> Account:
        """The account; raises NotFound, alike for missing and foreign ones."""
        return find(Account.objects.visible_to(self.principal), account_id, what="account")


class ExecuteView(ManagementView):
    """One order for every account of a group."""

    policy = Policy.MANAGE
    inputs = {"POST": ExecuteInput}
    has_key = True

    def post(self, request: Request, group_id: str) -> Response:
        """What became of each account's leg within two seconds.

        A leg of unknown outcome or still pending counts as neither success nor error. The header
        Idempotency-Key makes a repeat answer with the first execution.
        """
        given = self.input()
        group = find(Group.objects.visible_to(self.principal), group_id, what="group")
        execution = group_execution(
            principal=self.principal,
            group=group,
            order=GroupOrder(
                symbol=given["symbol"],
                side=given["side"],
                order_type=given["order_type"],
                risk_percentage=given["risk_percentage"],
                leverage=given["leverage"],
                take_profit=given.get("take_profit", ""),
                stagger_seconds=given["stagger_seconds"],
                max_slippage=given.get("max_slippage"),
                min_success=given.get("min_success"),
                abort_on_first_reject=given["abort_on_first_reject"],
            ),
            idempotency_key=idempotency_key(request),
        )
        await_answers(execution, settings.WEBHOOK_WAIT_SECONDS)
        return Response(_told(execution, self.principal))


class ExecutionView(ManagementView):
    """A group's execution."""

    policy = Policy.AUTHENTICATED

    def get(self, request: Request, execution_id: str) -> Response:
        """Each account's leg as its last attempt stands now."""
        return Response(_told(_execution(self.principal, execution_id), self.principal))


class RetryView(ManagementView):
    """Try the failed legs of a group's execution again."""

    policy = Policy.MANAGE
    inputs = {"POST": StrictInput}
    has_key = True

    def post(self, request: Request, execution_id: str) -> Response:
        """How many legs were tried again, and each leg within two seconds.

        Only legs that placed nothing are: never one that is pending, unknown, or was at the
        exchange. The header Idempotency-Key makes a repeat try nothing further.
        """
        self.input()
        execution = _execution(self.principal, execution_id)
        retried = retry_failed(
            principal=self.principal,
            execution=execution,
            idempotency_key=idempotency_key(request),
        )
        await_answers(execution, settings.WEBHOOK_WAIT_SECONDS)
        return Response({"retried": retried, **_told(execution, self.principal)})


class ClosedPositionsView(AccountTradingView):
    """The account's latest closed positions."""

    policy = Policy.AUTHENTICATED
    is_array = True
    query = {
        "GET": {"limit": f"{DEFAULT_PAGE} rows, or as many as this says, {MAX_POSITIONS} at most."}
    }

    def get(self, request: Request, account_id: str) -> Response:
        """A bare array, the newest first; ``limit`` is capped at 500."""
        limit = min(whole_parameter(request, "limit", DEFAULT_PAGE, least=1), MAX_POSITIONS)
        account = self.account(account_id)
        rows = closed_positions(self.principal, account, limit=limit)
        return Response([_closed(row) for row in rows])


class ClosePositionView(AccountTradingView):
    """Close what the account holds of a symbol."""

    policy = Policy.MANAGE
    bucket = Bucket.SAFETY
    inputs = {"POST": CloseInput}
    has_key = True

    def post(self, request: Request, account_id: str) -> Response:
        """404 without a position, 409 while it is being closed; else what is known after two
        seconds."""
        given = self.input()
        execution = close_position(
            principal=self.principal,
            account=self.account(account_id),
            symbol=given["symbol"],
            order_type=given["order_type"],
            request_id=idempotency_key(request),
        )
        legs = wait_for_legs(execution, settings.WEBHOOK_WAIT_SECONDS)
        failed = [leg for leg in legs if leg.status in (REJECTED, SKIPPED)]
        placed = bool(legs) and all(leg.status == PLACED for leg in legs)
        message = failed[0].message if failed else "Position closed" if placed else "Close pending"
        return Response(
            {
                "success": not failed,
                "message": message,
                "symbol": given["symbol"],
                "correlation_id": execution.correlation_id,
                "results": [leg.as_json() for leg in legs],
            }
        )


class TerminateAccountView(AccountTradingView):
    """Cancel the account's orders and close its positions."""

    policy = Policy.MANAGE
    bucket = Bucket.SAFETY
    inputs = {"POST": StrictInput}

    def post(self, request: Request, account_id: str) -> Response:
        """How many positions were closed, and each fault."""
        self.input()
        result = terminate_account(principal=self.principal, account=self.account(account_id))
        return Response(
            {
                "success": not result.errors,
                "terminated_positions": result.terminated_positions,
                "errors": result.errors,
            }
        )


def _execution(principal: Principal, execution_id: str) -> Execution:
    """A group's execution; raises NotFound, alike for missing and foreign ones."""
    rows = Execution.objects.visible_to(principal).of_groups()
    return find(rows, execution_id, what="execution")


def _told(execution: Execution, reader: Principal) -> dict[str, Any]:
    """001's answer with the count of every status, and the accounts whose outcome is unknown."""
    found = legs(execution, reader)
    succeeded, failed = counts(found)
    return {
        "success_count": succeeded,
        "error_count": failed,
        "counts": tally(found),
        "min_success_met": enough(execution, statuses(execution)),
        "unknown_accounts": [str(leg.account_id) for leg in found if leg.status == UNKNOWN],
        "results": [leg.as_json() for leg in found],
        "execution_id": str(execution.pk),
        "group_id": execution.source_ref,
        "requested": execution.requested,
        "created_at": iso(execution.created_at),
        "correlation_id": execution.correlation_id,
    }


def _closed(position: Position) -> dict[str, Any]:
    return {
        "id": str(position.pk),
        "symbol": position.symbol,
        "side": "long" if position.side == "buy" else "short",
        "size": number(position.entered_quantity),
        "entry_price": number(position.entry_price),
        "exit_price": number(position.exit_price),
        "pnl": number(position.realised),
        "fee": number(position.fees),
        "opened_at": iso(position.opened_at),
        "closed_at": iso(position.closed_at) if position.closed_at else None,
    }
