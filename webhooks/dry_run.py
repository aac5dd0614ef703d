"""What an alert would do, account by account: the way of a signal, with nothing stored or sent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from accounts.models import Account
from bots.models import Bot
from bots.services import targets
from common.clock import now
from common.errors import Invalid, NotFound, TooLarge
from common.principal import Principal
from trading.services.intents import OrderIntent
from trading.services.legs import REJECTED, SKIPPED, UNCHANGED, refusal_status
from trading.services.market_view import view_markets
from trading.services.preflight import Check, Preflight, preflights

from .alerts import Alert, alert_time, kept_fields, load_json, parse_alert
from .authentication import Sender, demand_own_name, named_bot, proofs, shown_by, stamp_of
from .duplicates import earlier_signal, identity_of
from .intents import intents_for, symbols_at
from .routing import (
    bar_of,
    demand_market,
    demand_some,
    principal_of_bot,
    timely,
)
from .services import MAX_BODY_BYTES

NOBODY = Sender()
WOULD_PLACE, WOULD_SKIP, WOULD_REJECT = "would_place", "would_skip", "would_reject"
_WOULD = {UNCHANGED: UNCHANGED, SKIPPED: WOULD_SKIP, REJECTED: WOULD_REJECT}


@dataclass(frozen=True, slots=True)
class DryLeg:
    """One account's part: the intent as it would be submitted, and every check over it."""

    account: Account
    asked: OrderIntent
    found: Preflight

    @property
    def intent(self) -> OrderIntent:
        """What would be sent: a target's order is known after its judgement only."""
        return self.found.intent or self.asked

    @property
    def status(self) -> str:
        """``would_place``, ``would_skip``, ``would_reject``, or ``unchanged`` for nothing to do."""
        if self.found.would_go:
            return WOULD_PLACE
        return _WOULD[refusal_status(self.found.code)]

    @property
    def message(self) -> str:
        """What the first check that refuses says in words."""
        refused = (check for check in self.found.checks if check.ok is False)
        return next((check.message for check in refused), "")

    def as_json(self) -> dict[str, Any]:
        """The leg in the words of a signal's answer; money as text."""
        told, intent = self.found.as_json(), self.intent
        return {
            "account_id": str(self.account.pk),
            "account": self.account.name,
            "status": self.status,
            "success": self.found.would_go,
            "symbol": intent.symbol,
            "side": intent.side,
            "order_type": intent.type,
            "reduce_only": intent.reduce_only,
            "qty": told["quantity"],
            "price": told["price"],
            "notional": told["notional"],
            "take_profit": intent.take_profit or None,
            "stop_loss": intent.stop_loss or None,
            "book": told["book"],
            "reason": self.found.code,
            "message": self.message,
            "checks": told["checks"],
        }


@dataclass(frozen=True, slots=True)
class DryRun:
    """What a bot would make of an alert.

    ``proven_by`` is how the alert shows that it is the bot's, empty for nothing, and
    ``by_previous_secret`` whether by one that has been renewed; ``address_admitted`` whether the
    bot takes alerts from where it came. ``repeats`` is the correlation id of the signal it would be
    taken for another delivery of, so that nothing would be sent; ``bar`` why the bot's status lets
    nothing through.
    """

    bot: Bot
    alert: Alert
    legs: Sequence[DryLeg]
    proven_by: str = ""
    by_previous_secret: bool = False
    address_admitted: bool = True
    repeats: str = ""
    bar: str = ""

    @property
    def failing(self) -> int:
        """How many legs would send nothing though something was to do."""
        return len(self.legs) - self.placing - sum(leg.status == UNCHANGED for leg in self.legs)

    @property
    def placing(self) -> int:
        """How many accounts would send an order."""
        return 0 if self.repeats else sum(leg.found.would_go for leg in self.legs)

    def as_json(self) -> dict[str, Any]:
        """For answers; money as text."""
        return {
            "bot_id": str(self.bot.pk),
            "bot": self.bot.name,
            "bot_status": self.bot.status,
            "authentication": {
                "accepts": list(self.bot.auth_modes),
                "proven_by": self.proven_by or None,
                "by_previous_secret": self.by_previous_secret,
                "address_admitted": self.address_admitted,
            },
            "duplicate": bool(self.repeats),
            "duplicate_of": self.repeats or None,
            "reason_code": self.bar,
            "alert": self.alert.as_json(),
            "success_count": self.placing,
            "error_count": self.failing,
            "results": [leg.as_json() for leg in self.legs],
        }


