"""A small tenant with everything the pages show, written straight into the database."""

import uuid
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from itertools import count

import pyotp

from accounts.models import Account, Balance, Book, EquityPoint
from bots.models import Bot
from common.clock import now
from events.log import publish
from events.sequencer import number_events
from marketdata.models import LastPrice
from trading import states
from trading.models import Command, Deal, Execution, Lot, Order, OrderEvent, Position
from users import mfa
from users.models import ApiKey, Organisation, Role, TotpDevice, User
from webhooks.models import Signal

PASSWORD = "correct horse battery"
MARKER_KEY = "MARKER-api-key-7d1f"
MARKER_SECRET = "MARKER-api-secret-92ab"
MARKER_PHRASE = "MARKER-passphrase-41cc"
MARKER_HMAC = "MARKER-hmac-secret-c0de"
MARKER_HASH = "MARKERHASH" + "0" * 54
_numbers = count(1)


@dataclass(slots=True)
class World:
    """One organisation and what it owns."""

    organisation: Organisation
    user: User
    bot: Bot
    accounts: list[Account] = field(default_factory=list)


def make_world(
    name: str,
    *,
    accounts: int = 2,
    role: str = Role.ADMIN,
    is_staff: bool = True,
    is_superuser: bool = False,
) -> World:
    """An organisation with a user, accounts and a bot that reaches them."""
    organisation = Organisation.objects.create(name=name)
    user = User.objects.create_user(
        f"{name.lower()}-user",
        f"{name.lower()}@example.test",
        PASSWORD,
        organisation=organisation,
        role=role,
        is_staff=is_staff,
        is_superuser=is_superuser,
    )
    bot = Bot(
        organisation=organisation,
        name=f"{name} bot",
        magic_id=1_900_001,
        path_token_hash=f"{MARKER_HASH[:50]}{next(_numbers):014d}",
    )
    bot.set_hmac_secret(MARKER_HMAC)
    bot.save()
    world = World(organisation, user, bot)
    for number in range(1, accounts + 1):
        world.accounts.append(make_account(world, f"{name} {number}"))
    bot.accounts.set(world.accounts)
    return world


def make_account(world: World, name: str, book: str = Book.REHEARSAL) -> Account:
    """An account with sealed marker credentials, fresh figures and an equity line."""
    account = Account(
        organisation=world.organisation,
        name=name,
        venue="rehearsal",
        book=book,
        balance=Decimal("9000.5"),
        equity=Decimal("10250.123456789"),
        synced_at=now(),
        equity_at=now(),
        key_fingerprint=f"{MARKER_HASH[:50]}{next(_numbers):014d}",
        initial_balance=Decimal(10000),
        key_hint="7d1f",
    )
    for column, secret in (
        ("api_key", MARKER_KEY),
        ("api_secret", MARKER_SECRET),
        ("passphrase", MARKER_PHRASE),
    ):
        account.set_secret(column, secret)
    account.save()
    Balance.objects.create(account=account, currency="USDT", free=Decimal(9000), at=now())
    Balance.objects.create(account=account, currency="BTC", free=Decimal("0.0125"), at=now())
    EquityPoint.objects.bulk_create(
        EquityPoint(
            account=account,
            book=account.book,
            at=now() - timedelta(minutes=5 * (40 - step)),
            balance=Decimal(9000),
            equity=Decimal(10000 + (step * 37) % 211 + step * 4),
        )
        for step in range(40)
    )
    return account


def make_execution(world: World, source: str = "signal", source_ref: str = "") -> Execution:
    """A fan-out without legs yet."""
    return Execution.objects.create(
        organisation=world.organisation,
        correlation_id=uuid.uuid4().hex,
        source=source,
        source_ref=source_ref,
        actor=f"bot:{world.bot.pk}",
        requested={"symbol": "BTC/USDT"},
    )


