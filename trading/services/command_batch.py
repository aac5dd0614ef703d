"""A batch of commands, as specification 000 sends them over HTTP and over its socket.

Items are done in their order and each stands alone: a bad one has its error and the others go on,
unless the batch is ``atomic``. Nothing here waits for an exchange; workers do what was written.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import uuid4

from django.db import transaction

from accounts.models import Account
from common.errors import Conflict, Denied, DomainError, Invalid, NotFound
from common.principal import TRADE, Principal
from trading.models import Command, Order, Position

from .command_acts import ACTS, Asked
from .command_items import Item, Kind, given_request_id, read_item
from .commands import submit
from .fills import hold_streams
from .intents import OrderIntent, payload_hash
from .item_intents import closing_intent, entry_intent
from .legs import refusal_sentence
from .market_view import MarketView, view_markets
from .modes import mode_told

MAX_ITEMS = 100
NOT_EXECUTED = "batch_not_executed"


@dataclass(frozen=True, slots=True)
class ItemResult:
    """What became of one item; ``order_id`` is the order it made or is about."""

    index: int
    ok: bool
    request_id: str = ""
    command_id: int | None = None
    order_id: int | None = None
    code: str = ""
    message: str = ""
    fields: dict[str, str] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)


def run_batch(
    *,
    principal: Principal,
    items: Sequence[Any],
    account_id: int | None = None,
    atomic: bool = False,
) -> list[ItemResult]:
    """Do the items (JSON values, see ``command_items``) and tell of each, in their order.

    ``account_id`` is the only account they may be about. With ``atomic`` all are done or none: what
    would have gone then has the code ``batch_not_executed``. An item's ``request_id`` makes it
    idempotent per caller and account: the same item again gets its first answer, another one
    ``idempotency_mismatch``. Raises Invalid ``bad_batch_size`` for other than 1 to 100 items.
    """
    if not 0 < len(items) <= MAX_ITEMS:
        raise Invalid(f"A batch has 1 to {MAX_ITEMS} commands.", code="bad_batch_size")
    batch = _Batch(principal)
    for index, given in enumerate(items):
        batch.read(index, given, account_id)
    batch.find_accounts()
    if atomic:
        return _all_or_nothing(batch)
    batch.run()
    return batch.results()


def _all_or_nothing(batch: "_Batch") -> list[ItemResult]:
    """The batch in one transaction, undone when an item fails; venues are asked for markets before
    it begins.
    """
    if not batch.failed:
        batch.look_at_markets()
        with transaction.atomic():
            hold_streams(batch.streams())
            batch.run()
            if batch.failed:
                transaction.set_rollback(True)
    return batch.undone() if batch.failed else batch.results()


class _Batch:
    """The items of a batch that can be done, and what is known of each."""

    def __init__(self, principal: Principal) -> None:
        self._principal = principal
        self._items: dict[int, Item] = {}
        self._results: dict[int, ItemResult] = {}
        self._accounts: dict[int, Account] = {}
        self._waiting: dict[int, OrderIntent] = {}
        self._markets: MarketView | None = None

    @property
    def failed(self) -> bool:
        """Whether an item has an error by now."""
        return any(not result.ok for result in self._results.values())

    def results(self) -> list[ItemResult]:
        """One for each item, in their order."""
        return [self._results[index] for index in sorted(self._results)]

    def undone(self) -> list[ItemResult]:
        """The results once everything was taken back."""
        indexes = sorted({*self._items, *self._results})
        return [self._taken_back(index) for index in indexes]

    def _taken_back(self, index: int) -> ItemResult:
        result = self._results.get(index)
        if result is not None and not result.ok:
            return replace(result, command_id=None, order_id=None)
        return ItemResult(
            index=index,
            ok=False,
            request_id=self._items[index].request_id,
            code=NOT_EXECUTED,
            message="Another command of the batch failed: none was executed.",
        )

    def read(self, index: int, given: Any, account_id: int | None) -> None:
        """Take an item in, or keep what is wrong with it."""
        try:
            item = read_item(given, account_id=account_id)
        except Invalid as error:
            refused = _failure(index, error)
            self._results[index] = replace(refused, request_id=given_request_id(given))
            return
        self._items[index] = replace(item, request_id=item.request_id or f"auto:{uuid4().hex}")

    def find_accounts(self) -> None:
        """Read the accounts of all items; those that the principal may not trade on fail theirs."""
        wanted = {item.account_id for item in self._items.values()}
        rows = Account.objects.visible_to(self._principal).filter(deleted_at=None)
        self._accounts = rows.in_bulk(wanted)
        for index, item in list(self._items.items()):
            if item.account_id not in self._accounts:
                error: DomainError = NotFound("There is no such account.", code="account_not_found")
            elif not self._principal.may(TRADE, item.account_id):
                error = Denied("Your role does not allow this.", code="permission_denied")
            else:
                continue
            del self._items[index]
            self._results[index] = _failure(index, error, item)

    def look_at_markets(self) -> None:
        """Ask the venues about every symbol of the batch beforehand."""
        pairs = self.streams()
        accounts = [self._accounts[account_id] for account_id in {pair[0] for pair in pairs}]
        self._markets = view_markets(accounts, {symbol for _, symbol in pairs})

    def streams(self) -> set[tuple[int, str]]:
        """The (account, symbol) pairs the items are about."""
        pairs = set()
        for item in self._items.values():
            symbol = item.payload.get("symbol") or self._symbol_of(item)
            if symbol:
                pairs.add((item.account_id, symbol))
        return pairs

    def _symbol_of(self, item: Item) -> str:
        account = self._accounts[item.account_id]
        names = ("order_id", "position_id", "position_id_a")
        number = next((item.payload[name] for name in names if item.payload.get(name)), 0)
        model = Order if "order_id" in item.payload else Position
        row = model.objects.visible_to(self._principal).filter(account=account, pk=number)
        return row.values_list("symbol", flat=True).first() or ""

    def run(self) -> None:
        """Do every item. Entries that follow each other are submitted together."""
        for index in sorted(self._items):
            item = self._items[index]
            try:
                self._do(index, item)
            except DomainError as error:
                self._results[index] = _failure(index, error, item)
        self._submit_waiting()

    def _do(self, index: int, item: Item) -> None:
        if item.kind == Kind.SEND_ORDER and not item.payload["reduce_only"]:
            if self._repeats_a_waiting(item):
                self._submit_waiting()
            self._waiting[index] = entry_intent(item)
            return
        self._submit_waiting()
        if item.kind == Kind.SEND_ORDER:
            self._submit({index: entry_intent(item)})
        elif item.kind == Kind.CLOSE_POSITION:
            self._submit({index: closing_intent(self._principal, self._account(item), item)})
        else:
            asked = Asked(self._principal, self._account(item), item, self._markets)
            command, order = ACTS[item.kind](asked)
            self._results[index] = answer_of(command, index, order)

    def _account(self, item: Item) -> Account:
        return self._accounts[item.account_id]

    def _repeats_a_waiting(self, item: Item) -> bool:
        key = (item.account_id, item.request_id)
        return any((each.account_id, each.request_id) == key for each in self._waiting.values())

    def _submit_waiting(self) -> None:
        waiting, self._waiting = self._waiting, {}
        if waiting:
            self._submit(waiting)

    def _submit(self, intents: dict[int, OrderIntent]) -> None:
        """Submit intents that were not submitted before, and tell of all.

        Where that fails as a whole (a repeat at the same moment), each is tried alone.
        """
        new = self._told_before(intents)
        if not new:
            return
        try:
            self._tell(new, self._written(new.values()))
        except DomainError as error:
            if len(new) == 1:
                self._tell_refused(new, error)
                return
            for index, intent in new.items():
                self._submit({index: intent})

    def _tell_refused(self, intents: dict[int, OrderIntent], error: DomainError) -> None:
        for index in self._told_before(intents):
            self._results[index] = _failure(index, error, self._items[index])

    def _written(self, intents: Iterable[OrderIntent]) -> Iterable[Command]:
        execution = submit(
            principal=self._principal,
            intents=list(intents),
            source="command",
            markets=self._markets,
        )
        return Command.objects.filter(execution=execution).select_related("order")

    def _told_before(self, intents: dict[int, OrderIntent]) -> dict[int, OrderIntent]:
        """Answer for those whose request ids are taken; returns the others."""
        rows = Command.objects.filter(
            organisation_id=self._principal.organisation_id,
            principal_key=self._principal.key,
            account__in={intent.account_id for intent in intents.values()},
            request_id__in={intent.request_id for intent in intents.values()},
        )
        return self._tell(intents, rows.select_related("order"))

    def _tell(
        self, intents: dict[int, OrderIntent], commands: Iterable[Command]
    ) -> dict[int, OrderIntent]:
        """Answer for the intents that have one of these commands; returns the others."""
        found = {(row.account_id, row.request_id): row for row in commands}
        left = {}
        for index, intent in intents.items():
            command = found.get((intent.account_id, intent.request_id))
            if command is None:
                left[index] = intent
            elif command.payload_sha256 != payload_hash(intent.payload()):
                self._results[index] = _failure(index, _mismatch(), self._items[index])
            else:
                self._results[index] = answer_of(command, index)
        return left


def answer_of(command: Command, index: int, order: Order | None = None) -> ItemResult:
    """The answer that a stored command gives, at first and to every repeat; ``order`` is the one it
    is about, where that is not the one it made.
    """
    order = order or getattr(command, "order", None)
    return ItemResult(
        index=index,
        ok=command.state != Command.State.DENIED,
        request_id=command.request_id,
        command_id=command.pk,
        order_id=order.pk if order else None,
        code=command.reason_code,
        message=_sentence(command),
        details=_details(command),
    )


def _details(command: Command) -> dict[str, Any]:
    """The order that is in the way of a refused one, and the mode where one was asked for."""
    told: dict[str, Any] = {"mode": mode_told(command)} if mode_told(command) else {}
    if command.state == Command.State.DENIED and "order_id" in command.decision:
        told["order_id"] = command.decision["order_id"]
    return told


def _sentence(command: Command) -> str:
    if command.state != Command.State.DENIED:
        return ""
    return refusal_sentence(command.decision)


def _mismatch() -> Conflict:
    return Conflict("This request id was used for another command.", code="idempotency_mismatch")


def _failure(index: int, error: DomainError, item: Item | None = None) -> ItemResult:
    return ItemResult(
        index=index,
        ok=False,
        request_id=item.request_id if item else "",
        code=error.code,
        message=error.message,
        fields=error.fields,
        details=error.details,
    )
