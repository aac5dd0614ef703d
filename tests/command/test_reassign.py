"""``/position/reassign``: the attribution of deals changes, their facts and all sums stay."""

from decimal import Decimal
from typing import Any

import pytest

from accounts.models import Account
from events.models import AuditRecord, Event
from tests.command.conftest import SYMBOL, Terminal, buy, command, limit
from tests.trading.hedging import ledger_differences
from tests.users.people import Person
from trading.models import Deal, Lot, Order, Position
from trading.services import reconcile
from trading.services.owners import new_magic_id
from users.services import create_api_key


@pytest.fixture
def account(terminal: Terminal) -> Account:
    """A netting account."""
    return terminal.account()


def stranger_trades(terminal: Terminal, account: Account, side: str, quantity: str) -> Deal:
    """A trade that somebody made at the exchange itself."""
    terminal.exchange.call(
        "POST",
        "/_external",
        {
            "api_key": account.open_secret("api_key"),
            "symbol": SYMBOL,
            "side": side,
            "quantity": quantity,
            "type": "MARKET",
        },
    )
    reconcile.poll([account])
    return Deal.objects.filter(account=account, reason="external").latest("pk")


def reassign(terminal: Terminal, account: Account, **body: Any) -> Any:
    """The answer's body, or its error."""
    response = terminal.call("POST", "/position/reassign", {"account_id": account.pk, **body})
    answer = response.json()
    return answer["detail"] if response.status_code != 200 else answer


def facts() -> list[tuple[Any, ...]]:
    """What of a deal never changes."""
    names = ("pk", "side", "quantity", "net_quantity", "price", "fee", "exchange_trade_id")
    return list(Deal.objects.order_by("pk").values_list(*names))


def test_a_strangers_trade_joins_the_netting_position(terminal: Terminal, account: Account) -> None:
    terminal.send(buy(account, "0.03", magic_id=7))
    terminal.work(account)
    terminal.exchange.price(SYMBOL, "52000")
    deal = stranger_trades(terminal, account, "buy", "0.01")
    assert not deal.position.allocated
    before = facts()
    own = Position.objects.get(allocated=True)
    told = reassign(terminal, account, deal_ids=[deal.pk], target_magic_id=9, preview=True)
    assert (told["preview"], told["deals_updated"], told["orders_updated"]) == (True, 1, 0)
    assert Position.objects.count() == 2
    done = reassign(terminal, account, deal_ids=[deal.pk], target_magic_id=9)
    assert done == {**told, "preview": False}
    position = Position.objects.get()
    assert (position.pk, str(position.quantity)) == (own.pk, "0.03996")
    assert position.average_price == Decimal("50500")
    lots = Lot.objects.order_by("magic_id").values_list("magic_id", "quantity")
    assert [(owner, str(quantity)) for owner, quantity in lots] == [(7, "0.02997"), (9, "0.00999")]
    deal.refresh_from_db()
    assert (deal.magic_id, deal.position_id, deal.reconciled) == (9, own.pk, True)
    assert facts() == before
    assert ledger_differences() == []
    again = reassign(terminal, account, deal_ids=[deal.pk], target_magic_id=9)
    assert (again["deals_updated"], again["positions"]) == (0, [])
    assert AuditRecord.objects.filter(action="ledger.reassigned").count() == 1
    assert Event.objects.get(kind="ledger.reassigned").payload["deals_updated"] == 1


def test_a_strangers_sale_closes_what_it_sold(terminal: Terminal, account: Account) -> None:
    terminal.send(buy(account, "0.03"))
    terminal.work(account)
    terminal.exchange.price(SYMBOL, "52000")
    deal = stranger_trades(terminal, account, "sell", "0.02")
    done = reassign(terminal, account, deal_ids=[deal.pk])
    position = Position.objects.get()
    assert (str(position.quantity), position.realised) == ("0.00997", Decimal("40"))
    assert [row["after"] is None for row in done["positions"]] == [False, True]
    deal.refresh_from_db()
    assert (deal.entry, deal.realised) == ("out", Decimal("40"))
    assert ledger_differences() == []


def test_an_order_takes_all_its_deals_to_another_owner(
    terminal: Terminal, account: Account
) -> None:
    terminal.exchange.fault("partial_parts", n=3)
    (placed,) = terminal.send(buy(account, "0.03", magic_id=7))
    terminal.work(account)
    assert Deal.objects.count() == 3
    owned = reassign(terminal, account, order_ids=[placed["order_id"]], target_magic_id=8)
    assert owned["code"] == "already_owned"
    why = reassign(terminal, account, order_ids=[placed["order_id"]], override=True)
    assert (why["code"], list(why["fields"])) == ("validation_error", ["reason"])
    done = reassign(
        terminal,
        account,
        order_ids=[placed["order_id"]],
        target_magic_id=8,
        override=True,
        reason="wrong strategy",
    )
    assert (done["deals_updated"], done["orders_updated"]) == (3, 1)
    assert set(Deal.objects.values_list("magic_id", flat=True)) == {8}
    assert Order.objects.get().magic_id == 8
    assert list(Lot.objects.values_list("magic_id", flat=True)) == [8]
    record = AuditRecord.objects.get(action="ledger.reassigned")
    assert record.after["reason"] == "wrong strategy"
    assert ledger_differences() == []


