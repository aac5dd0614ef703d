"""What has to be known of protective orders before an exit is sent."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import pytest

from exchanges import clearing
from exchanges.clearing import LOOKS, Protection, cleared
from exchanges.outcomes import REFUSED, VenueError
from exchanges.protocol import OrderRequest, VenueOrder

REQUEST = OrderRequest(
    symbol="BTC/USDT", side="sell", type="market", quantity=Decimal("0.3"), client_order_id="exit"
)


def told(status: str, filled: str = "0") -> VenueOrder:
    """The protective order as an answer has it."""
    return VenueOrder(
        exchange_order_id="7",
        client_order_id="tp",
        symbol="BTC/USDT",
        side="sell",
        type="limit",
        status=status,
        quantity=Decimal("0.3"),
        filled=Decimal(filled),
    )


@dataclass
class Exchange:
    """Answers one look after the other; the last one for ever. Cancels as long as ``may_cancel``
    lets it.
    """

    answers: Sequence[VenueOrder | None]
    may_cancel: bool = True
    cancels: int = 0
    looks: int = 0

    async def cancel(self, symbol: str, client_order_id: str, exchange_order_id: str) -> None:
        """Cancel, or refuse to."""
        self.cancels += 1
        if not self.may_cancel:
            raise VenueError(outcome=REFUSED, code="order_not_found", message="unknown order")

    async def find_order(self, symbol: str, *ids: str) -> VenueOrder | None:
        """The next answer."""
        self.looks += 1
        return self.answers[min(self.looks, len(self.answers)) - 1]


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clearing, "PAUSE_SECONDS", 0)


OPEN, FILLED = told("open"), told("filled", "0.3")


@pytest.mark.parametrize(
    ("answers", "may_cancel", "number", "left", "looks"),
    [
        ((told("canceled"),), True, "7", "0.3", 1),
        ((told("canceled", "0.1"),), True, "7", "0.2", 1),
        # Older answers than the cancel's own word.
        ((OPEN, OPEN, told("canceled", "0.1")), True, "7", "0.2", 3),
        ((OPEN, FILLED), False, "7", None, 2),
        ((None, None, FILLED), False, "7", None, 3),
        # One that was never numbered need not be there; one that nobody knows any more is gone.
        ((None,), False, "", "0.3", 1),
        ((None,), False, "7", "0.3", LOOKS),
        ((None,), True, "7", "0.3", LOOKS),
    ],
)
async def test_an_exit_is_what_the_protective_order_left(
    answers: Sequence[VenueOrder | None],
    may_cancel: bool,
    number: str,
    left: str | None,
    looks: int,
) -> None:
    exchange = Exchange(answers, may_cancel)
    protection = Protection("tp", number, Decimal(0))
    if left is None:
        with pytest.raises(VenueError) as nothing:
            await cleared(exchange, REQUEST, [protection])  # type: ignore[arg-type]
        assert nothing.value.code == "nothing_to_close"
    else:
        request = await cleared(exchange, REQUEST, [protection])  # type: ignore[arg-type]
        assert request.quantity == Decimal(left)
    assert exchange.looks == looks
    assert exchange.cancels == (1 if may_cancel else looks)


async def test_what_the_ledger_knows_is_not_taken_off_again() -> None:
    exchange = Exchange([told("canceled", "0.1")])
    protection = Protection("tp", "7", Decimal("0.1"))
    request = await cleared(exchange, REQUEST, [protection])  # type: ignore[arg-type]
    assert request.quantity == Decimal("0.3")


@pytest.mark.parametrize("may_cancel", [True, False])
async def test_nothing_is_sent_beside_an_order_that_is_told_as_open(may_cancel: bool) -> None:
    exchange = Exchange([OPEN], may_cancel)
    with pytest.raises(VenueError) as unclear:
        await cleared(exchange, REQUEST, [Protection("tp", "7", Decimal(0))])  # type: ignore[arg-type]
    assert (unclear.value.code, exchange.looks) == ("protection_unclear", LOOKS)
