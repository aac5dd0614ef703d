"""``/api/v1/accounts/*``."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from accounts.dead_man import countdown_of, notice, set_dead_man
from accounts.key_identity import key_warnings, note_key_facts
from accounts.models import Account, StreamStatus
from accounts.safety import safety_of
from accounts.services import create_account, update_credentials
from common.errors import DomainError
from common.principal import Principal
from groups.models import Group
from groups.services import add_accounts
from reports.accounts import AccountDetail, Results, details_of
from surfaces.fields import StrictInput
from surfaces.lookups import find, page_of
from surfaces.management.dialect import ManagementView
from surfaces.management.serializers import (
    CreateAccountInput,
    CredentialsInput,
    DeadManInput,
    DeleteAccountInput,
    GroupIdInput,
)
from surfaces.policy import Policy
from surfaces.rendering import moment, number
from trading.models import VenueCountdown
from trading.services.reconcile import sync_account
from trading.services.retire import delete_account


class AccountView(ManagementView):
    """A view about the account its path names."""

    def account(self, account_id: str) -> Account:
        """The account; raises NotFound, alike for missing and foreign ones."""
        return find(Account.objects.visible_to(self.principal), account_id, what="account")


class CreateAccountView(ManagementView):
    """Create an account with its credentials."""

    policy = Policy.MANAGE
    inputs = {"POST": CreateAccountInput}

    def post(self, request: Request) -> Response:
        """The new account. With ``verify`` its venue is read once; a fault of it is shown, not
        fatal; ``warnings`` tells loudly of a key that may withdraw.
        """
        given = self.input()
        given["venue"] = given.pop("exchange")
        given["passphrase"] = given.get("passphrase") or ""
        account = create_account(principal=self.principal, **given)
        fault = ""
        if given["verify"]:
            fault = _first_reading(account)
            note_key_facts(account)
        return Response(
            {
                "success": True,
                "account_id": str(account.pk),
                "message": "Account created successfully",
                "name": account.name,
                "book": account.book,
                "balance": number(account.balance),
                "equity": number(account.equity),
                "sync_error": fault or account.sync_error,
                "warnings": key_warnings(account),
            }
        )


class AccountListView(ManagementView):
    """The accounts the caller may see."""

    policy = Policy.AUTHENTICATED

    def get(self, request: Request) -> Response:
        """A page of accounts by number; ``skip`` and ``limit`` (at most 100)."""
        skip, limit = page_of(request, start="skip")
        visible = Account.objects.visible_to(self.principal)
        details = details_of(self.principal, visible[skip : skip + limit])
        return Response(
            {
                "accounts": [_listed(detail) for detail in details],
                "pagination": {"total": visible.count(), "skip": skip, "limit": limit},
            }
        )


class AccountDetailView(AccountView):
    """One account."""

    policy = {"GET": Policy.AUTHENTICATED, "DELETE": Policy.MANAGE}
    inputs = {"DELETE": DeleteAccountInput}
    reads_query = True

    def get(self, request: Request, account_id: str) -> Response:
        """Everything shown of an account; credentials never are."""
        (detail,) = details_of(self.principal, [self.account(account_id)])
        account = _listed(detail)
        performance = account.pop("performance")
        references = account.pop("references")
        account["balances"]["currencies"] = _currencies(detail.account)
        account["settings"] = _settings(self.principal, detail.account)
        return Response(
            {
                "account": account,
                "performance": performance,
                "references": references,
                "ws_status": {
                    "connected": detail.is_connected,
                    "last_sync": moment(detail.account.synced_at),
                    "error": detail.account.sync_error or None,
                    "stream": _stream(detail.stream),
                },
            }
        )

    def delete(self, request: Request, account_id: str) -> Response:
        """Retire the account; 409 while positions are open or orders live, unless ``force`` is
        true: then they stay at the exchange, where nobody looks after them. The ledger is kept.
        """
        given = self.input()
        delete_account(principal=self.principal, account=self.account(account_id), **given)
        return Response({"success": True})


class UpdateCredentialsView(AccountView):
    """Replace an account's credentials."""

    policy = Policy.MANAGE
    inputs = {"POST": CredentialsInput}

    def post(self, request: Request, account_id: str) -> Response:
        """The new key is used from the next request to the venue on; 409 for one of another
        account at the exchange, where that tells.
        """
        given = self.input()
        given["passphrase"] = given.get("passphrase") or ""
        account = self.account(account_id)
        account = update_credentials(principal=self.principal, account=account, **given)
        warnings = key_warnings(account)
        return Response({"success": True, "status": account.status, "warnings": warnings})