def make_order(
    account: Account,
    *,
    state: str = states.FILLED,
    symbol: str = "BTC/USDT",
    side: str = "buy",
    quantity: str = "0.0125",
    execution: Execution | None = None,
    position: Position | None = None,
) -> Order:
    """An order with its command, decision and history."""
    uid = uuid.uuid4()
    command = Command.objects.create(
        organisation_id=account.organisation_id,
        account=account,
        execution=execution,
        principal_key="user:1",
        request_id=uid.hex,
        payload_sha256=MARKER_HASH[:64],
        payload={
            "symbol": symbol,
            "side": side,
            "type": "market",
            "quantity": quantity,
            "time_in_force": "gtc",
        },
        state=Command.State.ACCEPTED,
        decision={
            "allowed": True,
            "code": "",
            "checks": [
                {"name": "max_order_value", "passed": True, "value": "625", "limit": "5000"}
            ],
        },
    )
    filled = Decimal(quantity) if state == states.FILLED else Decimal(0)
    order = Order.objects.create(
        uid=uid,
        organisation_id=account.organisation_id,
        account=account,
        book=account.book,
        command=command,
        symbol=symbol,
        side=side,
        type="market",
        quantity=Decimal(quantity),
        client_order_id=f"tp{uid.hex[:26]}",
        exchange_order_id=str(next(_numbers)),
        state=state,
        filled_quantity=filled,
        average_price=Decimal("50123.45") if filled else None,
        position=position,
        magic_id=1_900_001,
    )
    OrderEvent.objects.create(order=order, new_state=states.CREATED, cause="submit")
    OrderEvent.objects.create(
        order=order,
        old_state=states.SENDING,
        new_state=state,
        cause="answer",
        details={"orderId": 1, "signature": "MARKER-signature-5555"},
    )
    return order


def make_position(account: Account, symbol: str = "BTC/USDT", quantity: str = "0.0125") -> Position:
    """An open position with one owner's lot, and a price for it."""
    position = Position.objects.create(
        organisation_id=account.organisation_id,
        account=account,
        book=account.book,
        symbol=symbol,
        side="buy",
        quantity=Decimal(quantity),
        average_price=Decimal(50000),
        entry_price=Decimal(50000),
    )
    Lot.objects.create(position=position, magic_id=1_900_001, quantity=Decimal(quantity))
    LastPrice.objects.update_or_create(
        venue=account.venue, symbol=symbol, defaults={"price": Decimal(50500), "at": now()}
    )
    return position


def make_deal(order: Order, position: Position | None = None) -> Deal:
    """The fill of an order."""
    return Deal.objects.create(
        organisation_id=order.organisation_id,
        account_id=order.account_id,
        book=order.book,
        order=order,
        position=position,
        symbol=order.symbol,
        side=order.side,
        quantity=order.quantity,
        net_quantity=order.quantity,
        price=Decimal("50123.45"),
        fee=Decimal("0.0000125"),
        fee_currency="BTC",
        fee_quote=Decimal("0.62"),
        realised=Decimal("12.5"),
        exchange_trade_id=str(next(_numbers)),
        executed_at=now(),
    )


def make_signal(world: World, *, state: str = Signal.State.FINISHED) -> Signal:
    """A finished signal with a filled leg per account."""
    execution = make_execution(world)
    for account in world.accounts:
        make_order(account, execution=execution)
    return Signal.objects.create(
        organisation=world.organisation,
        bot=world.bot,
        correlation_id=execution.correlation_id,
        body='{"bot_name": "x", "secret": "MARKER-body-secret-1"}',
        body_sha256="0" * 64,
        auth_mode="hmac",
        state=state,
        execution=execution,
        success_count=len(world.accounts),
        request={"side": "buy", "size": "2%", "symbol": "BTCUSDT"},
    )


def fill(world: World) -> None:
    """Everything the pages have a place for, in the first account."""
    account = world.accounts[0]
    signal = make_signal(world)
    position = make_position(account)
    make_deal(signal.execution.legs.order_by("id").first().order, position)
    make_order(account, state=states.OPEN, side="sell")
    make_order(account, state=states.UNKNOWN, symbol="ETH/USDT")
    make_order(account, state=states.REJECTED, symbol="ETH/USDT")
    ApiKey.objects.create(
        organisation=world.organisation,
        user=world.user,
        label="own tools",
        prefix="tp_abcd1234",
        key_hash=f"{MARKER_HASH[:50]}{next(_numbers):014d}",
    )


def announce_order(order: Order, kind: str = "order.updated") -> None:
    """Publish and number an event about an order, as the ledger does."""
    publish(
        kind,
        organisation_id=order.organisation_id,
        topics=(f"account:{order.account_id}",),
        payload={"order_id": order.pk, "account_id": order.account_id, "state": order.state},
    )
    number_events()


def enrolled(world: World) -> str:
    """Give the user a second factor; its secret, whose code of now is still fresh."""
    secret = mfa.enrol(user=world.user).secret
    mfa.confirm(user=world.user, code=pyotp.TOTP(secret).now())
    TotpDevice.objects.filter(user=world.user).update(last_step=0)
    return secret
