"""A made ledger of 10,000 deals: every figure equals one computed from the made numbers alone."""

import random
import warnings
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import numpy
import pytest

from accounts.models import Account
from common.money import rounded
from reports.periods import Span
from reports.track_records import TrackRecord, track_record
from trading.models import Deal, Lot, Position

from .conftest import write_flow, write_readings

with warnings.catch_warnings():  # the library's own imports warn
    warnings.simplefilter("ignore")
    import empyrical

WARSAW = ZoneInfo("Europe/Warsaw")
START = datetime(2025, 2, 28, 23, tzinfo=UTC)  # midnight in Warsaw
DAYS = 100
SPAN = Span(date(2025, 3, 1), date(2025, 6, 8), WARSAW)
BOT = 1_000_007
CLOSE = {"rel": 1e-9, "abs": 1e-9}
pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


@dataclass
class Made:
    """What was put into the ledger, kept apart from it."""

    deals: list[tuple[datetime, Decimal, Decimal, int]] = field(default_factory=list)
    trades: list[tuple[datetime, Decimal, Decimal, Decimal]] = field(default_factory=list)
    hourly: list[float] = field(default_factory=list)
    flows: dict[int, Decimal] = field(default_factory=dict)


def cents(chance: random.Random, most: int) -> Decimal:
    """An amount with eight places."""
    return Decimal(chance.randint(-most * 10**8, most * 10**8)).scaleb(-8)


def make_deals(account: Account, made: Made, chance: random.Random) -> None:
    """10,000 deals in 2,500 positions, four to each; the last closes it."""
    ours = {"organisation_id": account.organisation_id, "account": account, "book": account.book}
    positions, deals, lots = [], [], []
    for number in range(2_500):
        at = START + timedelta(seconds=chance.randint(0, DAYS * 86_400 - 8_000))
        price = Decimal(chance.randint(10**6, 9 * 10**6)).scaleb(-2)
        owner = BOT if number % 3 == 0 else 0
        parts = [
            (at + timedelta(minutes=step), Decimal(0), abs(cents(chance, 2))) for step in (0, 1)
        ]
        parts += [
            (at + timedelta(minutes=step), cents(chance, 90), abs(cents(chance, 2)))
            for step in (2, 3)
        ]
        realised, fees = sum(part[1] for part in parts), sum(part[2] for part in parts)
        closed_at = parts[-1][0]
        made.deals += [(*part, owner) for part in parts]
        made.trades.append((closed_at, realised, fees, price))
        position = Position(
            **ours, symbol="BTC/USDT", side="buy", state="closed", entered_quantity=Decimal("0.5"),
            entry_price=price, realised=realised, fees=fees, opened_at=at, closed_at=closed_at,
        )  # fmt: skip
        positions.append(position)
        lots.append(Lot(position=position, magic_id=owner, realised=realised, fees=fees))
        deals += [
            Deal(
                **ours, position=position, symbol="BTC/USDT", side="buy" if step < 2 else "sell",
                quantity=Decimal("0.25"), net_quantity=Decimal("0.25"), price=price,
                realised=part[1], fee=part[2], fee_quote=part[2], fee_currency="USDT",
                magic_id=owner, exchange_trade_id=f"{number}-{step}", executed_at=part[0],
            )
            for step, part in enumerate(parts)
        ]  # fmt: skip
    Position.objects.bulk_create(positions, batch_size=500)
    Lot.objects.bulk_create(lots, batch_size=500)
    Deal.objects.bulk_create(deals, batch_size=500)


def make_equity(account: Account, made: Made, chance: random.Random) -> None:
    """A reading each hour; now and then money comes or goes half an hour after one."""
    equity, readings = Decimal(10_000), [(START, Decimal(10_000))]
    for hour in range(DAYS * 24):
        at = START + timedelta(hours=hour)
        if hour % 37 == 20:
            flow = rounded(equity * Decimal(chance.choice(("0.4", "-0.25", "2", "-0.6"))))
            made.flows[hour] = flow
            write_flow(account, at + timedelta(minutes=30), flow, before=(at, equity))
            equity += flow
        growth = chance.gauss(0.0001, 0.006)
        made.hourly.append(growth)
        equity = rounded(equity * (1 + Decimal(growth)))
        readings.append((at + timedelta(hours=1), equity))
    write_readings(account, readings)


