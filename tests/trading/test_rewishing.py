"""A person changes what protects an open position."""

from decimal import Decimal

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from common.errors import Invalid, NotFound
from common.principal import system_principal
from events.models import AuditRecord
from tests.trading.guarded import book, enter, how_guarded, legs, turns
from tests.trading.hedging import Book
from trading.models import Order, Protection
from trading.services.cancelling import cancel_order
from trading.services.rewishing import Wishes, protect_position

__all__ = ["book"]


def test_a_position_without_protection_is_given_one_and_loses_it_again(book: Book) -> None:
    position = enter(book, "buy", "0.3")
    assert how_guarded(position) == ("none_wanted", "")
    call_command("protect_position", str(position.pk), "--stop-loss", "2%", "--quiet")
    turns(book)
    assert legs(position) == [("stop_loss", "49000", "0.2997", "OPEN")]
    assert how_guarded(position) == ("protected", "")
    call_command("protect_position", str(position.pk), "--stop-loss", "0", "--quiet")
    turns(book)
    assert (legs(position), how_guarded(position)) == ([], ("none_wanted", ""))
    assert AuditRecord.objects.filter(action="position.protected").count() == 2


def test_a_changed_stop_replaces_the_one_that_stands(book: Book) -> None:
    position = enter(book, "buy", "0.3", stop_loss="2%", take_profit="55000")
    protect_position(principal=book.principal, position=position, wishes=Wishes(stop_loss="49500"))
    turns(book)
    assert legs(position) == [("stop_loss", "49500", "0.2997", "OPEN")]
    assert Protection.objects.get().target_price == Decimal(55000)


def test_a_leg_that_a_person_took_away_may_be_wished_for_again(book: Book) -> None:
    position = enter(book, "buy", "0.3", stop_loss="2%")
    caller = system_principal(book.principal.organisation_id, "user:1")
    cancel_order(principal=caller, order=Order.objects.live().get(is_protective=True))
    turns(book)
    assert legs(position) == []
    protect_position(principal=caller, position=position, wishes=Wishes(stop_loss="48000"))
    turns(book)
    assert legs(position) == [("stop_loss", "48000", "0.2997", "OPEN")]


def test_what_cannot_be_is_refused_and_nothing_moves(book: Book) -> None:
    position = enter(book, "buy", "0.3")
    with pytest.raises(Invalid) as refused:
        protect_position(
            principal=book.principal, position=position, wishes=Wishes(stop_loss="51000")
        )
    assert refused.value.code == "leg_wrong_side"
    with pytest.raises(NotFound):
        protect_position(
            principal=book.principal, position=position, wishes=Wishes(stop_loss="1%"), magic_id=9
        )
    with pytest.raises(CommandError):
        call_command("protect_position", str(position.pk), "--stop-loss", "much")
    assert (Protection.objects.count(), Order.objects.count()) == (0, 1)
