"""Forms of the console: through the services, scoped, with nothing echoed."""

from django.test import Client
from django.urls import reverse

from accounts.models import Account
from accounts.principals import principal_of_user
from bots.models import Bot, PreviousSecret
from bots.services import create_bot, renew_secret
from events.models import AuditRecord
from riskmgmt.models import RiskLimit
from tests.dashboard.world import World
from users.models import User

# What the browser sends of the rows below a person where none was touched.
NO_ROWS_BELOW = {
    f"{prefix}-{name}_FORMS": "0"
    for prefix in ("grants", "sessions", "api_keys")
    for name in ("TOTAL", "INITIAL")
}


def test_limit_outside_the_organisation_is_refused(
    staff: Client, world: World, foreign: World
) -> None:
    page = reverse("admin:riskmgmt_risklimit_add")
    form = {"organisation": world.organisation.pk, "scope": "account", "max_order_value": "500.5"}
    staff.post(page, {**form, "scope_id": foreign.accounts[0].pk})
    assert not RiskLimit.objects.exists()
    staff.post(page, {**form, "scope_id": world.accounts[0].pk})
    limit = RiskLimit.objects.get()
    assert str(limit.max_order_value) == "500.5"
    assert AuditRecord.objects.filter(action="limits.set").exists()


def test_account_is_added_through_the_service_and_its_secrets_are_not_echoed(
    staff: Client, world: World
) -> None:
    page = reverse("admin:accounts_account_add")
    form = {
        "organisation": world.organisation.pk,
        "venue": "rehearsal",
        "name": "New one",
        "api_key": "MARKER-new-key-01",
        "api_secret": "MARKER-new-secret-01",
        "mode": "paper",
    }
    refused = staff.post(page, {**form, "name": world.accounts[0].name})
    assert refused.status_code == 422
    assert b"name_taken" in refused.content
    assert b"MARKER" not in refused.content
    assert staff.post(page, form).status_code == 302
    account = Account.objects.get(name="New one")
    assert (account.book, account.organisation_id) == ("rehearsal", world.organisation.pk)
    assert account.open_secret("api_secret") == "MARKER-new-secret-01"
    page = reverse("admin:accounts_account_credentials", args=[account.pk])
    fresh = {"api_key": "MARKER-second-key", "api_secret": "MARKER-second-secret"}
    assert staff.post(page, fresh).status_code == 302
    account.refresh_from_db()
    assert account.open_secret("api_key") == "MARKER-second-key"


def test_foreign_account_takes_no_credentials(staff: Client, foreign: World) -> None:
    page = reverse("admin:accounts_account_credentials", args=[foreign.accounts[0].pk])
    assert staff.post(page, {"api_key": "k" * 20, "api_secret": "s" * 20}).status_code == 404


def test_the_dead_mans_switch_has_a_page_that_says_what_it_cancels(
    staff: Client, world: World, foreign: World
) -> None:
    account = world.accounts[0]
    page = reverse("admin:accounts_account_dead_man", args=[account.pk])
    assert "no countdown" in staff.get(page).content.decode()
    refused = staff.post(page, {"seconds": "30"})
    assert (refused.status_code, b"dead_man_unavailable" in refused.content) == (422, True)
    Account.objects.update(market_type="swap")
    assert "protective ones too" in staff.get(page).content.decode()
    assert staff.post(page, {"seconds": "30"}).status_code == 302
    account.refresh_from_db()
    assert account.dead_man_seconds == 30
    assert AuditRecord.objects.filter(action="account.dead_man_set").count() == 1
    shown = staff.get(reverse("admin:accounts_account_change", args=[account.pk]))
    assert f'30 s (<a href="{page}">' in shown.content.decode()
    theirs = reverse("admin:accounts_account_dead_man", args=[foreign.accounts[0].pk])
    assert staff.post(theirs, {"seconds": "30"}).status_code == 404


def test_bot_shows_its_secrets_once(staff: Client, world: World) -> None:
    answer = staff.post(
        reverse("admin:bots_bot_add"),
        {
            "organisation": world.organisation.pk,
            "name": "Fresh",
            "timeframe": "1h",
            "accounts": [world.accounts[0].pk],
            "with_token": "on",
            "with_hmac": "on",
        },
    )
    assert answer.status_code == 200, answer.context["form"].errors
    bot = Bot.objects.get(name="Fresh")
    secret = bot.open_hmac_secret()
    assert secret
    assert secret in answer.content.decode()
    assert "no-store" in answer.headers["Cache-Control"]
    later = staff.get(reverse("admin:bots_bot_change", args=[bot.pk]))
    assert secret not in later.content.decode()
    assert list(bot.accounts.all()) == [world.accounts[0]]


