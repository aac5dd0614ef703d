"""Whether the installation can work: one finding per check, with what to do where it cannot."""

import ipaddress
import smtplib
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import redis
from django.conf import settings
from django.core import checks, mail

from accounts.models import Account
from common.clock import now
from monitoring.health import run_checks
from monitoring.models import Heartbeat
from trading.services.preflight import CLOCK_LIMIT_MS, Told, ask_account

OK, WARNING, FAILED = "ok", "warning", "failed"
SILENT_AFTER = timedelta(seconds=60)
PATIENCE_SECONDS = 5
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
        yield _workers()
        for account in Account.objects.usable().order_by("pk"):
            yield from _account(account)
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


def _workers() -> Finding:
    beat = Heartbeat.objects.filter(name="worker").first()
    if beat is None:
        return Finding("workers", FAILED, "no worker was ever seen: start the platform")
    age = now() - beat.at
    if age > SILENT_AFTER:
        seconds = int(age.total_seconds())
        return Finding("workers", FAILED, f"silent for {seconds} s: start worker and beat")
    return Finding("workers", OK)


def _account(account: Account) -> Iterator[Finding]:
    name = f"account {account.pk}"
    told = ask_account(account)
    if told.problem:
        yield Finding(f"{name} key", FAILED, f"the exchange does not serve it: {told.problem}")
        return
    yield _key(f"{name} key", told)
    skew = f"{told.clock_ms} ms from the clock of {account.venue}"
    if abs(told.clock_ms) > CLOCK_LIMIT_MS:
        yield Finding(f"{name} clock", FAILED, f"{skew}: synchronise this machine's clock")
    else:
        yield Finding(f"{name} clock", OK, skew)
    if account.market_type == Account.MarketType.SWAP:
        theirs = account.kept_position_mode
        advice = f"{account.position_mode}, at the exchange {theirs or 'not read yet'}"
        yield Finding(f"{name} position mode", OK if theirs else WARNING, advice)


def _key(check: str, told: Told) -> Finding:
    if told.may_trade is False:
        return Finding(check, FAILED, "the key may not trade: give it that right")
    if told.may_trade is None:
        return Finding(check, WARNING, "answers, but the exchange does not tell its right to trade")
    return Finding(check, OK, "may trade")


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
    """The address of this machine's route outwards, where that is the public one."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect(NOWHERE)
            address = probe.getsockname()[0]
    except OSError:
        return Finding("outgoing address", WARNING, "this machine has no route outwards")
    if ipaddress.ip_address(address).is_global:
        return Finding("outgoing address", OK, f"whitelist {address} at the exchanges")
    return Finding(
        "outgoing address",
        WARNING,
        f"{address} is private: whitelist the public address of your router or host, which its "
        "own page tells",
    )
