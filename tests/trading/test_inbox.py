"""Trades made at the exchange itself wait in the inbox until an operator settles them."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from common.errors import Conflict, Denied, DomainError
from common.principal import VIEWER
from events.models import AuditRecord
from monitoring.models import Alert
from tests.trading.conftest import Desk
from tests.trading.test_modes import SYMBOL, enter
from trading.models import Deal, Lot, Order, Position
from trading.services import closing, inbox
from trading.services.owners import new_magic_id
from trading.services.rebuild import check_stream, streams


@pytest.fixture
def desk(make_desk: Callable[..., Desk]) -> Desk:
    """One account of 10,000 USDT and 1 BTC, whose symbol is followed."""
    desk = make_desk(1, USDT="10000", BTC="1")
    assert enter(desk, quantity=Decimal("1000")).order.state == "REJECTED"
    return desk


def by_hand(desk: Desk, side: str = "buy", quantity: str = "0.02") -> Position:
    """Somebody trades at the exchange; the poll finds it."""
    body = {"api_key": desk.keys[0], "symbol": SYMBOL, "side": side, "quantity": quantity}
    desk.exchange.call("POST", "/_external", {**body, "reason": "manual"})
    desk.settle()
    found = Position.objects.waiting().order_by("-pk").first()
    assert found is not None
    return found


def own() -> list[tuple[str, Decimal, Decimal, Decimal]]:
    """The account's own open positions."""
    rows = Position.objects.open().filter(allocated=True)
    return [(each.side, each.quantity, each.average_price, each.realised) for each in rows]


def is_sound() -> bool:
    """Whether every stored position is what its deals say."""
    return not [each for stream in streams() for each in check_stream(stream)]


def adopt(desk: Desk, position: Position, **given: Any) -> Any:
    asked = {"principal": desk.principal, "reason": "it was me", **given}
    return inbox.adopt(position=position, **asked)


def refusal(act: Callable[..., Any], desk: Desk, position: Position, **given: Any) -> str:
    """The code of a refusal, after which the ledger is as it was."""
    deals, records = Deal.objects.count(), AuditRecord.objects.count()
    asked = {"principal": desk.principal, "reason": "it was me", **given}
    with pytest.raises(DomainError) as caught:
        act(position=position, **asked)
    assert (Deal.objects.count(), AuditRecord.objects.count()) == (deals, records)
    return caught.value.code


def test_each_external_order_waits_by_itself_and_is_told(desk: Desk) -> None:
    one, two = by_hand(desk), by_hand(desk, "sell", "0.01")
    assert {each.pk for each in Position.objects.waiting()} == {one.pk, two.pk}
    assert (one.side, two.side, own()) == ("buy", "sell", [])
    assert Alert.objects.filter(code="external_trade", state="active").count() == 2


def test_adopting_makes_it_the_accounts_own(desk: Desk) -> None:
    external = by_hand(desk)
    assert inbox.preview_adoption(external).as_text() == (
        "own position: none → buy 0.01998 @ 50000"
    )
    taken = adopt(desk, external)
    assert own() == [("buy", Decimal("0.01998"), Decimal(50_000), Decimal(0))]
    assert Lot.objects.get(position=taken).magic_id == 0
    assert Position.objects.waiting().count() == 0
    assert is_sound()
    record = AuditRecord.objects.get(action="external.adopted")
    assert (record.before["quantity"], record.after["position"]) == ("0.01998", taken.pk)
    assert Alert.objects.filter(code="external_trade", state="resolved").count() == 1
    assert adopt(desk, external) == taken  # a repeat
    assert Deal.objects.filter(reason="reconcile").count() == 2
    assert refusal(inbox.adopt, desk, external, magic_id=7) == "external_settled"


def test_an_opposite_one_reduces_what_is_there_and_books_its_result(desk: Desk) -> None:
    enter(desk)
    desk.exchange.price(SYMBOL, "51000")
    external = by_hand(desk, "sell", "0.005")
    left = Decimal("0.00999") - Decimal("0.005")
    text = inbox.preview_adoption(external).as_text()
    assert text == f"own position: buy 0.00999 @ 50000 → buy {left} @ 50000"
    adopt(desk, external)
    realised = Decimal("0.005") * Decimal(1_000)
    [(side, quantity, _, booked)] = own()
    assert (side, quantity, booked) == ("buy", left, realised)
    assert is_sound()


