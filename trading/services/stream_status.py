"""What the pages show of the streams, written by the process that holds them."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import transaction

from accounts.models import Account, StreamStatus
from common.clock import from_ms, now
from exchanges.streams import LIVE, StreamState
from monitoring.alerts import raise_alert, resolve_alerts

ALERT = "stream_down"
ALERT_AFTER = timedelta(seconds=60)
BEAT = timedelta(seconds=4)


class StatusBook:
    """Writes the rows of the streams held here: at once on a change, else every few seconds."""

    def __init__(self) -> None:
        self._written: dict[int, StreamState] = {}
        self._beat_at: datetime | None = None
        self._down_since: dict[int, datetime] = {}
        self._alerted: set[int] = set()

    def write(self, states: Sequence[StreamState]) -> None:
        """Bring the rows up to date; rows of streams held no more become ``off``."""
        moment = now()
        is_beat = self._beat_at is None or moment - self._beat_at >= BEAT
        held = {state.account_id: state for state in states}
        due = [each for each in states if is_beat or self._has_changed(each)]
        if due:
            _store(due, moment)
        gone = self._written.keys() - held.keys()
        if gone:
            rows = StreamStatus.objects.filter(account__in=gone)
            rows.update(state=StreamStatus.State.OFF, error="")
        if is_beat:
            self._beat_at = moment
        self._follow_alerts(states, gone, moment)
        self._written = held

    def _has_changed(self, state: StreamState) -> bool:
        before = self._written.get(state.account_id)
        return before is None or (before.state, before.error, before.connected_ms) != (
            state.state,
            state.error,
            state.connected_ms,
        )

    def _follow_alerts(
        self, states: Sequence[StreamState], gone: set[int], moment: datetime
    ) -> None:
        """Report streams that have been down for long; the report ends when they are live."""
        for state in states:
            before = self._written.get(state.account_id)
            if state.state != LIVE:
                since = self._down_since.setdefault(state.account_id, moment)
                if moment - since > ALERT_AFTER and state.account_id not in self._alerted:
                    _report(state)
                    self._alerted.add(state.account_id)
            elif before is None or before.state != LIVE:
                self._end_report(state.account_id)
        for account_id in gone:
            self._end_report(account_id)

    def _end_report(self, account_id: int) -> None:
        self._down_since.pop(account_id, None)
        self._alerted.discard(account_id)
        account = Account.objects.filter(pk=account_id).only("organisation_id").first()
        if account is not None:
            organisation_id, subject = account.organisation_id, f"account:{account_id}"
            resolve_alerts(ALERT, organisation_id=organisation_id, subject=subject)


@transaction.atomic
def _store(states: Sequence[StreamState], moment: datetime) -> None:
    existing = set(
        Account.objects.filter(pk__in=[each.account_id for each in states]).values_list(
            "pk", flat=True
        )
    )
    StreamStatus.objects.bulk_create(
        [
            StreamStatus(
                account_id=each.account_id,
                state=each.state,
                error=each.error[:60],
                reconnects=each.reconnects,
                connected_at=_moment(each.connected_ms),
                told_at=_moment(each.told_ms),
                seen_at=moment,
            )
            for each in sorted(states, key=lambda each: each.account_id)
            if each.account_id in existing
        ],
        update_conflicts=True,
        unique_fields=["account"],
        update_fields=["state", "error", "reconnects", "connected_at", "told_at", "seen_at"],
    )


def _moment(milliseconds: int) -> datetime | None:
    return from_ms(milliseconds) if milliseconds else None


def _report(state: StreamState) -> None:
    account = Account.objects.get(pk=state.account_id)
    raise_alert(
        ALERT,
        message=f"The private stream of account {account.pk} is down: {state.error}. "
        "Its fills are found by polling.",
        organisation_id=account.organisation_id,
        subject=f"account:{account.pk}",
        details={"error": state.error, "reconnects": state.reconnects},
    )


def distrust(account: Account, *, since: datetime) -> None:
    """Note that the account's stream, if it was live then and is, should have told of this moment
    and did not.
    """
    rows = StreamStatus.objects.healthy().filter(account=account, connected_at__lt=since)
    rows.update(distrusted_at=now())


def distrusted(account_ids: Sequence[int]) -> list[int]:
    """Which of these accounts' streams have been distrusted since they were connected."""
    rows = StreamStatus.objects.filter(account__in=account_ids, distrusted_at__isnull=False)
    return [
        row.account_id
        for row in rows
        if row.connected_at and row.distrusted_at and row.distrusted_at > row.connected_at
    ]
