"""Exchanges whose orders cannot carry an id of ours."""

import pytest

from accounts.models import Book
from accounts.services import create_account
from common.principal import system_principal
from users.services import create_organisation


@pytest.mark.django_db
def test_live_accounts_can_be_made_there() -> None:
    principal = system_principal(create_organisation(name="House").pk)
    key = {"api_key": "key-1", "api_secret": "secret-1"}
    made = create_account(principal=principal, venue="luno", mode="live", **key)
    assert made.book == Book.LIVE