def test_one_is_given_to_an_owner_that_exists(desk: Desk) -> None:
    external = by_hand(desk)
    magic_id = new_magic_id(organisation_id=desk.principal.organisation_id)
    assert refusal(inbox.adopt, desk, external, magic_id=magic_id + 1) == "unknown_owner"
    taken = adopt(desk, external, magic_id=magic_id)
    lots = Lot.objects.filter(position=taken).values_list("magic_id", "quantity")
    assert list(lots) == [(magic_id, Decimal("0.01998"))]
    assert is_sound()


def test_hedging_accounts_get_a_position_for_each(desk: Desk) -> None:
    desk.accounts[0].__class__.objects.update(position_mode="hedge")
    for quantity in ("0.02", "0.03"):
        adopt(desk, by_hand(desk, quantity=quantity))
    assert [each[1] for each in sorted(own())] == [Decimal("0.01998"), Decimal("0.02997")]
    assert is_sound()


def test_an_ignored_one_waits_again_when_it_changes(desk: Desk) -> None:
    external = by_hand(desk)
    for _ in range(2):
        inbox.ignore(principal=desk.principal, position=external, reason="a deposit")
    assert Position.objects.waiting().count() == 0
    assert Position.objects.external().count() == 1
    assert AuditRecord.objects.filter(action="external.ignored").count() == 1
    external.refresh_from_db()
    external.save()
    assert Position.objects.waiting().count() == 1


@pytest.mark.parametrize(
    ("side", "sent", "left"),
    # What is bought back is cut by its fee in the base coin.
    [("buy", "sell", []), ("sell", "buy", [Decimal("0.00002")])],
)
def test_flattening_closes_it_at_the_exchange_and_nothing_else(
    desk: Desk, side: str, sent: str, left: list[Decimal]
) -> None:
    enter(desk)
    before = own()
    external = by_hand(desk, side)
    for _ in range(2):
        inbox.flatten(
            principal=desk.principal, position=external, reason="not ours", request_id="r1"
        )
    desk.run_orders()
    desk.settle()
    order = Order.objects.get(reason="flatten")
    assert (order.side, order.state, order.position_id) == (sent, "FILLED", external.pk)
    assert own() == before
    assert [each.quantity for each in Position.objects.external()] == left
    assert is_sound()
    if not left:
        assert refusal(inbox.flatten, desk, external) == "external_settled"


def test_one_act_at_a_time(desk: Desk) -> None:
    external = by_hand(desk)
    inbox.flatten(principal=desk.principal, position=external, reason="not ours")
    assert refusal(inbox.adopt, desk, external) == "position_close_in_progress"
    with pytest.raises(Conflict):
        inbox.flatten(principal=desk.principal, position=external, reason="not ours")
    assert Order.objects.filter(reason="flatten").count() == 1


def test_an_adoption_waits_for_a_close_of_the_own_position(desk: Desk) -> None:
    enter(desk)
    external = by_hand(desk)
    account = desk.accounts[0]
    closing.close_position(principal=desk.principal, account=account, symbol=SYMBOL)
    assert refusal(inbox.adopt, desk, external) == "position_close_in_progress"


def test_who_may_not_trade_or_gives_no_reason_settles_nothing(desk: Desk) -> None:
    external = by_hand(desk)
    viewer = replace(desk.principal, role=VIEWER)
    stranger = replace(desk.principal, organisation_id=desk.principal.organisation_id + 1)
    for act in (inbox.adopt, inbox.ignore, inbox.flatten):
        assert refusal(act, desk, external, reason=" ") == "validation_error"
        assert refusal(act, desk, external, principal=viewer) == "permission_denied"
        assert refusal(act, desk, external, principal=stranger) == "position_not_found"
    with pytest.raises(Denied):
        adopt(desk, external, principal=viewer)
    assert Position.objects.waiting().count() == 1
