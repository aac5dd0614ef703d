"""``sync_balances``."""

import json
from collections.abc import Callable
from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from accounts.models import Account
from accounts.services import create_account
from common.principal import system_principal
from common.terminal import FAILED, USAGE
from trading.management.commands import sync_balances as command
from users.services import create_organisation

from .conftest import Desk
from .rehearsal import Exchange


def sync(*arguments: str) -> tuple[int, list[dict[str, str]]]:
    """The exit code and the rows."""
    printed, code = StringIO(), 0
    try:
        call_command("sync_balances", *arguments, "--json", stdout=printed, stderr=StringIO())
    except SystemExit as end:
        code = int(str(end.code))
    return code, json.loads(printed.getvalue())


def forget(desk: Desk) -> None:
    """Nothing is known of the desk's accounts."""
    Account.objects.update(balance=0, equity=0, synced_at=None)


def test_balances_are_read_now(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(2)
    forget(desk)
    code, rows = sync()
    assert code == 0
    assert [(row["account"], row["result"], row["balance"], row["equity"]) for row in rows] == [
        (str(account.pk), "ok", "10000", "10000") for account in desk.accounts
    ]
    assert list(Account.objects.values_list("balance", flat=True)) == [Decimal(10000)] * 2


def test_one_refused_key_fails_the_command_and_not_the_others(
    make_desk: Callable[..., Desk],
) -> None:
    desk = make_desk(3)
    forget(desk)
    desk.exchange.call("POST", "/_account/revoke", {"api_key": desk.keys[1]})
    code, rows = sync()
    assert code == FAILED
    assert [(row["result"], row["balance"]) for row in rows] == [
        ("ok", "10000"),
        ("key_refused", "0"),
        ("ok", "10000"),
    ]
    refused = Account.objects.get(pk=desk.accounts[1].pk)
    assert (refused.status, refused.synced_at) == ("suspended", None)


def test_an_error_nobody_foresaw_fails_one_account_only(
    make_desk: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = make_desk(2)
    first, original = desk.accounts[0].pk, command.sync_account

    def broken(*, account: Account) -> Account:
        if account.pk == first:
            raise TimeoutError
        return original(account=account)

    monkeypatch.setattr(command, "sync_account", broken)
    code, rows = sync()
    assert (code, [row["result"] for row in rows]) == (FAILED, ["poll_failed", "ok"])


def test_only_what_was_asked_for_is_read(
    make_desk: Callable[..., Desk], exchange: Exchange
) -> None:
    desk = make_desk(2)
    other = create_organisation(name="Other House")
    exchange.register("other-key", "other-secret", USDT="5")
    stranger = create_account(
        principal=system_principal(other.pk),
        venue="rehearsal",
        api_key="other-key",
        api_secret="other-secret",
    )
    forget(desk)
    _, rows = sync("--account", str(desk.accounts[1].pk))
    assert [row["account"] for row in rows] == [str(desk.accounts[1].pk)]
    assert Account.objects.get(pk=desk.accounts[0].pk).synced_at is None
    _, rows = sync("--organisation", "Other House")
    assert [(row["account"], row["balance"]) for row in rows] == [(str(stranger.pk), "5")]
    assert Account.objects.get(pk=desk.accounts[0].pk).synced_at is None


def test_a_disabled_account_is_left_alone(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(2)
    forget(desk)
    Account.objects.filter(pk=desk.accounts[0].pk).update(status=Account.Status.DISABLED)
    _, rows = sync()
    assert [row["account"] for row in rows] == [str(desk.accounts[1].pk)]
    assert Account.objects.get(pk=desk.accounts[0].pk).synced_at is None


def test_wrong_arguments_are_a_usage_error_and_read_nothing(
    make_desk: Callable[..., Desk],
) -> None:
    desk = make_desk(2)
    forget(desk)
    known, disabled = (str(account.pk) for account in desk.accounts)
    Account.objects.filter(pk=disabled).update(status=Account.Status.DISABLED)
    for arguments in (
        ("--account", known, "--account", "999999"),
        ("--account", known, "--account", disabled),
        ("--organisation", "Nobody"),
    ):
        with pytest.raises(CommandError) as refusal:
            sync(*arguments)
        assert refusal.value.returncode == USAGE
    assert not Account.objects.exclude(synced_at=None).exists()