@pytest.fixture
def made(account: Account) -> Made:
    """The ledger, the same in every run."""
    chance, made = random.Random(20250301), Made()
    make_deals(account, made, chance)
    make_equity(account, made, chance)
    return made


def daily(made: Made) -> numpy.ndarray:
    """The made returns by Warsaw's days; that of the clock change has 23 hours."""
    days: dict[date, float] = {}
    for hour, growth in enumerate(made.hourly):
        day = (START + timedelta(hours=hour)).astimezone(WARSAW).date()
        days[day] = days.get(day, 1.0) * (1.0 + growth)
    # The clock change leaves an hour over, after the last date.
    return numpy.array([value for day, value in sorted(days.items()) if day <= SPAN.last]) - 1.0


def record_of(account: Account, **options: int) -> TrackRecord:
    """As the reports make it."""
    return track_record([account], SPAN, **options)


def test_returns_and_risk_whatever_came_and_went(account: Account, made: Made) -> None:
    figures, returns = record_of(account).whole, daily(made)
    assert len(returns) == DAYS
    flows = list(made.flows.values())
    assert figures.deposits == sum(each for each in flows if each > 0)
    assert figures.withdrawals == -sum(each for each in flows if each < 0)
    assert figures.starting_equity == Decimal(10_000)
    assert figures.growth == pytest.approx(float(empyrical.cum_returns_final(returns)), **CLOSE)
    assert figures.max_drawdown == pytest.approx(-float(empyrical.max_drawdown(returns)), **CLOSE)
    assert figures.volatility == pytest.approx(
        float(empyrical.annual_volatility(returns, annualization=365)), **CLOSE
    )
    assert figures.sharpe_ratio == pytest.approx(
        float(empyrical.sharpe_ratio(returns, annualization=365)), **CLOSE
    )
    assert figures.sortino_ratio == pytest.approx(
        float(empyrical.sortino_ratio(returns, annualization=365)), **CLOSE
    )


def test_each_day_week_and_month(account: Account, made: Made) -> None:
    record, returns = record_of(account), daily(made)
    rows = record.history("day")
    assert [row.growth for row in rows] == pytest.approx(returns.tolist(), **CLOSE)
    for interval in ("week", "month"):
        for row in record.history(interval):
            first = (row.period.label - SPAN.first).days
            count = round((row.period.end - row.period.start) / timedelta(days=1))
            expected = float(numpy.prod(1.0 + returns[first : first + count]) - 1.0)
            assert row.growth == pytest.approx(expected, **CLOSE)
            booked = [each for each in made.deals if row.period.start <= each[0] < row.period.end]
            assert row.booked.deals == len(booked)
            assert row.booked.realised == sum(each[1] for each in booked)
            assert row.booked.fees == sum(each[2] for each in booked)


def test_booked_results_are_exact_and_one_owners_part_too(account: Account, made: Made) -> None:
    write_flow(account, START + timedelta(days=3), Decimal("-12.345678"), reason="funding")
    booked = record_of(account).whole.booked
    nets = [realised - fees for _, realised, fees, _ in made.trades]
    assert (booked.deals, booked.closed) == (10_000, 2_500)
    assert booked.realised == sum(each[1] for each in made.deals)
    assert booked.fees == sum(each[2] for each in made.deals)
    assert booked.funding == Decimal("12.345678")
    assert booked.net == sum(nets) - Decimal("12.345678")
    assert booked.value == sum(price for *_, price in made.trades) / 2
    array = numpy.array([float(each) for each in nets])
    assert booked.win_rate == pytest.approx(100 * float((array > 0).mean()), **CLOSE)
    factor = float(array[array > 0].sum() / -array[array < 0].sum())
    assert booked.profit_factor == pytest.approx(factor, **CLOSE)
    own = [each for each in made.deals if each[3] == BOT]
    part = record_of(account, owner=BOT).whole.booked
    assert (part.deals, part.closed) == (len(own), 834)
    assert part.net == sum(each[1] - each[2] for each in own)
