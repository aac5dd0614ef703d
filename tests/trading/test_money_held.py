"""What a poll writes about an account's money, and how coins without a price get one."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

from accounts.models import Account
from common.clock import now
from exchanges.protocol import VenueBalance
from exchanges.venues import resolve
from marketdata.models import LastPrice, PriceWish
from marketdata.services import RULES_MAX_AGE, last_price
from marketdata.tasks import IN_USE_FOR, refresh_quotes
from tests.trading.conftest import Desk
from trading.services import reconcile
from trading.services.balances import store_balances


def test_a_poll_leaves_no_row_in_the_accounts_history(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(1)
    before = Account.history.count()
    for _ in range(3):
        reconcile.poll(list(Account.objects.all()))
    assert Account.history.count() == before
    account = Account.objects.get()
    assert (account.balance, account.equity, account.sync_error) == (10_000, 10_000, "")
    assert account.pk == desk.accounts[0].pk


def test_a_poll_with_a_stale_account_changes_nothing_but_its_figures(
    make_desk: Callable[..., Desk],
) -> None:
    stale = make_desk(1).accounts[0]
    Account.objects.filter(pk=stale.pk).update(name="renamed meanwhile")
    store_balances(stale, {"USDT": VenueBalance("USDT", Decimal(7), Decimal(0))})
    account = Account.objects.get()
    assert (account.name, account.balance) == ("renamed meanwhile", 7)
    assert stale.balance == 7


def test_a_held_coin_is_priced_by_the_next_round_and_counts_from_then_on(
    make_desk: Callable[..., Desk],
) -> None:
    desk = make_desk(1, USDT="1000", BTC="0.5")
    assert desk.accounts[0].equity == 1_000
    assert PriceWish.objects.get().symbol == "BTC/USDT"
    refresh_quotes()
    assert not PriceWish.objects.exists()
    reconcile.poll(desk.accounts)
    assert Account.objects.get().equity == 26_000


def test_a_coin_the_venue_does_not_list_is_asked_for_once_in_some_hours(
    make_desk: Callable[..., Desk],
) -> None:
    make_desk(1)
    assert last_price(resolve("rehearsal"), "NOSUCHCOIN/USDT") is None
    refresh_quotes()
    wish = PriceWish.objects.get()
    assert wish.unlisted_at is not None
    refresh_quotes()
    assert PriceWish.objects.get().unlisted_at == wish.unlisted_at
    assert not LastPrice.objects.filter(symbol="NOSUCHCOIN/USDT").exists()


def test_a_wish_that_nobody_repeats_is_forgotten(make_desk: Callable[..., Desk]) -> None:
    make_desk(1)
    venue = resolve("rehearsal")
    for symbol in ("NOSUCHCOIN/USDT", "OTHERCOIN/USDT", "THIRDCOIN/USDT"):
        assert last_price(venue, symbol) is None
    refresh_quotes()
    assert PriceWish.objects.filter(unlisted_at__isnull=False).count() == 3
    long_ago = now() - IN_USE_FOR - timedelta(seconds=1)
    PriceWish.objects.filter(symbol="NOSUCHCOIN/USDT").update(
        wanted_at=long_ago, unlisted_at=now() - RULES_MAX_AGE - timedelta(seconds=1)
    )
    PriceWish.objects.filter(symbol="OTHERCOIN/USDT").update(wanted_at=long_ago)
    refresh_quotes()
    left = set(PriceWish.objects.values_list("symbol", flat=True))
    assert left == {"OTHERCOIN/USDT", "THIRDCOIN/USDT"}
    PriceWish.objects.update(unlisted_at=None, wanted_at=long_ago)
    refresh_quotes()
    assert not PriceWish.objects.exists()
