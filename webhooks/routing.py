"""From an accepted alert to an execution: the bot's state, its accounts, one intent each."""

from collections.abc import Collection
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import transaction

from accounts.models import Account
from bots.models import Bot
from bots.services import targets
from common.errors import Invalid
from common.principal import Principal, system_principal
from events.log import NewEvent, publish_all
from trading.models import Execution
from trading.services.calling_back import call_back_entries
from trading.services.commands import submit
from trading.services.market_view import MarketView, view_markets

from .alerts import Alert, alert_time, parse_alert
from .intents import calls_back, intents_for, may_exit, symbols_at
from .lifecycle import finish_if_known, judged, refuse, signal_event
from .models import Signal

FUTURE_TOLERANCE = timedelta(seconds=60)
TRANSIENT_GAPS = frozenset({"market_unavailable", "price_unavailable"})


def accept(signal: Signal, *, patience: float, is_new: bool = False) -> bool:
    """Judge a stored signal and make its execution; False when venues did not answer within
    ``patience`` seconds each.

    Idempotent, and the same for the sender's request and a worker after a crash: the execution
    carries the signal's correlation id, and one that exists already is taken over before anything
    could refuse. A signal that ``is_new`` was stored a moment ago and can have none. Raises Invalid
    for what no account could execute.
    """
    if not is_new and (signal.state != Signal.State.RECEIVED or resume(signal)):
        return True
    body = signal.request["body"]
    moment = timely(signal.bot, alert_time(body), at=signal.received_at)
    alert = parse_alert(body)
    signal.alert_time = moment
    signal.request = {**alert.as_json(), "body": body}
    return _route(signal, alert, patience)


def resume(signal: Signal) -> bool:
    """Take over the execution that this signal has made already; False when there is none."""
    execution = Execution.objects.filter(correlation_id=signal.correlation_id).first()
    if execution is None:
        return False
    _link(signal, execution)
    finish_if_known(signal)
    return True


def timely(bot: Bot, moment: datetime | None, *, at: datetime) -> datetime | None:
    """The alert's own time, after refusing one that was too old, or ahead, when it arrived."""
    if moment is None:
        return None
    oldest = at - timedelta(seconds=bot.max_alert_age_seconds)
    if not oldest <= moment <= at + FUTURE_TOLERANCE:
        raise Invalid(
            "The alert is stale.", code="stale", fields={"time": "too old or in the future"}
        )
    return moment


def _route(signal: Signal, alert: Alert, patience: float) -> bool:
    """A bot that is stopped, or paused and asked for an entry, refuses here."""
    bot = signal.bot
    accounts = targets(bot)
    if code := bar_of(bot, alert, accounts):
        refuse(signal, code, f"The bot is {bot.status.lower()}.")
        return True
    demand_some(accounts)
    markets = view_markets(accounts, symbols_at(accounts, alert), patience=patience)
    if is_hasty(markets, patience):
        return False
    demand_market(alert, accounts, markets)
    _execute(signal, alert, accounts, markets)
    return True


def is_hasty(markets: MarketView, patience: float) -> bool:
    """Whether something is missing that a more patient worker may still get."""
    return patience < 1.0 and bool(markets.gaps() & TRANSIENT_GAPS)


def principal_of_bot(bot: Bot) -> Principal:
    """The platform acting for a bot."""
    return system_principal(bot.organisation_id, f"bot:{bot.pk}")


def bar_of(bot: Bot, alert: Alert, accounts: Collection[Account]) -> str:
    """Why the bot's status lets nothing through, empty where it does. What of a mixed alert needs
    an entry, which a paused bot does not make, is told account by account.
    """
    if bot.status == Bot.Status.STOPPED:
        return "bot_stopped"
    if bot.status == Bot.Status.PAUSED and not may_exit(accounts, alert):
        return "bot_paused"
    return ""


def demand_some(accounts: Collection[Account]) -> None:
    """Raise Invalid ``no_accounts`` where a bot's signals reach none."""
    if not accounts:
        raise Invalid("The bot reaches no account.", code="no_accounts")


def demand_market(alert: Alert, accounts: list[Account], markets: MarketView) -> None:
    """Refuse a symbol that no account's venue lists, and an absolute target on the wrong side."""
    seen = [markets.of(account, alert.symbol_at(account)) for account in accounts]
    if all(each.code == "unknown_symbol" for each in seen):
        raise Invalid(
            f"{alert.symbol} is not listed at the venue of any account.",
            code="unknown_symbol",
            fields={"symbol": "not listed"},
        )
    price = next((each.price for each in seen if each.price is not None), None)
    target = alert.take_profit
    if target and not target.endswith("%") and price is not None:
        is_above = Decimal(target) > price
        if is_above != (alert.side == "buy"):
            raise Invalid(
                f"The take-profit {target} is on the wrong side of the price; a"
                f" percentage is written {target}%.",
                code="take_profit_wrong_side",
                fields={"takeprofit": "wrong side of the price"},
            )


def _execute(signal: Signal, alert: Alert, accounts: list[Account], markets: MarketView) -> None:
    bot, link = signal.bot, _Link(signal)
    principal = principal_of_bot(bot)
    called_back: set[int] = set()
    if calls_back(alert):
        called_back = call_back_entries(
            principal=principal,
            account_ids=[account.pk for account in accounts],
            symbols=symbols_at(accounts, alert),
            owner=bot.magic_id,
            cause=signal.correlation_id,
        )
    execution = submit(
        principal=principal,
        intents=intents_for(bot, alert, accounts, markets, called_back),
        source="signal",
        source_ref=str(signal.pk),
        correlation_id=signal.correlation_id,
        requested=alert.as_json(),
        markets=markets,
        accounts=accounts,
        link=link,
    )
    if link.execution is not execution:
        _link(signal, execution)
    if link.execution is not execution or not link.orders:
        finish_if_known(signal)


class _Link:
    """Ties a signal to its execution within the transaction that writes this one: whoever sees its
    orders move sees whose they are.
    """

    def __init__(self, signal: Signal) -> None:
        self._signal = signal
        self.execution: Execution | None = None
        self.orders = 0

    def __call__(self, execution: Execution, orders: int) -> list[NewEvent]:
        """Write the link; returns what tells of it."""
        self.execution, self.orders = execution, orders
        return (
            [signal_event("signal.routed", self._signal)] if _tie(self._signal, execution) else []
        )


@transaction.atomic
def _link(signal: Signal, execution: Execution) -> None:
    """Tie a signal to an execution that was found."""
    if _tie(signal, execution):
        publish_all([signal_event("signal.routed", signal)])
    else:
        signal.refresh_from_db()


def _tie(signal: Signal, execution: Execution) -> bool:
    """Whether the signal was waiting for its execution; it is routed now."""
    waiting = Signal.objects.filter(pk=signal.pk, state=Signal.State.RECEIVED)
    if not waiting.update(execution=execution, state=Signal.State.ROUTED, **judged(signal)):
        return False
    signal.execution, signal.state = execution, Signal.State.ROUTED
    return True
