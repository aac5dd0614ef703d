"""A desk at a rehearsal exchange, for the tests of the campaign's own checker."""

from tests.trading.conftest import exchange, make_desk, organisation, principal, shared_exchange

__all__ = ["exchange", "make_desk", "organisation", "principal", "shared_exchange"]
