"""One order of one caller, the same from every surface: its account, its key, its first answer."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from uuid import uuid4

from django.conf import settings

from accounts.models import Account, Book
from accounts.paper_accounts import open_paper_account, paper_venue
from common.errors import Conflict, Denied, Invalid, Unavailable
from common.principal import TRADE, Principal
from trading import states
from trading.models import Command, Order
from trading.models.orders import OrderType

from .commands import submit
from .intents import OrderIntent, payload_hash
from .leg_demands import STOP_TYPES
from .legs import await_answers
from .market_view import MarketView, view_markets
from .reconcile import sync_account

logger = logging.getLogger(__name__)

# Which accounts a caller reaches who names no venue but a book.
BOOK_WORDS = {"paper": Book.PAPER}
UNANSWERED = frozenset({states.CREATED, states.SENDING})


@dataclass(frozen=True, slots=True)
class NewOrder:
    """What a caller asks for; ``quantity`` in base units, prices in quote currency. ``mode`` and
    what follows it are those of ``OrderIntent``.
    """

    symbol: str
    side: str
    type: str
    quantity: Decimal
    price: Decimal | None = None
    stop_price: Decimal | None = None
    time_in_force: str = "gtc"
    post_only: bool = False
    reduce_only: bool = False
    mode: str = ""
    allow_downgrade: bool = False
    stop_loss: str = ""
    take_profit: str = ""
    trailing_stop: str = ""


@dataclass(frozen=True, slots=True)
class Placed:
    """What is known of an order: ``order`` is None where the command was denied."""

    command: Command
    order: Order | None
    is_repeat: bool = False

    @property
    def is_rejected(self) -> bool:
        """Whether it never became an order at the venue."""
        return self.order is None or states.STATES[self.order.state].leg == "rejected"

    @property
    def reason(self) -> str:
        """The code of the refusal or of the outcome's cause, empty for a good order."""
        return self.command.reason_code or (self.order.error_code if self.order else "")

    @property
    def message(self) -> str:
        """The sentence to the reason."""
        if self.order is not None:
            return self.order.error_message
        return str(self.command.decision.get("message") or "A risk check refused the order.")


def account_for(
    principal: Principal,
    *,
    venue: str,
    symbol: str,
    account: Account | None = None,
    opens_paper: bool = False,
) -> Account:
    """The account an order goes to: the one named, else the only one at the venue.

    ``venue`` may be ``paper`` for the caller's paper account, the one at the usual venue where
    there are several. Where there is none, that one is opened, and with ``opens_paper`` one at the
    venue named. ``account`` must be visible to the principal. Raises Invalid (``no_account``,
    ``other_venue``, ``unknown_venue``), Conflict ``account_ambiguous`` with the numbers, Denied for
    a caller who may not trade there.
    """
    if account is not None:
        _tradable(principal, [account])
        _demand_match(account, venue)
        return account
    rows = Account.objects.visible_to(principal).usable().order_by("pk")
    found = [each for each in rows if _matches(each, venue)]
    if not found and (opens_paper or venue in BOOK_WORDS):
        return _opened(principal, venue, symbol)
    if not found:
        raise Invalid(
            "There is no account for this order.",
            code="no_account",
            fields={"exchange": "you have no account there that can trade"},
        )
    found = _tradable(principal, found)
    if venue in BOOK_WORDS:
        usual = paper_venue()
        found = [each for each in found if each.venue == usual] or found
    if len(found) > 1:
        raise Conflict(
            "Several accounts could take this order: name one by account_id.",
            code="account_ambiguous",
            details={"account_ids": [str(each.pk) for each in found]},
        )
    return found[0]


def _opened(principal: Principal, venue: str, symbol: str) -> Account:
    """A new paper account, read once; where its venue does not answer, the order says so."""
    account = open_paper_account(
        principal=principal,
        venue=paper_venue() if venue in BOOK_WORDS else venue,
        quote_currency=symbol.partition("/")[2].partition(":")[0],
    )
    try:
        return sync_account(account=account)
    except Unavailable as error:
        logger.info("the new account %s was not read: %s", account.pk, error.code)
        return account


def _matches(account: Account, venue: str) -> bool:
    return account.venue == venue or BOOK_WORDS.get(venue) == account.book


def _demand_match(account: Account, venue: str) -> None:
    if not _matches(account, venue):
        raise Invalid(
            "The account is not what the order says of it.",
            code="other_venue",
            fields={"account_id": f"is at {account.venue}, in the book {account.book}"},
        )


def _tradable(principal: Principal, accounts: Iterable[Account]) -> list[Account]:
    found = [each for each in accounts if principal.may(TRADE, each.pk)]
    if not found:
        raise Denied("Your role does not allow this.", code="permission_denied")
    return found


def place_at(
    *,
    principal: Principal,
    venue: str,
    order: NewOrder,
    source: str,
    account: Account | None = None,
    opens_paper: bool = False,
    idempotency_key: str = "",
) -> Placed:
    """:func:`place_order` for the account of :func:`account_for`; a senseless order opens none."""
    if account is not None:
        _tradable(principal, [account])
    _demand_sensible(order)
    return place_order(
        principal=principal,
        account=account_for(
            principal, venue=venue, symbol=order.symbol, account=account, opens_paper=opens_paper
        ),
        order=order,
        source=source,
        idempotency_key=idempotency_key,
    )


