"""The ledger's accounts and orders as the gateway knows them."""

from functools import partial

from accounts.models import Account
from common.errors import Invalid
from exchanges.gateway import AccountRef
from exchanges.protocol import OrderRequest
from exchanges.venues import Venue, resolve
from trading.models import Order


def account_ref(account: Account) -> AccountRef:
    """What the gateway needs of an account; its secrets are opened only when a client is made,
    which raises as :func:`demand_address` where the venue has moved.
    """
    return AccountRef(
        account_id=account.pk,
        venue=account.venue,
        market_type=account.market_type,
        book=account.book,
        version=account.credentials_version,
        is_testnet=account.is_testnet,
        quote_currency=account.quote_currency,
        secrets=partial(_open_secrets, account),
    )


def _open_secrets(account: Account) -> dict[str, str]:
    """Whoever asks, credentials leave for the address that was confirmed for the account only."""
    demand_address(account)
    return account.open_credentials()


def venue_of(account: Account) -> Venue:
    """The account's venue; raises Invalid ``unknown_venue`` when the operator took it away."""
    return resolve(account.venue, is_testnet=account.is_testnet)


def moved_address(account: Account) -> bool:
    """Whether the venue now points elsewhere than when the account was made."""
    return venue_of(account).address != account.pinned_address


def demand_address(account: Account) -> None:
    """Nothing is asked with the account's credentials where nobody confirmed the address; raises
    Invalid ``venue_address_changed``, and as :func:`venue_of`.
    """
    if moved_address(account):
        raise Invalid(
            "The venue's address changed since the account was made.", code="venue_address_changed"
        )


def order_request(order: Order) -> OrderRequest:
    """The order as it goes to its venue, with the marks that were decided for it there."""
    return OrderRequest(
        symbol=order.symbol,
        side=order.side,
        type=order.type,
        quantity=order.quantity,
        client_order_id=order.client_order_id,
        price=order.price,
        stop_price=order.stop_price,
        time_in_force=order.time_in_force,
        post_only=order.post_only,
        reduce_only=order.venue_reduce_only,
        position_side=order.position_side,
    )