class SyncBalanceView(AccountView):
    """Read an account's balances from its venue now."""

    policy = Policy.MANAGE
    inputs = {"POST": StrictInput}

    def post(self, request: Request, account_id: str) -> Response:
        """Balance and equity as just read; 503 when the venue does not answer."""
        self.input()
        account = sync_account(account=self.account(account_id))
        return Response(
            {
                "success": True,
                "balance": number(account.balance),
                "equity": number(account.equity),
            }
        )


class DeadManView(AccountView):
    """The venue's countdown to cancelling an account's orders."""

    policy = Policy.MANAGE
    inputs = {"POST": DeadManInput}

    def post(self, request: Request, account_id: str) -> Response:
        """Set it in seconds, 0 switches it off; 422 ``dead_man_unavailable`` where the venue has
        none. Workers start and stop it.
        """
        account = set_dead_man(
            principal=self.principal, account=self.account(account_id), **self.input()
        )
        return Response(
            {
                "success": True,
                "dead_man": _dead_man(self.principal, account),
                "notice": notice(account),
            }
        )


class AssignGroupView(AccountView):
    """Put an account into a group."""

    policy = Policy.MANAGE
    inputs = {"POST": GroupIdInput}

    def post(self, request: Request, account_id: str) -> Response:
        """Doing it twice changes nothing."""
        given = self.input()
        account = self.account(account_id)
        groups = Group.objects.visible_to(self.principal)
        group = find(groups, given["group_id"], what="group")
        add_accounts(principal=self.principal, group=group, account_ids=[account.pk])
        return Response({"success": True})


def account_summary(account: Account) -> dict[str, Any]:
    """An account in a bot's list."""
    return {
        "id": str(account.pk),
        "name": account.name,
        "exchange": account.venue,
        "balance": number(account.balance),
        "equity": number(account.equity),
        "is_active": account.status == Account.Status.ACTIVE,
    }


def _first_reading(account: Account) -> str:
    """Read the new account's venue; the sentence of what failed, empty when nothing did."""
    try:
        sync_account(account=account)
    except DomainError as error:
        return error.message
    finally:
        account.refresh_from_db()
    return ""


def _listed(detail: AccountDetail) -> dict[str, Any]:
    account, results = detail.account, detail.results
    return {
        "account_info": {
            "id": str(account.pk),
            "uuid": str(account.uuid),
            "name": account.name,
            "exchange": account.venue,
            "is_testnet": account.is_testnet,
            "is_active": account.status == Account.Status.ACTIVE,
            "status": account.status,
            "status_reason": account.status_reason,
            "book": account.book,
            "safety": safety_of(account),
            "key_hint": account.key_hint,
            "created_at": moment(account.created_at),
            "last_sync": moment(account.synced_at),
            "sync_error": account.sync_error or None,
        },
        "balances": {
            "currency": account.quote_currency,
            "initial": number(account.initial_balance),
            "current": number(account.balance),
            "equity": number(account.equity),
        },
        "positions": {
            "open": results.open,
            "total": results.total,
            "successful": results.successful,
            "value": number(results.value),
        },
        "performance": _performance(results),
        "references": detail.references,
    }


def _performance(results: Results) -> dict[str, Any]:
    return {
        "closed_trades": results.closed,
        "winning_trades": results.successful,
        "win_rate": number(results.win_rate),
        "realised_pnl": number(results.realised),
        "fees": number(results.fees),
        "net_pnl": number(results.net),
    }


def _currencies(account: Account) -> dict[str, Any]:
    return {
        row.currency: {
            "free": number(row.free),
            "used": number(row.used),
            "total": number(row.total),
        }
        for row in sorted(account.balances.all(), key=lambda row: row.currency)
    }


def _stream(status: StreamStatus) -> dict[str, Any]:
    return {
        "state": status.shown_state,
        "connected_since": moment(status.connected_at) if status.is_live else None,
        "last_message": moment(status.told_at),
        "reconnects": status.reconnects,
        "error": status.error or None,
    }


def _settings(principal: Principal, account: Account) -> dict[str, Any]:
    return {
        "market_type": account.market_type,
        "position_mode": account.position_mode,
        "max_leverage": account.max_leverage,
        "dead_man": _dead_man(principal, account),
    }


def _dead_man(principal: Principal, account: Account) -> dict[str, Any]:
    """The setting, and how each countdown stands that the venue was told of."""
    return {
        "available": countdown_of(account) is not None,
        "seconds": account.dead_man_seconds,
        "countdowns": [
            {
                "symbol": row.symbol or None,
                "state": row.state,
                "told_at": moment(row.told_at),
                "runs_until": moment(row.may_run_until) if row.is_armed else None,
                "error": row.error or None,
            }
            for row in VenueCountdown.objects.visible_to(principal).filter(account=account)
        ],
    }
