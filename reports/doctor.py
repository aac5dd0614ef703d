"""Whether the installation can work: one finding per check, with what to do where it cannot."""

import smtplib
import socket
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from http.client import HTTPException
from urllib.request import urlopen

import redis
from django.conf import settings
from django.core import checks, mail

from accounts.models import Account
from common.addresses import is_public
from common.clock import now
from monitoring.health import run_checks
from monitoring.models import Heartbeat, NotificationChannel, beat_of
from monitoring.sending import told as told_of_sending
from trading.services import lanes
from trading.services.preflight import CLOCK_LIMIT_MS, Told, ask_accounts

OK, WARNING, FAILED = "ok", "warning", "failed"
SILENT_AFTER = timedelta(seconds=60)
PATIENCE_SECONDS = 5
ADDRESS_BYTES = 64
# A documentation address (RFC 5737): choosing a route to it sends nothing.
NOWHERE = ("192.0.2.1", 9)


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome of one check; ``advice`` says what was found or what to do."""

    check: str
    result: str
    advice: str = ""


def examine() -> Iterator[Finding]:
    """Every check in turn; changes nothing and raises nothing for what is merely broken. Accounts
    are asked at their venues with their own keys.
    """
    yield from _settings()
    health = run_checks()
    for name, found in health.items():
        level = {"ok": OK, "degraded": WARNING}.get(found.status, FAILED)
        yield Finding(name, level, found.detail)
    yield _redis()
    if health["database"].status == "ok":
        yield from _workers()
        accounts = list(Account.objects.usable().order_by("pk"))
        answers = ask_accounts(accounts, with_withdrawing=True)
        for account, told in zip(accounts, answers, strict=True):
            for each in account_findings(account, told):
                yield replace(each, check=f"account {account.pk} {each.check}")
        yield from _channels()
    yield _mail()
    yield _outgoing()


def _settings() -> Iterator[Finding]:
    found = [each for each in checks.run_checks() if not each.is_silenced()]
    for each in found:
        level = FAILED if each.is_serious() else WARNING
        yield Finding("settings", level, " ".join(filter(None, (each.id, each.msg, each.hint))))
    if not found:
        yield Finding("settings", OK)


def _redis() -> Finding:
    if settings.REDIS_URL is None:
        return Finding("redis", OK, "not needed in embedded mode")
    try:
        with redis.Redis.from_url(
            settings.REDIS_URL, socket_connect_timeout=PATIENCE_SECONDS
        ) as client:
            client.ping()
    except (redis.RedisError, OSError):
        return Finding("redis", FAILED, "Redis does not answer: see REDIS_URL")
    return Finding("redis", OK)


def _workers() -> Iterator[Finding]:
    """Whether signs of life come through every queue, and whether every lane has a sender."""
    beats = dict(Heartbeat.objects.values_list("name", "at"))
    queues = [each.name for each in settings.CELERY_TASK_QUEUES if not lanes.is_queue(each.name)]
    for queue in queues:
        check, at = f"queue {queue}", beats.get(beat_of(queue))
        if at is None:
            yield Finding(check, FAILED, "no worker was ever seen: start the platform")
        elif now() - at > SILENT_AFTER:
            seconds = int((now() - at).total_seconds())
            yield Finding(check, FAILED, f"silent for {seconds} s: start its worker, and beat")
        else:
            yield Finding(check, OK)
    unowned = lanes.unowned()
    if unowned:
        named = ", ".join(map(str, unowned))
        yield Finding("lanes", FAILED, f"nobody sends in {named}: start a worker of execution")
    else:
        yield Finding("lanes", OK)


def account_findings(account: Account, told: Told) -> Iterator[Finding]:
    """What an account's exchange told of its key, the clock and the position mode."""
    if told.problem:
        yield Finding("key", FAILED, f"the exchange does not serve it: {told.problem}")
        return
    yield _key(told)
    yield _withdrawals(told)
    skew = f"{told.clock_ms} ms from the clock of {account.venue}"
    if abs(told.clock_ms) > CLOCK_LIMIT_MS:
        yield Finding("clock", FAILED, f"{skew}: synchronise this machine's clock")
    else:
        yield Finding("clock", OK, skew)
    if account.market_type == Account.MarketType.SWAP:
        theirs = account.kept_position_mode
        advice = f"{account.position_mode}, at the exchange {theirs or 'not read yet'}"
        yield Finding("position mode", OK if theirs else WARNING, advice)


def _key(told: Told) -> Finding:
    if told.may_trade is False:
        return Finding("key", FAILED, "the key may not trade: give it that right")
    if told.may_trade is None:
        return Finding("key", WARNING, "answers, but the exchange does not tell its right to trade")
    return Finding("key", OK, "may trade")


def _withdrawals(told: Told) -> Finding:
    if told.may_withdraw:
        return Finding(
            "withdrawals",
            WARNING,
            "THE KEY MAY WITHDRAW MONEY: whoever gets hold of it can take all there is; make one "
            "without that right at the exchange and enter it here",
        )
    if told.may_withdraw is None:
        return Finding(
            "withdrawals", OK, "the exchange does not tell: see there that the key may not"
        )
    return Finding("withdrawals", OK, "the key may not withdraw")


def _channels() -> Iterator[Finding]:
    """How the notification channels in use did last."""
    found = NotificationChannel.objects.filter(is_enabled=True).order_by("pk")
    for channel in found:
        check = f"channel {channel.pk}"
        if channel.failures:
            said = told_of_sending(channel.last_result)
            advice = f"{channel.name} failed {channel.failures} times in a row: {said}"
            yield Finding(check, WARNING, advice)
        else:
            advice = "" if channel.last_sent_at else ": nothing was sent yet, send a test message"
            yield Finding(check, OK, f"{channel.name}{advice}")
    if not found:
        yield Finding(
            "channels",
            WARNING,
            "nobody is told of alerts: add a notification channel in the console",
        )


def _mail() -> Finding:
    if "smtp" not in settings.EMAIL_BACKEND:
        return Finding("mail", WARNING, "mails reach nobody: set EMAIL_URL")
    try:
        with mail.get_connection(timeout=PATIENCE_SECONDS):
            pass
    except (OSError, smtplib.SMTPException):
        return Finding("mail", FAILED, "the mail server does not let us in: see EMAIL_URL")
    return Finding("mail", OK)


def _outgoing() -> Finding:
    """The address that exchanges see: as the operator's address service tells, else that of this
    machine's route outwards where it is a public one.
    """
    check = "outgoing address"
    address = _told_address() if settings.OUTGOING_ADDRESS_URL else _own_address()
    if is_public(address):
        return Finding(check, OK, f"whitelist {address} at the exchanges")
    if settings.OUTGOING_ADDRESS_URL:
        return Finding(check, WARNING, "the service told no address: see OUTGOING_ADDRESS_URL")
    if not address:
        return Finding(check, WARNING, "this machine has no route outwards")
    return Finding(
        check,
        WARNING,
        f"{address} is private: whitelist the public address of your router or host, which its "
        "own page tells, or a service that you name in OUTGOING_ADDRESS_URL",
    )


def _told_address() -> str:
    """What the operator's address service answers; empty where it does not."""
    try:
        with urlopen(settings.OUTGOING_ADDRESS_URL, timeout=PATIENCE_SECONDS) as answer:
            return str(answer.read(ADDRESS_BYTES), "ascii", "replace").strip()
    except (OSError, HTTPException):
        return ""


def _own_address() -> str:
    """The address of this machine's route outwards; empty where there is none."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect(NOWHERE)
            return str(probe.getsockname()[0])
    except OSError:
        return ""
