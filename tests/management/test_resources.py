"""Accounts, groups and bots: what 001 shows, and nothing of anybody else's."""

from typing import Any

import pytest

from accounts.models import Account
from bots.models import Bot
from bots.services import create_bot
from events.models import Event
from groups.models import Group
from groups.services import create_group
from tests.management.answers import masked, refusal
from tests.management.conftest import Call
from tests.users.people import Person, new_account
from trading.models import VenueCountdown
from users.services import create_api_key


@pytest.fixture
def group(admin: Person, account: Account) -> Group:
    """A group of the one account."""
    return create_group(principal=admin.principal, name="Group_1", account_ids=[account.pk])


@pytest.fixture
def bot(admin: Person, account: Account) -> Bot:
    """A bot connected to the one account."""
    return create_bot(principal=admin.principal, name="Trend-1h", account_ids=[account.pk])[0]


def test_an_account_is_listed_without_its_secrets(
    call: Call, viewer: Person, account: Account, group: Group, bot: Bot
) -> None:
    response = call("GET", "/accounts/list", person=viewer)
    (shown,) = response.json()["accounts"]
    assert response.json()["pagination"] == {"total": 1, "skip": 0, "limit": 50}
    assert shown["account_info"]["id"] == str(account.pk)
    assert shown["account_info"]["exchange"] == "rehearsal"
    assert shown["account_info"]["is_active"] is True
    assert shown["account_info"]["safety"] == "full"
    assert shown["balances"] == {"currency": "USDT", "initial": 0, "current": 0, "equity": 0}
    assert shown["positions"] == {"open": 0, "total": 0, "successful": 0, "value": 0}
    assert shown["references"] == [
        {"type": "bot", "id": str(bot.pk), "name": "Trend-1h"},
        {"type": "group", "id": str(group.pk), "name": "Group_1"},
    ]
    for secret in ("key-of-one-0123456789", "secret-of-one-0123456789", "enc:v1:"):
        assert secret not in response.content.decode()


def test_an_account_is_found_by_number_and_by_uuid(
    call: Call, viewer: Person, account: Account
) -> None:
    answers = [
        call("GET", f"/accounts/{key}", person=viewer).json() for key in (account.pk, account.uuid)
    ]
    for answer in answers:
        assert set(answer) == {"account", "performance", "references", "ws_status"}
        assert set(answer["account"]) == {"account_info", "balances", "positions", "settings"}
        assert answer["account"]["account_info"]["id"] == str(account.pk)
        assert answer["ws_status"] == {
            "connected": False,
            "last_sync": None,
            "error": None,
            "stream": {
                "state": "off",
                "connected_since": None,
                "last_message": None,
                "reconnects": 0,
                "error": None,
            },
        }


def test_an_account_made_without_verifying_is_there(call: Call, admin: Person) -> None:
    body = {
        "exchange": "rehearsal", "api_key": "k" * 20, "api_secret": "s" * 20,
        "initial_balance": 1000, "passphrase": "x", "is_testnet": True, "verify": False,
    }  # fmt: skip
    answer = call("POST", "/accounts/create", body, admin).json()
    account = Account.objects.get()
    assert (answer["success"], answer["account_id"]) == (True, str(account.pk))
    assert answer["message"] == "Account created successfully"
    assert (account.book, account.initial_balance) == ("rehearsal", 1000)
    refusal(call("POST", "/accounts/create", body, admin), 409, "duplicate_key")


def test_credentials_are_replaced(call: Call, admin: Person, account: Account) -> None:
    path = f"/accounts/{account.pk}/update-credentials"
    body = {"api_key": "n" * 20, "api_secret": "s" * 20, "passphrase": "y"}
    answer = call("POST", path, body, admin).json()
    assert answer == {"success": True, "status": "active", "warnings": []}
    account.refresh_from_db()
    assert (account.open_secret("api_key"), account.credentials_version) == ("n" * 20, 2)