def dry_run(
    *,
    principal: Principal,
    body: bytes,
    headers: Mapping[str, str],
    bot: Bot | None = None,
    sender: Sender = NOBODY,
) -> DryRun:
    """Judge an alert as the door would take it now, for the accounts that the principal may read.

    ``bot`` is whom its address stands for; without one its text has to name a bot. Being authentic
    is told, not demanded; ``sender`` is who asks, taken for whoever sends the alert. Venues are
    asked for markets, prices and what each account holds. Raises TooLarge, BadJson, NotFound
    ``bot_not_found``, and Invalid as the door does for what no account could execute.
    """
    if len(body) > MAX_BODY_BYTES:
        raise TooLarge(f"An alert has at most {MAX_BODY_BYTES} bytes.")
    parsed = load_json(body)
    if bot is None:
        bot = _bot_named(principal, parsed)
    else:
        demand_own_name(bot, parsed)
    asked = kept_fields(parsed)
    timely(bot, alert_time(asked), at=now())
    alert = parse_alert(asked)
    shown = shown_by(body=body, parsed=parsed, headers=headers, sender=sender)
    proof = next((each for each in proofs(shown, [bot], bot.name) if each.holds), None)
    proven_by = proof.mode if proof else ""
    identity = identity_of(bot, body, parsed, stamp=stamp_of(proven_by, headers))
    repeated = earlier_signal(bot, identity)
    accounts = targets(bot)
    bar = bar_of(bot, alert, accounts)
    return DryRun(
        bot=bot,
        alert=alert,
        legs=[_barred(leg, bot, bar) for leg in _legs(principal, bot, alert, accounts, bar)],
        proven_by=proven_by,
        by_previous_secret=proof is not None and proof.previous is not None,
        address_admitted=bot.admits(sender.address),
        repeats=repeated.correlation_id if repeated else "",
        bar=bar,
    )


def _bot_named(principal: Principal, parsed: dict[str, Any]) -> Bot:
    name = named_bot(parsed)
    if not name:
        raise Invalid(
            "Which bot is the alert for?",
            fields={"botname": "is required where bot_id does not name the bot"},
        )
    bot = Bot.objects.visible_to(principal).filter(name__iexact=name).first()
    if bot is None:
        raise NotFound("There is no such bot.", code="bot_not_found")
    return bot


def _legs(
    principal: Principal, bot: Bot, alert: Alert, accounts: Sequence[Account], bar: str
) -> list[DryLeg]:
    """A leg for each account that is reached and that the principal may read. What the bot's status
    bars is judged as nobody's, so that an entry is sized all the same.
    """
    demand_some(accounts)
    markets = view_markets(accounts, symbols_at(accounts, alert))
    demand_market(alert, accounts, markets)
    readable = Account.objects.visible_to(principal).in_bulk([each.pk for each in accounts])
    asked = [account for account in accounts if account.pk in readable]
    intents = [
        (readable[intent.account_id], intent) for intent in intents_for(bot, alert, asked, markets)
    ]
    if bar:
        intents = [(account, replace(intent, magic_id=0)) for account, intent in intents]
    found = preflights(principal=principal_of_bot(bot), intents=intents, markets=markets)
    return [
        DryLeg(account, intent, each)
        for (account, intent), each in zip(intents, found, strict=True)
    ]


def _barred(leg: DryLeg, bot: Bot, bar: str) -> DryLeg:
    """The leg with the bot's own check before the others."""
    message = f"The bot is {bot.status.lower()}." if bar else ""
    check = Check("bot", not bar, bar, message)
    found = replace(
        leg.found,
        would_go=leg.found.would_go and not bar,
        code=bar or leg.found.code,
        checks=(check, *leg.found.checks),
    )
    return replace(leg, found=found)
