"""Modes and books: which book an order's mode means on an account."""

from exchanges.venues import Venue, resolve

from .models import Account, Book

PAPER, SHADOW, LIVE = "paper", "shadow", "live"
MODES = (PAPER, SHADOW, LIVE)
# Books whose orders never leave the house.
SIMULATED = frozenset({Book.PAPER.value, Book.SHADOW.value})
# Quote currencies that are taken for dollars, one to one.
DOLLARS = ("USD", "USDT", "USDC")


def mode_of(book: str) -> str:
    """The mode whose orders a book holds; live where they are really sent, to whatever venue."""
    return book if book in SIMULATED else LIVE


def sent_book(where: Venue, *, is_testnet: bool) -> str:
    """The book of orders that are sent to a venue: rehearsal at a declared one or a testnet."""
    return Book.REHEARSAL.value if where.is_declared or is_testnet else Book.LIVE.value


def book_of_mode(account: Account, mode: str) -> str:
    """The book that a mode means on an account, whatever the account's own is; raises Invalid
    ``unknown_venue`` where that has to be asked of a venue the operator took away.
    """
    if mode in SIMULATED:
        return mode
    if account.book not in SIMULATED:
        return account.book
    where = resolve(account.venue, is_testnet=account.is_testnet)
    return sent_book(where, is_testnet=account.is_testnet)


def counted_currency(account: Account) -> str:
    """The currency in which accounts are added up: dollars of several kinds are USD."""
    return "USD" if account.quote_currency in DOLLARS else account.quote_currency
