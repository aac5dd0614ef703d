"""How figures, ages, modes and states are written on the pages."""

from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from django import template
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from common.clock import iso, now
from common.money import plain
from reports.portfolio import DOLLARS
from trading.models import Command, Order
from trading.states import LIVE, PENDING_CANCEL

register = template.Library()
register.filter("plain", plain)

NOTHING = "–"
OLD_SECONDS, STALE_SECONDS = 5, 60
WITH_CENTS = frozenset({*DOLLARS, "EUR", "GBP", "PLN", "CHF", "CAD", "AUD", "JPY"})
TONES = {
    "FILLED": "good",
    "OPEN": "info",
    "PARTIAL": "info",
    "CREATED": "quiet",
    "SENDING": "info",
    "PENDING_CANCEL": "info",
    "PENDING_REPLACE": "info",
    "UNKNOWN": "unsure",
    "NEEDS_OPERATOR": "unsure",
    "REJECTED": "bad",
    "NOT_PLACED": "bad",
    "CANCELED": "quiet",
    "EXPIRED": "quiet",
    "WITHDRAWN": "quiet",
    "DENIED": "bad",
    "ACCEPTED": "info",
    "RECEIVED": "quiet",
    "ACTIVE": "good",
    "active": "good",
    "PAUSED": "unsure",
    "STOPPED": "bad",
    "suspended": "unsure",
    "disabled": "bad",
    "received": "quiet",
    "refused": "bad",
    "routed": "info",
    "finished": "good",
    "open": "info",
    "closed": "quiet",
    "would_place": "good",
    "would_skip": "unsure",
    "would_reject": "bad",
    "critical": "bad",
    "warning": "unsure",
    "info": "info",
}


def shortened(value: Decimal, places: int) -> str:
    """At most ``places`` decimals, more only where a small number would vanish; groups by comma."""
    if value and abs(value) < Decimal(1).scaleb(-places):
        places = min(18, -value.adjusted() + 2)
    rounded = value.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_EVEN)
    text = f"{rounded:,f}"
    return text.rstrip("0").rstrip(".") if places > 2 and "." in text else text


@register.simple_tag
def figure(
    value: Decimal | None, unit: str = "", places: int = 8, signed: bool = False
) -> SafeString:
    """A number with its unit; the full precision stands in the title and is what gets copied."""
    if value is None:
        return format_html('<span class="n none">{}</span>', NOTHING)
    text = shortened(abs(value) if signed else value, places)
    if signed:
        text = f"{'+' if value > 0 else '−' if value < 0 else ''}{text}"
    tone = ("up" if value > 0 else "down" if value < 0 else "") if signed else ""
    suffix = format_html(' <span class="unit">{}</span>', unit) if unit else ""
    return format_html(
        '<span class="n {}" title="{} {}" data-exact="{}">{}{}</span>',
        tone,
        plain(value),
        unit,
        plain(value),
        text,
        suffix,
    )


@register.simple_tag
def percent(fraction: float | None, signed: bool = False) -> SafeString:
    """A fraction in percent; 0.05 is 5 %."""
    if fraction is None:
        return format_html('<span class="n none">{}</span>', NOTHING)
    value = 100.0 * fraction
    text = f"{abs(value) if signed else value:,.2f}"
    sign, tone = "", ""
    if signed and float(text.replace(",", "")):
        sign, tone = ("+", "up") if value > 0 else ("−", "down")
    return format_html('<span class="n {}" title="{} %">{}{} %</span>', tone, value, sign, text)


@register.simple_tag
def ratio(value: float | None) -> SafeString:
    """A ratio, or a dash where it is undefined."""
    if value is None:
        return format_html('<span class="n none">{}</span>', NOTHING)
    return format_html('<span class="n" title="{}">{}</span>', value, f"{value:,.2f}")


@register.filter
def places(currency: str) -> int:
    """How many decimals an amount of a currency is shown with: two of money that has cents."""
    return 2 if currency in WITH_CENTS else 8


def _ago(seconds: float) -> str:
    whole = max(0, int(seconds))
    for size, letter in ((86_400, "d"), (3600, "h"), (60, "min")):
        if whole >= size:
            return f"{whole // size} {letter} ago"
    return f"{whole} s ago"