def test_in_a_hedging_account_deals_move_between_positions(terminal: Terminal) -> None:
    account = terminal.account("hedge", position_mode="hedge")
    terminal.send(buy(account, "0.03"), buy(account, "0.02"))
    terminal.work(account)
    one, two = Position.objects.order_by("pk")
    deal = Deal.objects.get(position=two)
    done = reassign(terminal, account, deal_ids=[deal.pk], target_position_id=one.pk)
    assert done["deals_updated"] == 1
    one.refresh_from_db()
    assert str(one.quantity) == "0.04995"
    assert not Position.objects.filter(pk=two.pk).exists()
    assert Order.objects.get(pk=deal.order_id).position_id == one.pk
    outside = stranger_trades(terminal, account, "buy", "0.01")
    reassign(terminal, account, deal_ids=[outside.pk], target_magic_id=5)
    made = Position.objects.exclude(pk=one.pk).get()
    assert (made.allocated, made.is_netting, str(made.quantity)) == (True, False, "0.00999")
    assert ledger_differences() == []


def test_what_cannot_be_moved_is_refused_and_nothing_moves(terminal: Terminal) -> None:
    account = terminal.account("hedge", position_mode="hedge")
    terminal.send(buy(account, "0.03"), buy(account, "0.02", side="sell"))
    terminal.work(account)
    long, short = Position.objects.order_by("pk")
    terminal.send(
        command("close_by", account, position_id_a=long.pk, position_id_b=short.pk, qty="0.01")
    )
    (resting,) = terminal.send(limit(account, "0.01", "49000"))
    terminal.work(account)
    internal = Deal.objects.filter(reason="close_by_internal").first()
    bought, sold = Deal.objects.exclude(reason="close_by_internal").order_by("pk")
    before = (facts(), list(Position.objects.order_by("pk").values()))
    refusals: list[tuple[dict[str, Any], str]] = [
        ({"deal_ids": [internal.pk]}, "internal_deal"),
        ({"deal_ids": [10**9]}, "deal_not_found"),
        ({"order_ids": [10**9]}, "order_not_found"),
        ({"order_ids": [resting["order_id"]]}, "order_not_finished"),
        ({"deal_ids": [bought.pk], "target_position_id": 10**9}, "position_not_found"),
        ({"deal_ids": [bought.pk], "target_position_id": short.pk}, "position_would_turn"),
        ({"deal_ids": [bought.pk], "target_magic_id": 2_000_000}, "validation_error"),
        ({"deal_ids": [bought.pk, True]}, "validation_error"),
        ({"deal_ids": [bought.pk], "magic_id": 3}, "validation_error"),
    ]
    for body, code in refusals:
        assert reassign(terminal, account, **body)["code"] == code, body
    assert (facts(), list(Position.objects.order_by("pk").values())) == before
    terminal.send(command("close_position", account, position_id=long.pk))
    running = reassign(terminal, account, deal_ids=[bought.pk], target_magic_id=3)
    assert running["code"] == "position_close_in_progress"
    owner = new_magic_id(organisation_id=account.organisation_id)
    fine = reassign(terminal, account, deal_ids=[sold.pk], target_magic_id=owner, preview=True)
    assert fine["deals_updated"] == 1


def test_an_empty_wish_changes_nothing(terminal: Terminal, account: Account) -> None:
    assert reassign(terminal, account, deal_ids=[], order_ids=[], target_magic_id=0) == {
        "ok": True, "preview": False, "deals_updated": 0, "orders_updated": 0, "positions": [],
    }  # fmt: skip
    assert not AuditRecord.objects.filter(action="ledger.reassigned").exists()


def test_viewers_and_strangers_reassign_nothing(
    terminal: Terminal, account: Account, stranger: Person
) -> None:
    body = {"account_id": account.pk, "deal_ids": []}
    _, eyes = create_api_key(user=terminal.person.user, label="eyes", role="viewer")
    seen = terminal.call("POST", "/position/reassign", body, HTTP_X_API_KEY=eyes)
    assert (seen.status_code, seen.json()["detail"]["code"]) == (403, "permission_denied")
    _, theirs = create_api_key(user=stranger.user, label="theirs", role="admin")
    gone = terminal.call("POST", "/position/reassign", body, HTTP_X_API_KEY=theirs)
    assert (gone.status_code, gone.json()["detail"]["code"]) == (404, "account_not_found")