def test_the_dead_mans_switch_is_set_where_the_venue_has_one(
    call: Call, admin: Person, viewer: Person, account: Account
) -> None:
    path = f"/accounts/{account.pk}/dead-man"
    refusal(call("POST", path, {"seconds": 30}, admin), 422, "dead_man_unavailable")
    Account.objects.update(market_type="swap")
    refusal(call("POST", path, {"seconds": 5}, admin), 422, "validation_error")
    refusal(call("POST", path, {"seconds": "soon"}, admin), 422, "validation_error")
    refusal(call("POST", path, {"seconds": 30}, viewer), 403, "permission_denied")
    account.refresh_from_db()
    assert account.dead_man_seconds == 0
    answer = call("POST", path, {"seconds": 30}, admin).json()
    told = {"available": True, "seconds": 30, "countdowns": []}
    assert (answer["success"], answer["dead_man"]) == (True, told)
    assert "cancels every open order of a symbol" in answer["notice"]
    VenueCountdown.objects.create(
        account=account, symbol="X/USDT:USDT", error="timeout", failures=1
    )
    detail = call("GET", f"/accounts/{account.pk}", person=viewer).json()
    assert detail["account"]["settings"]["dead_man"] == {
        "available": True,
        "seconds": 30,
        "countdowns": [
            {
                "symbol": "X/USDT:USDT",
                "state": "failing",
                "told_at": None,
                "runs_until": None,
                "error": "timeout",
            }
        ],
    }


def test_an_account_is_put_into_a_group(call: Call, admin: Person, group: Group) -> None:
    second = new_account(admin, "two")
    path = f"/accounts/{second.pk}/assign-group"
    for group_id in (str(group.pk), group.pk):
        assert call("POST", path, {"group_id": group_id}, admin).json() == {"success": True}
    assert group.accounts.count() == 2
    refusal(call("POST", path, {"group_id": 999_999}, admin), 404, "group_not_found")
    refusal(call("POST", path, {"group_id": "x"}, admin), 422, "validation_error")


def test_a_deleted_account_is_gone_and_its_name_and_key_are_free(
    call: Call, admin: Person, account: Account
) -> None:
    path = f"/accounts/{account.pk}"
    assert call("DELETE", path, person=admin).json() == {"success": True}
    refusal(call("GET", path, person=admin), 404, "account_not_found")
    refusal(call("DELETE", path, person=admin), 404, "account_not_found")
    assert Account.objects.get(pk=account.pk).api_key_sealed == ""
    assert new_account(admin, "one").pk != account.pk


def test_a_group_is_made_read_changed_and_deleted(
    call: Call, admin: Person, account: Account
) -> None:
    body = {"name": "My_group", "description": "d", "accounts": [str(account.uuid)],
            "max_drawdown": 20.5, "target_monthly_roi": 4, "risk_limit": "2.5"}  # fmt: skip
    made = call("POST", "/groups/", body, admin).json()
    assert (made["success"], made["message"]) == (True, "Group created successfully")
    group = made["data"]["group"]
    expected = {"id": group["id"], "name": "My_group", "description": "d",
                "accounts": [str(account.pk)], "max_drawdown": 20.5, "target_monthly_roi": 4.0,
                "risk_limit": 2.5}  # fmt: skip
    assert {key: group[key] for key in expected} == expected
    for path in ("/groups", "/groups/"):
        listed = call("GET", path, person=admin).json()["data"]
        assert listed == {"groups": [expected], "total": 1, "offset": 0, "limit": 50}
    path = f"/groups/{group['id']}"
    assert call("GET", path, person=admin).json()["data"]["group"]["name"] == "My_group"
    changed = call("PATCH", path, {"description": "e", "accounts": []}, admin).json()
    assert changed["data"]["group"]["description"] == "e"
    assert changed["data"]["group"]["accounts"] == []
    deleted = call("DELETE", path, person=admin).json()
    assert deleted["data"] == {"group_id": group["id"]}
    refusal(call("GET", path, person=admin), 404, "group_not_found")


def test_accounts_join_and_leave_a_group(
    call: Call, admin: Person, stranger: Person, group: Group, account: Account
) -> None:
    second, foreign = new_account(admin, "two"), new_account(stranger, "theirs")
    path = f"/groups/{group.pk}/accounts"
    body = {"account_ids": [str(second.pk), second.pk, str(foreign.pk), "999999", "no-id"]}
    results = call("POST", path, body, admin).json()["data"]["results"]
    assert results == {
        "success": [str(second.pk)],
        "failed": [
            {"account_id": str(foreign.pk), "error": "account_not_found"},
            {"account_id": "999999", "error": "account_not_found"},
            {"account_id": "no-id", "error": "account_not_found"},
        ],
    }
    left = call("DELETE", f"{path}/{second.pk}", person=admin).json()
    assert left["data"]["group"]["accounts"] == [str(account.pk)]
    refusal(call("DELETE", f"{path}/{second.pk}", person=admin), 404, "not_a_member")
    joined = call("POST", f"{path}/{second.pk}", {}, admin).json()
    assert joined["data"]["group"]["accounts"] == [str(account.pk), str(second.pk)]


