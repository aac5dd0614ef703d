"""A refused key says nothing about the credentials that the account has got since."""

from collections.abc import Callable

import pytest

from accounts.models import Account
from accounts.services import update_credentials
from common.clock import now
from exchanges.outcomes import REFUSED, VenueError
from tests.trading.conftest import Desk
from tests.trading.test_signal_to_ledger import send
from trading.models import Order
from trading.services import execution
from trading.services.reconcile import note_failure


def refusal(version: int = 0) -> VenueError:
    """The exchange does not know the key."""
    error = VenueError(outcome=REFUSED, code="key_refused", message="unknown key")
    error.credentials_version = version
    return error


def renewed(desk: Desk) -> Account:
    """The account with its credentials set anew."""
    key = desk.keys[0]
    return update_credentials(
        principal=desk.principal,
        account=desk.accounts[0],
        api_key=key,
        api_secret=f"secret-of-{key}",
    )


def status() -> tuple[str, str]:
    """The account's status and its reason."""
    account = Account.objects.get()
    return account.status, account.status_reason


def test_a_poll_refused_with_the_old_key_suspends_nobody(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(1)
    asked_with = Account.objects.get()
    fresh = renewed(desk)
    note_failure(asked_with, refusal())
    assert status() == ("active", "")
    note_failure(fresh, refusal())
    assert status() == ("suspended", "key_refused")


@pytest.mark.parametrize(("version", "found"), [(1, "active"), (2, "suspended"), (0, "suspended")])
def test_an_order_refused_with_the_old_key_suspends_nobody(
    make_desk: Callable[..., Desk], version: int, found: str
) -> None:
    desk = make_desk(1)
    send(desk)
    order = Order.objects.get()
    Order.objects.update(state="SENDING", claimed_at=now())
    renewed(desk)
    execution.write_back([(order.pk, refusal(version))])
    assert (status()[0], Order.objects.get().state) == (found, "REJECTED")


def test_an_order_says_with_which_credentials_it_was_refused(
    make_desk: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = make_desk(1)
    send(desk)
    told = []
    genuine = execution.write_back
    monkeypatch.setattr(execution, "write_back", lambda batch: told.extend(batch) or genuine(batch))
    desk.exchange.call("POST", "/_account/revoke", {"api_key": desk.keys[0]})
    desk.run_orders()
    assert [error.credentials_version for _, error in told] == [1]
    assert status() == ("suspended", "key_refused")