def test_a_bot_is_made_with_its_leverage_and_its_door(staff: Client, world: World) -> None:
    page = reverse("admin:bots_bot_add")
    form = {
        "organisation": world.organisation.pk,
        "name": "Seen",
        "timeframe": "1h",
        "max_leverage": "3",
        "certificate_subject": "TradingView Webhooks",
        "allowed_addresses": "192.0.2.7, 2001:DB8::/32",
    }
    refused = staff.post(page, {**form, "allowed_addresses": "192.0.2"})
    assert (refused.status_code, Bot.objects.filter(name="Seen").exists()) == (422, False)
    assert staff.post(page, form).status_code == 200
    bot = Bot.objects.get(name="Seen")
    assert (bot.max_leverage, bot.auth_modes) == (3, ("mtls",))
    assert bot.allowed_addresses == ["192.0.2.7", "2001:db8::/32"]


def test_a_name_that_another_bot_has_is_told_and_changes_nothing(
    staff: Client, world: World
) -> None:
    principal = principal_of_user(world.user)
    other, _ = create_bot(principal=principal, name="Other")
    form = {
        "name": world.bot.name.upper(),
        "timeframe": "1h",
        "max_leverage": "1",
        "max_alert_age_seconds": "60",
    }
    answer = staff.post(reverse("admin:bots_bot_change", args=[other.pk]), form, follow=True)
    assert "name_taken" in answer.content.decode()
    other.refresh_from_db()
    assert other.name == "Other"


def test_renewed_secrets_are_retired_and_none_is_shown(
    staff: Client, world: World, foreign: World
) -> None:
    for each in (world, foreign):
        renew_secret(principal=principal_of_user(each.user), bot=each.bot, kind="hmac")
    page = reverse("admin:bots_previoussecret_changelist")
    own, other = (PreviousSecret.objects.get(bot=each.bot) for each in (world, foreign))
    text = staff.get(page).content.decode()
    text += staff.get(reverse("admin:bots_previoussecret_change", args=[own.pk])).content.decode()
    assert own.secret_sealed not in text
    assert other.bot.name not in text
    act = {"action": "retire_secrets", "_selected_action": [own.pk, other.pk]}
    act |= {"confirmed": "yes", "confirm": "retire 1"}
    act |= {"request_id": "0123456789abcdef0123456789abcdef"}
    staff.post(page, act)
    own.refresh_from_db()
    other.refresh_from_db()
    assert (own.is_accepted, other.is_accepted) == (False, True)


def test_administrator_cannot_raise_itself_or_make_staff(staff: Client, world: World) -> None:
    page = reverse("admin:users_user_change", args=[world.user.pk])
    staff.post(
        page,
        {
            "email": "new@example.test",
            "is_superuser": "on",
            "is_staff": "on",
            "role": "viewer",
            "organisation": 999,
            **NO_ROWS_BELOW,
        },
    )
    world.user.refresh_from_db()
    assert (world.user.is_superuser, world.user.role) == (False, "admin")
    assert world.user.email == "new@example.test"
    form = {
        "organisation": world.organisation.pk,
        "username": "second",
        "role": "trader",
        "email": "second@example.test",
        "password": "long enough words",
    }
    refused = staff.post(reverse("admin:users_user_add"), {**form, "is_staff": "on"})
    assert refused.status_code == 422
    assert staff.post(reverse("admin:users_user_add"), form).status_code == 302
    assert User.objects.get(username="second").check_password("long enough words")


def test_configuration_change_leaves_audit_and_history(staff: Client, world: World) -> None:
    account = world.accounts[0]
    form = {
        "name": "Renamed",
        "max_leverage": "3",
        "balances-TOTAL_FORMS": "0",
        "balances-INITIAL_FORMS": "0",
    }
    answer = staff.post(reverse("admin:accounts_account_change", args=[account.pk]), form)
    assert answer.status_code == 302
    assert AuditRecord.objects.filter(action="console.account.changed").count() == 1
    assert Account.history.filter(id=account.pk).count() == 2
    account.refresh_from_db()
    assert account.open_secret("api_secret") == "MARKER-api-secret-92ab"