def test_a_bot_is_made_from_query_parameters(call: Call, admin: Person) -> None:
    path = "/bots/create?name=Probe-1h&base_name=Probe&timeframe=15m"
    response = call("POST", path, {"name": "ignored", "timeframe": "1d"}, admin)
    answer = response.json()
    bot = Bot.objects.get()
    assert (answer["success"], answer["bot_id"]) == (True, str(bot.pk))
    assert (bot.name, bot.base_name, bot.timeframe) == ("Probe-1h", "Probe", "15m")
    assert answer["webhook_url"].endswith(f"/api/v1/webhook/tradingview/{answer['path_token']}")
    assert bot.open_hmac_secret() == answer["hmac_secret"]
    shown = call("GET", f"/bots/{bot.pk}", person=admin).content.decode()
    for secret in (answer["path_token"], answer["hmac_secret"]):
        assert secret not in shown


def test_a_bot_is_connected_by_repeated_query_parameters(
    call: Call, admin: Person, account: Account, group: Group
) -> None:
    second = new_account(admin, "two")
    query = f"name=Many&account_ids={account.pk}&account_ids={second.uuid}&group_ids={group.pk}"
    assert call("POST", f"/bots/create?{query}", person=admin).status_code == 200
    bot = Bot.objects.get()
    assert list(bot.accounts.order_by("pk")) == [account, second]
    assert list(bot.groups.all()) == [group]


def test_a_bot_says_which_exchanges_lack_its_timeframe(
    call: Call, admin: Person, account: Account
) -> None:
    kraken = new_account(admin, "two", venue="kraken")
    query = f"name=Slow&timeframe=6h&account_ids={account.pk}&account_ids={kraken.pk}"
    answer = call("POST", f"/bots/create?{query}", person=admin).json()
    told = [
        {"exchange": "kraken", "is_native": False, "resampled_from": "1h"},
        {"exchange": "rehearsal", "is_native": True, "resampled_from": None},
    ]
    assert answer["timeframe_support"] == told
    assert (
        call("GET", f"/bots/{answer['bot_id']}", person=admin).json()["timeframe_support"] == told
    )


def test_bots_are_a_bare_array(call: Call, viewer: Person, bot: Bot, account: Account) -> None:
    row = {
        "id": str(bot.pk), "name": "Trend-1h", "base_name": "", "timeframe": "1h",
        "status": "ACTIVE", "max_leverage": 1, "connected_accounts": [str(account.pk)],
    }  # fmt: skip
    assert call("GET", "/bots/list", person=viewer).json() == [row]
    metrics = {"signals_total": 0, "signals_succeeded": 0, "signals_failed": 0}
    detail = call("GET", f"/bots/{bot.pk}", person=viewer).json()
    support = [{"exchange": "rehearsal", "is_native": True, "resampled_from": None}]
    assert detail == {**row, "performance": {"metrics": metrics}, "timeframe_support": support}
    assert call("GET", f"/bots/{bot.pk}/accounts", person=viewer).json() == [
        {
            "id": str(account.pk), "name": "one", "exchange": "rehearsal",
            "balance": 0, "equity": 0, "is_active": True,
        }
    ]  # fmt: skip


def test_a_bot_s_status_is_changed_by_query_or_body(call: Call, admin: Person, bot: Bot) -> None:
    path = f"/bots/{bot.pk}/status"
    paused = call("POST", f"{path}?status=paused", person=admin).json()
    assert paused == {"success": True, "status": "PAUSED"}
    stopped = call("POST", path, {"status": "STOPPED"}, admin).json()
    assert stopped == {"success": True, "status": "STOPPED"}
    for query in ("", "?status=SLEEPING", "?status=ACTIVE&extra=1"):
        refusal(call("POST", path + query, person=admin), 422, "validation_error")
    bot.refresh_from_db()
    assert bot.status == "STOPPED"


