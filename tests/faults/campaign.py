"""One campaign from the first server to the report."""

import contextlib
import time
from datetime import UTC, datetime
from typing import Any

import httpx

from tests.faults.killers import Killing, Pace
from tests.faults.load import SYMBOLS, Load
from tests.faults.report import Report, count_faults
from tests.faults.sizes import PROFILE, Quota, Size
from tests.faults.stage import Stage

SETTLE_SECONDS = 180.0
PROGRESS_SECONDS = 1.0


def run(size: Size, *, seed: int, mode: str, keep: bool) -> Report:
    """Build the stage, trade under faults until the quotas are met, stop the faults, compare. Data
    and logs are kept where something was found.
    """
    began = time.monotonic()
    with Stage(size, seed=seed, mode=mode, keep=keep) as stage:
        say("making accounts")
        furniture = stage.furnish()
        say("starting the platform")
        stage.open()
        load = Load(stage, furniture, seed)
        load.start()
        stage.exchange_call("POST", "/_fault", {"profile": PROFILE, "seed": seed})
        loaded = time.monotonic()
        pace = Pace(stage.kills, size.quota(mode), load.record.commands.total)
        with Killing(stage, furniture, seed, pace) as killing:
            missed = _until_met(stage, load, size.quota(mode), size.longest)
            seconds = time.monotonic() - loaded
            say("no new commands; waiting for answers")
            load.no_more()
        load.finish()
        fired = _calm(stage)
        say("faults are over; waiting until the ledger stands still")
        verdict = _check(stage, load)
        figures = {
            "seed": seed,
            "mode": mode,
            "seconds": round(time.monotonic() - began),
            "load_seconds": round(seconds),
            **_figures(stage, load, fired, verdict),
        }
        quota = size.quota(mode).commands
        missed = [each for each in missed if not each.startswith("commands")]
        if verdict["commands"] < quota:
            missed.append(f"commands {verdict['commands']} of {quota}")
        report = _report(figures, verdict, load, missed + killing.failures)
        stage.keep = stage.keep or not report.is_clean
        return report


def say(text: str) -> None:
    """One line on the terminal."""
    print(f"{datetime.now(UTC):%H:%M:%S} {text}", flush=True)


def _until_met(stage: Stage, load: Load, quota: Quota, longest: float) -> list[str]:
    """Wait until every quota is met; returns those that were not within the longest time."""
    give_up_at = time.monotonic() + longest
    fired: dict[str, int] = {}
    while True:
        time.sleep(PROGRESS_SECONDS)
        # The exchange may be stopped at this moment; the next second asks again.
        with contextlib.suppress(httpx.HTTPError):
            fired = stage.fault_counts()
        done = {
            "commands": load.record.commands.total(),
            "faults": count_faults(fired),
            **{act: load.record.commands[act] for act in ("change_order", "close_by")},
            "outside": load.record.outside,
            **{
                role: stage.kills[role] for role in ("worker", "web", "redis", "postgres", "server")
            },
        }
        say(
            " ".join(f"{name}={count}" for name, count in done.items() if getattr(quota, name))
            + f" answers={dict(load.record.statuses)}"
        )
        missed = [
            f"{name} {count} of {getattr(quota, name)}"
            for name, count in done.items()
            if count < getattr(quota, name)
        ]
        if not missed or time.monotonic() > give_up_at:
            return missed


def _calm(stage: Stage) -> dict[str, int]:
    """End the faults and pin every price, so that nothing moves any more; returns what fired."""
    fired = stage.fault_counts()
    stage.exchange_call("DELETE", "/_fault")
    prices = stage.exchange_call("GET", "/dump?api_key=none")["prices"]
    for symbol in SYMBOLS:
        stage.exchange_call("POST", "/_price", {"symbol": symbol, "price": prices[symbol]})
    return fired


def _check(stage: Stage, load: Load) -> dict[str, Any]:
    given = {
        "since": datetime.now(UTC).isoformat(),
        "patience": SETTLE_SECONDS,
        "exchange": stage.exchange.url,
        "outcomes": load.record.as_json(),
    }
    verdict: dict[str, Any] = stage.inside("check", given)
    return verdict


def _figures(
    stage: Stage, load: Load, fired: dict[str, int], verdict: dict[str, Any]
) -> dict[str, Any]:
    counted = (
        "commands", "denied", "denied_for", "by_kind", "states", "orders_on_exchange",
        "external_orders", "deals", "audit_chain",
    )  # fmt: skip
    return {
        **{name: verdict[name] for name in counted},
        "http_answers": dict(load.record.statuses),
        "http_retries": load.record.retries,
        "asked_for": dict(load.record.commands),
        "refusals": dict(load.record.refusals),
        "faults": count_faults(fired),
        "faults_by_kind": fired,
        "kills": dict(stage.kills),
        "deaths": dict(stage.deaths),
        "unknown_left": verdict["unknown_left"],
        "max_unknown_age_s": verdict["max_unknown_age_s"],
    }


def _report(
    figures: dict[str, Any], verdict: dict[str, Any], load: Load, missed: list[str]
) -> Report:
    counts = dict(verdict["counts"])
    counts["server_errors"] = load.record.statuses["500"]
    counts["rebuild_diff"] = verdict["rebuild_diff"]
    return Report(figures, counts, verdict["examples"], missed)