def place_order(
    *,
    principal: Principal,
    account: Account,
    order: NewOrder,
    source: str,
    idempotency_key: str = "",
) -> Placed:
    """Submit the order, wait ``ORDER_WAIT_SECONDS`` for its venue's answer, and say what is known.

    ``idempotency_key`` stands for one order per caller and account: a repeat gives the first one,
    Conflict ``order_in_progress`` with the command while that has no answer yet, Conflict
    ``idempotency_mismatch`` for another order. Blocks the calling thread. Raises Denied, Invalid
    for an order that no venue could take, before anything is written.
    """
    _tradable(principal, [account])
    _demand_sensible(order)
    intent = intent_for(account, order, idempotency_key or f"auto:{uuid4().hex}")
    if idempotency_key and (earlier := _earlier(principal, intent)) is not None:
        return earlier
    markets = view_markets([account], {order.symbol})
    _demand_side_of_stop(account, order, markets)
    try:
        execution = submit(
            principal=principal,
            intents=[intent],
            source=source,
            source_ref=order.symbol,
            markets=markets,
        )
    except Conflict:
        # The same key at the same moment: the other request won.
        if (earlier := _earlier(principal, intent)) is None:
            raise
        return earlier
    await_answers(execution, settings.ORDER_WAIT_SECONDS)
    return placed_by(Command.objects.select_related("order").get(execution=execution))


def placed_by(command: Command, *, is_repeat: bool = False) -> Placed:
    """What became of a command that was to place an order; reads its order unless it was."""
    return Placed(command, getattr(command, "order", None), is_repeat)


def intent_for(account: Account, order: NewOrder, request_id: str = "") -> OrderIntent:
    """The intent that the order is submitted as."""
    return OrderIntent(
        account_id=account.pk,
        symbol=order.symbol,
        side=order.side,
        type=order.type,
        quantity=order.quantity,
        price=order.price,
        stop_price=order.stop_price,
        time_in_force=order.time_in_force,
        post_only=order.post_only,
        reduce_only=order.reduce_only,
        mode=order.mode,
        allow_downgrade=order.allow_downgrade,
        stop_loss=order.stop_loss,
        take_profit=order.take_profit,
        trailing_stop=order.trailing_stop,
        request_id=request_id,
    )


def _earlier(principal: Principal, intent: OrderIntent) -> Placed | None:
    """What the key stands for already."""
    command = (
        Command.objects.filter(
            organisation_id=principal.organisation_id,
            principal_key=principal.key,
            account_id=intent.account_id,
            request_id=intent.request_id,
        )
        .select_related("order")
        .first()
    )
    if command is None:
        return None
    if command.payload_sha256 != payload_hash(intent.payload()):
        raise Conflict(
            "This idempotency key was used for another request.", code="idempotency_mismatch"
        )
    placed = placed_by(command, is_repeat=True)
    if placed.order is not None and placed.order.state in UNANSWERED:
        raise Conflict(
            "The first request with this key is still running.",
            code="order_in_progress",
            details={"command_id": command.pk, "order_id": placed.order.pk},
        )
    return placed


def _demand_sensible(order: NewOrder) -> None:
    """Raise Invalid for what no venue could execute, each fault by its field."""
    is_triggered, faults = order.type in STOP_TYPES, {}
    for name in ("quantity", "price", "stop_price"):
        value = getattr(order, name)
        if value is not None and value <= 0:
            faults[name] = "must be above 0"
    if order.type == OrderType.LIMIT and order.price is None:
        faults["price"] = "is required for a limit order"
    if order.type == OrderType.MARKET and order.price is not None:
        faults["price"] = "is not for a market order"
    if is_triggered and order.stop_price is None:
        faults["stop_price"] = f"is required for {order.type}"
    if not is_triggered and order.stop_price is not None:
        faults["stop_price"] = "is for stop_loss and take_profit alone"
    if is_triggered and order.time_in_force != "gtc":
        faults["time_in_force"] = f"must be gtc for {order.type}"
    if order.post_only and (order.type != OrderType.LIMIT or order.time_in_force != "gtc"):
        faults["post_only"] = "is for limit orders that rest"
    if faults:
        raise Invalid("The order is not acceptable.", fields=faults)


def _demand_side_of_stop(account: Account, order: NewOrder, markets: MarketView) -> None:
    """A trigger on the wrong side of the price would fire at once; raises Invalid."""
    price = markets.of(account, order.symbol).price
    if order.stop_price is None or price is None:
        return
    waits_below = (order.type == OrderType.STOP_LOSS) == (order.side == "sell")
    if (order.stop_price >= price) if waits_below else (order.stop_price <= price):
        where = "below" if waits_below else "above"
        raise Invalid(
            "The stop price is on the wrong side of the market.",
            code="stop_price_passed",
            fields={"stop_price": f"must be {where} the last price"},
        )