def test_accounts_are_connected_and_disconnected(
    call: Call, admin: Person, bot: Bot, account: Account
) -> None:
    query = f"?account_id={account.pk}"
    path = f"/bots/{bot.pk}/disconnect-account{query}"
    answer = call("POST", path, person=admin).json()
    assert answer == {"success": True, "message": "Account disconnected"}
    refusal(call("POST", path, person=admin), 404, "account_not_connected")
    answer = call("POST", f"/bots/{bot.pk}/connect-account{query}", person=admin).json()
    assert answer == {"success": True, "message": "Account connected"}
    assert bot.accounts.get() == account


FOREIGN = [
    ("GET", "/accounts/{account}", None),
    ("DELETE", "/accounts/{account}", None),
    ("POST", "/accounts/{account}/update-credentials", {"api_key": "k", "api_secret": "s"}),
    ("POST", "/accounts/{account}/dead-man", {"seconds": 30}),
    ("POST", "/accounts/{account}/sync-balance", None),
    ("POST", "/accounts/{account}/assign-group", {"group_id": 1}),
    ("GET", "/groups/{group}", None),
    ("PATCH", "/groups/{group}", {"description": "x"}),
    ("DELETE", "/groups/{group}", None),
    ("POST", "/groups/{group}/accounts", {"account_ids": []}),
    ("POST", "/groups/{group}/accounts/{account}", None),
    ("DELETE", "/groups/{group}/accounts/{account}", None),
    ("GET", "/bots/{bot}", None),
    ("GET", "/bots/{bot}/accounts", None),
    ("POST", "/bots/{bot}/status?status=STOPPED", None),
    ("POST", "/bots/{bot}/connect-account?account_id={account}", None),
    ("POST", "/bots/{bot}/terminate", None),
    ("GET", "/trading/positions/{account}", None),
    ("POST", "/trading/close-position/{account}", {"symbol": "BTC/USDT"}),
    ("POST", "/trading/terminate/{account}", None),
    ("POST", "/trading/group/{group}/execute",
     {"symbol": "BTC/USDT", "side": "buy", "order_type": "market", "risk_percentage": 1}),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "body"), FOREIGN)
def test_foreign_and_missing_objects_get_the_same_answer(
    call: Call, stranger: Person, account: Account, group: Group, bot: Bot,
    method: str, path: str, body: Any,
) -> None:  # fmt: skip
    events = Event.objects.count()
    foreign = path.format(account=account.pk, group=group.pk, bot=bot.pk)
    missing = path.format(account=999_999, group=999_999, bot=999_999)
    answers = [masked(call(method, each, body, stranger)) for each in (foreign, missing)]
    assert answers[0] == answers[1]
    assert answers[0][0] == 404
    bot.refresh_from_db()
    account.refresh_from_db()
    assert (bot.status, account.credentials_version, group.accounts.count()) == ("ACTIVE", 1, 1)
    assert Event.objects.count() == events


def test_lists_show_nothing_of_another_organisation(
    call: Call, stranger: Person, account: Account, group: Group, bot: Bot
) -> None:
    assert call("GET", "/accounts/list", person=stranger).json()["accounts"] == []
    assert call("GET", "/groups/", person=stranger).json()["data"]["groups"] == []
    assert call("GET", "/bots/list", person=stranger).json() == []


def test_a_limited_key_sees_its_accounts_only(
    call: Call, admin: Person, account: Account, bot: Bot
) -> None:
    other = new_account(admin, "other")
    _, text = create_api_key(user=admin.user, label="limited", account_ids=[other.pk])
    key = {"HTTP_X_API_KEY": text}
    listed = call("GET", "/accounts/list", **key).json()["accounts"]
    assert [row["account_info"]["id"] for row in listed] == [str(other.pk)]
    refusal(call("GET", f"/accounts/{account.pk}", **key), 404, "account_not_found")
    assert call("GET", "/bots/list", **key).json() == []


def test_health_and_the_webhook_s_test_are_public(call: Call, db: None) -> None:
    health = call("GET", "/health").json()
    assert set(health) == {"status", "version", "environment", "database", "uptime", "timestamp"}
    assert health["database"] == {"connected": True, "references": {}}
    test = call("GET", "/webhook/tradingview/test").json()
    assert (test["success"], test["message"]) == (True, "Webhook endpoint is operational")
    assert set(test["data"]) == {"timestamp", "correlation_id"}
