"""Who may see which event of the log, by its topics."""

import pytest

from common.principal import VIEWER, Principal
from events.models import Event
from events.stream import visible

OURS = 7
EVERYBODY = Principal(organisation_id=OURS, role=VIEWER, key="user:1")
LIMITED = Principal(organisation_id=OURS, role=VIEWER, key="key:1", account_ids=frozenset({11}))
UNABLE = Principal(organisation_id=OURS, role=VIEWER, key="key:2", account_ids=frozenset())


@pytest.mark.parametrize(
    ("kind", "topics", "is_for_the_limited"),
    [
        ("order.updated", ["account:11"], True),
        ("order.updated", ["account:12"], False),
        ("order.updated", ["account:12", "account:11"], True),
        ("alert.raised", ["alerts"], False),
        ("group.updated", ["group:3"], False),
        ("bot.updated", ["bot:5"], False),
        ("signal.received", ["bot:5", "signal:9"], False),
        ("test.of_no_topic", [], False),
        ("kill_switch.engaged", ["risk"], True),
        ("kill_switch.engaged", ["risk", "account:11"], True),
        ("kill_switch.engaged", ["risk", "account:12"], False),
    ],
)
def test_a_caller_of_single_accounts_hears_of_them_alone(
    kind: str, topics: list[str], is_for_the_limited: bool
) -> None:
    event = Event(kind=kind, organisation_id=OURS, topics=topics, payload={})
    assert visible(EVERYBODY, event)
    assert visible(LIMITED, event) is is_for_the_limited
    assert visible(UNABLE, event) is (topics == ["risk"])
    event.organisation_id = OURS + 1
    assert not any(visible(each, event) for each in (EVERYBODY, LIMITED, UNABLE))
