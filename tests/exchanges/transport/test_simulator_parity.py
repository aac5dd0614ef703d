"""Every fault of the rehearsal exchange: both transports prove the same, with one request each."""

import ssl
from dataclasses import replace
from decimal import Decimal

import pytest

from exchanges.client import CcxtClient
from exchanges.connection import VenueConnection
from exchanges.outcomes import VenueError
from exchanges.protocol import OrderRequest
from exchanges.simulator.fault_kinds import AFTER, BEFORE, BURSTS, MODIFIERS
from exchanges.transport import Session
from exchanges.venues import Venue
from tests.exchanges.simulator_harness import Rehearsal, rehearsal
from tests.exchanges.transport.ground import KINDS, opened

Proof = tuple[str, str, str]
REQUEST = OrderRequest("BTC/USDT", "buy", "market", Decimal("0.01"), "", position_side="")


async def proven(venue: Rehearsal, session: Session, client_id: str) -> Proof:
    """What one order's answer proves: outcome, code and the exchange's own code."""
    declared = Venue(name="rehearsal", ccxt_id="binance", base_url=venue.server.url)
    connection = VenueConnection(declared, "spot", session, ssl.create_default_context())
    await connection.public()
    exchange = connection.new_exchange({"apiKey": "key-1", "secret": "secret-1"})
    client = CcxtClient(connection, exchange)
    try:
        placed = await client.place(replace(REQUEST, client_order_id=client_id))
    except VenueError as error:
        return error.outcome, error.code, error.venue_code
    return "placed", placed.status, placed.client_order_id


async def under(kind: str, transport: str, params: dict[str, object]) -> tuple[Proof, list[str]]:
    """The proof of one order under a fault, and the log of the order requests that arrived."""
    async with rehearsal() as venue, opened(transport) as session:
        match = {"method": "POST", "path": "/api/v3/order"}
        script = [{"kind": kind, "match": match, "params": params}]
        await venue.call("POST", "/_fault", {"script": script})
        proof = await proven(venue, session, "id-1")
        requests = (await venue.dump())["requests"]
        return proof, [f"{row.get('fault')} {row['verdict']}" for row in requests]


@pytest.mark.parametrize("kind", sorted((BEFORE | AFTER | MODIFIERS) - BURSTS.keys()))
async def test_a_fault_proves_the_same_over_both_transports(kind: str, settings: object) -> None:
    settings.EXCHANGE_TIMEOUT_MS = 3_000
    stock, lean = [await under(kind, each, {"seconds": 0.05, "ms": 50}) for each in KINDS]
    assert lean == stock
    assert len(lean[1]) == 1


@pytest.mark.parametrize("kind", ["hang_before", "hang_after"])
async def test_silence_proves_nothing_over_both_transports(kind: str, settings: object) -> None:
    settings.EXCHANGE_TIMEOUT_MS = 700
    stock, lean = [await under(kind, each, {"seconds": 2}) for each in KINDS]
    assert lean == stock
    assert (lean[0][:2], len(lean[1])) == (("unknown", "timeout"), 1)
