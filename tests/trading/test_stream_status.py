"""What is written and reported of a stream while it is up, down and gone."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from accounts.models import StreamStatus
from common.clock import now, now_ms
from exchanges.streams import DOWN, LIVE, StreamState
from monitoring.models import Alert
from tests.trading.conftest import Desk
from trading.services import stream_status
from trading.services.stream_status import StatusBook


def test_a_stream_that_stays_down_is_reported_until_it_is_live(
    make_desk: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    account = make_desk(1).accounts[0]
    book = StatusBook()
    down = StreamState(account.pk, DOWN, error="timeout", reconnects=3)
    book.write([down])
    assert not Alert.objects.filter(code="stream_down").exists()
    monkeypatch.setattr(stream_status, "ALERT_AFTER", timedelta(0))
    book.write([down])
    book.write([down])
    alert = Alert.objects.get(code="stream_down")
    assert (alert.state, alert.count, alert.organisation_id) == (
        "active",
        1,
        account.organisation_id,
    )
    book.write([StreamState(account.pk, LIVE, connected_ms=now_ms(), reconnects=4)])
    alert.refresh_from_db()
    assert alert.state == "resolved"
    status = StreamStatus.objects.get()
    assert (status.is_live, status.error, status.reconnects) == (True, "", 4)


def test_the_row_of_a_stream_that_is_let_go_is_off(make_desk: Callable[..., Desk]) -> None:
    account = make_desk(1).accounts[0]
    book = StatusBook()
    book.write([StreamState(account.pk, LIVE, connected_ms=now_ms())])
    assert StreamStatus.objects.healthy().count() == 1
    book.write([])
    status = StreamStatus.objects.get()
    assert (status.shown_state, status.is_live) == ("off", False)
    assert StreamStatus.objects.healthy().count() == 0


def test_a_row_whose_holder_went_silent_counts_as_off(make_desk: Callable[..., Desk]) -> None:
    account = make_desk(1).accounts[0]
    long_ago = now() - timedelta(seconds=16)
    StreamStatus.objects.create(account=account, state="live", seen_at=long_ago)
    assert StreamStatus.objects.get().shown_state == "off"
    assert StreamStatus.objects.healthy().count() == 0