@register.filter
def exactly(at: datetime) -> str:
    """The absolute time in the page's zone, and in UTC where that is another."""
    local, utc = timezone.localtime(at), timezone.localtime(at, UTC)
    told = f"{local:%Y-%m-%d %H:%M:%S %Z}"
    return told if local.utcoffset() == utc.utcoffset() else f"{told}, {utc:%H:%M:%S} UTC"


@register.simple_tag
def moment(at: datetime | None) -> SafeString:
    """When something happened: relative, the absolute time in the title."""
    if at is None:
        return format_html('<span class="none">{}</span>', NOTHING)
    return format_html(
        '<time datetime="{}" title="{}" data-age="moment">{}</time>',
        iso(at),
        exactly(at),
        _ago((now() - at).total_seconds()),
    )


GUARDED = {
    "protected": ("good", "protected"),
    "placing": ("info", "protection under way"),
    "missing": ("bad", "protection missing"),
}


@register.simple_tag
def guarded(word: str) -> SafeString:
    """How a position's protection stands; nothing where none is wanted."""
    if word not in GUARDED:
        return SafeString("")
    tone, text = GUARDED[word]
    return format_html(' <span class="state {}">{}</span>', tone, text)


@register.simple_tag
def age(at: datetime | None) -> SafeString:
    """How old a figure is: grey after 5 s, struck through after a minute."""
    if at is None:
        return format_html('<span class="age stale">{}</span>', "never read")
    seconds = (now() - at).total_seconds()
    state = "stale" if seconds >= STALE_SECONDS else "old" if seconds >= OLD_SECONDS else ""
    since = f"{timezone.localtime(at):%H:%M:%S %Z}"
    text = f"stale since {since}" if state == "stale" else _ago(seconds)
    return format_html(
        '<time class="age {}" datetime="{}" title="read {}" data-age="figure">{}</time>',
        state,
        iso(at),
        exactly(at),
        text,
    )


@register.simple_tag
def mode(book: str) -> SafeString:
    """The book as a badge: word, shape and colour."""
    return format_html('<span class="mode mode-{}">{}</span>', book, book.upper())


@register.simple_tag
def state(name: str) -> SafeString:
    """A state in words with its tone."""
    words = str(name).replace("_", " ").lower()
    return format_html('<span class="state {}">{}</span>', TONES.get(str(name), "quiet"), words)


@register.simple_tag
def side(name: str) -> SafeString:
    """Buy or sell, with an arrow that is not read out."""
    arrow = "▲" if name == "buy" else "▼"
    return format_html(
        '<span class="side side-{}"><span aria-hidden="true">{}</span> {}</span>', name, arrow, name
    )


@register.filter
def base(symbol: str) -> str:
    """The coin that is bought or sold: BTC of BTC/USDT."""
    return symbol.partition("/")[0]


@register.filter
def quote(symbol: str) -> str:
    """The coin that prices are in: USDT of BTC/USDT:USDT."""
    return symbol.partition("/")[2].partition(":")[0]


@register.simple_tag(takes_context=True)
def changed_query(context: dict[str, Any], **changes: Any) -> str:
    """The page's query with some parameters changed, or dropped where the value is empty."""
    query = context["request"].GET.copy()
    for name, value in changes.items():
        if value in (None, ""):
            query.pop(name, None)
        else:
            query[name] = value
    return f"?{query.urlencode()}"


@register.filter
def single(row: Any) -> list[Any]:
    """A list of one, for tables that show a single row."""
    return [row]


@register.filter
def cancellable(order: Any) -> bool:
    """Whether a cancel could still do something."""
    return order.state in LIVE and order.state != PENDING_CANCEL


@register.filter
def order_of(command: Command) -> Order | None:
    """The order of a leg, None where the leg was denied before there was one."""
    return getattr(command, "order", None)


@register.simple_tag
def asked(request: Any) -> str:
    """A signal's request in a few words: side, size, symbol."""
    parts = request if isinstance(request, dict) else {}
    shown = [str(parts[name]) for name in ("side", "size", "symbol") if parts.get(name)]
    return " ".join(shown) or NOTHING
