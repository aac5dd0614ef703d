"""The kinds of signals that ``order_type`` names."""

from dataclasses import dataclass

ORDER, LADDER, TARGET = "order", "ladder", "target"


@dataclass(frozen=True, slots=True)
class Kind:
    """What a word of ``order_type`` means.

    ``name`` is order, ladder (the bot's waiting entries are called back first, and a take-profit is
    demanded) or target (the size is what is to be held in the end). ``side`` is the only one that
    its entries may have, empty for both; ``type`` is theirs: market, limit, or empty for limit
    where a price is given.
    """

    name: str = ORDER
    side: str = ""
    type: str = "market"


KINDS = {
    "": Kind(),
    "market": Kind(),
    "limit": Kind(type="limit"),
    "signal": Kind(),
    "long_signal": Kind(side="buy"),
    "short_signal": Kind(side="sell"),
    "close": Kind(),
    "ladder": Kind(LADDER, type=""),
    "long_ladder": Kind(LADDER, side="buy", type=""),
    "short_ladder": Kind(LADDER, side="sell", type=""),
    "target": Kind(TARGET),
    "position_control": Kind(TARGET),
}


def kind_named(text: str) -> Kind | None:
    """The kind of a word as senders write it (``Long Ladder``, ``LONG_LADDER``); None for none."""
    return KINDS.get(text.lower().replace(" ", "_").replace("-", "_"))
