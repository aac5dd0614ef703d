"""The audit chain finds what was edited, deleted, reordered or cut off, and its files follow it."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction

from events import anchors, audit_chain, audit_files
from events.log import audit
from events.models import AuditAnchor, AuditChain, AuditRecord
from events.verification import verify_all
from tests.events.tampering import take_guard_away
from users.models import Organisation

pytestmark = pytest.mark.django_db
ACTS = ("login.succeeded", "api_key.created", "limits.set", "role.changed")


@pytest.fixture(autouse=True)
def folder(settings: Any, tmp_path: Path) -> Path:
    """The audit files of one test."""
    settings.OMS_AUDIT_DIR = tmp_path / "audit"
    return Path(settings.OMS_AUDIT_DIR)


@pytest.fixture
def house() -> Organisation:
    """A tenant with four chained records."""
    organisation = Organisation.objects.create(name="House")
    for act in ACTS:
        audit(None, act, actor="user:1", organisation_id=organisation.pk, after={"act": act})
    assert audit_chain.chain_records() == 4
    return organisation


@pytest.fixture
def unguarded() -> None:
    """The table without its triggers, as it is for somebody who owns the database."""
    take_guard_away()


def chain_of(organisation: Organisation) -> AuditChain:
    return AuditChain.objects.get(organisation=organisation)


def faults() -> list[tuple[int, str]]:
    return [(fault.seq, fault.problem) for fault in verify_all(with_files=True).faults]


def test_records_are_chained_per_organisation_in_the_order_of_their_rows(
    house: Organisation,
) -> None:
    other = Organisation.objects.create(name="Other")
    audit(None, "start", actor="system")
    audit(None, "login.failed", actor="anonymous", organisation_id=other.pk)
    assert audit_chain.chain_records() == 2
    assert audit_chain.chain_records() == 0
    rows = list(AuditRecord.objects.of_chain(chain_of(house)))
    assert [(row.seq, row.action) for row in rows] == list(enumerate(ACTS, start=1))
    assert rows[0].previous_hash == audit_chain.GENESIS
    assert [row.previous_hash for row in rows[1:]] == [row.hash for row in rows[:-1]]
    assert chain_of(house).head == rows[-1].hash
    assert {chain.name: chain.seq for chain in audit_chain.chains()} == {
        "platform": 1,
        house.uuid.hex: 4,
        other.uuid.hex: 1,
    }
    assert faults() == []


def test_a_row_is_refused_every_change_and_its_removal_by_the_database(
    house: Organisation,
) -> None:
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute(
                "CREATE TRIGGER audit_record_no_delete BEFORE DELETE ON events_auditrecord"
                " BEGIN SELECT RAISE(ABORT, 'audit records are append-only'); END"
            )
    row = AuditRecord.objects.of_chain(chain_of(house))[0]
    unseen = AuditRecord.objects.create(actor="system", action="start")
    changes = ((row, {"actor": "x"}), (row, {"hash": "0" * 64}), (unseen, {"action": "x"}))
    for target, values in changes:
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            AuditRecord.objects.filter(pk=target.pk).update(**values)
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        AuditRecord.objects.filter(pk=row.pk)._raw_delete("default")
    with pytest.raises(TypeError):
        row.delete()
    assert AuditRecord.objects.count() == 5
    assert faults() == []


@pytest.mark.usefixtures("unguarded")
@pytest.mark.parametrize(
    "values",
    [
        {"actor": "user:2"},
        {"after": {"act": "other"}},
        {"created_at": datetime(2020, 1, 1, tzinfo=UTC)},
    ],
)
def test_an_edited_record_is_named(house: Organisation, values: dict[str, Any]) -> None:
    AuditRecord.objects.filter(organisation=house, seq=2).update(**values)
    assert faults() == [(2, "was changed after it was written")]


@pytest.mark.usefixtures("unguarded")
def test_a_deleted_record_is_named(house: Organisation) -> None:
    AuditRecord.objects.filter(organisation=house, seq=3)._raw_delete("default")
    assert faults() == [(3, "missing up to 3")]


@pytest.mark.usefixtures("unguarded")
def test_reordered_records_are_named(house: Organisation) -> None:
    rows = AuditRecord.objects.filter(organisation=house)
    second, third = rows.get(seq=2), rows.get(seq=3)
    for pk, seq in ((second.pk, 99), (third.pk, 2), (second.pk, 3)):
        AuditRecord.objects.filter(pk=pk).update(seq=seq)
    assert (2, "was changed after it was written") in faults()
    assert (3, "was changed after it was written") in faults()


@pytest.mark.usefixtures("unguarded")
def test_a_tail_that_was_cut_off_is_named(house: Organisation) -> None:
    AuditRecord.objects.filter(organisation=house, seq=4)._raw_delete("default")
    assert faults() == [(4, "the chain's head stands at 4")]


@pytest.mark.usefixtures("unguarded")
def test_a_chain_that_was_cut_with_its_head_contradicts_its_anchor(house: Organisation) -> None:
    assert anchors.anchor_chains() == 1
    assert anchors.anchor_chains() == 0
    AuditRecord.objects.filter(organisation=house, seq=4)._raw_delete("default")
    third = AuditRecord.objects.get(organisation=house, seq=3)
    AuditChain.objects.filter(organisation=house).update(seq=3, head=third.hash)
    assert [fault.seq for fault in verify_all().faults] == [4]
    AuditAnchor.objects.all().delete()
    assert verify_all().faults == []
    assert [seq for seq, _ in faults()] == [4]


@pytest.mark.usefixtures("unguarded")
def test_a_chain_rewritten_as_a_whole_contradicts_its_anchor(house: Organisation) -> None:
    anchors.anchor_chains()
    rows = AuditRecord.objects.filter(organisation=house)
    rows.filter(seq=1).update(actor="user:2")
    rows.update(seq=None, previous_hash="", hash="")
    AuditChain.objects.filter(organisation=house).update(seq=0, head=audit_chain.GENESIS)
    audit_chain.chain_records()
    assert audit_chain.verify_chain(chain_of(house)) == []
    assert [fault.seq for fault in verify_all().faults] == [4]


def test_an_anchor_that_was_forged_is_named(house: Organisation) -> None:
    anchors.anchor_chains()
    AuditAnchor.objects.update(head="f" * 64)
    assert [problem for _, problem in faults()] == ["an anchor's signature is wrong"]


def test_a_chain_that_is_gone_altogether_is_told_by_the_anchor_file(folder: Path) -> None:
    line = {"chain": "0" * 32, "seq": 3, "head": "", "at": "", "signature": ""}
    audit_files.write_durably(anchors.anchor_file(), [json.dumps(line)])
    assert faults() == [(0, "the chain is gone")]


def test_files_follow_the_chain_once_and_go_on_after_a_crash(
    house: Organisation, folder: Path
) -> None:
    path = folder / f"org_{house.uuid.hex}.jsonl"
    assert audit_files.follow_chains() == 4
    assert audit_files.follow_chains() == 0
    assert [json.loads(line)["action"] for line in path.read_text().splitlines()] == list(ACTS)
    assert path.stat().st_mode & 0o777 == 0o600
    # A crash after the write and before the commit, and one in the middle of a line.
    AuditChain.objects.filter(organisation=house).update(exported=2)
    with path.open("a") as file:
        file.write('{"seq":5,"act')
    audit(None, "group.created", actor="user:1", organisation_id=house.pk)
    audit_chain.chain_records()
    assert audit_files.follow_chains() == 1
    assert [json.loads(line)["seq"] for line in path.read_text().splitlines()] == [1, 2, 3, 4, 5]
    assert faults() == []


def test_a_file_of_yesterday_gets_its_day_and_today_goes_on_where_it_ended(
    house: Organisation, folder: Path
) -> None:
    audit_files.follow_chains()
    with time_machine.travel(datetime.now(UTC) + timedelta(days=1)):
        audit(None, "group.created", actor="user:1", organisation_id=house.pk)
        audit_chain.chain_records()
        assert audit_files.follow_chains() == 1
    names = sorted(file.name for file in folder.glob("org_*"))
    assert len(names) == 2
    lengths = [len((folder / name).read_text().splitlines()) for name in names]
    assert sorted(lengths) == [1, 4]
    assert faults() == []


def test_an_edited_or_shortened_file_is_named(house: Organisation, folder: Path) -> None:
    audit_files.follow_chains()
    path = folder / f"org_{house.uuid.hex}.jsonl"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0].replace("user:1", "user:2"), *lines[1:]]) + "\n")
    assert faults() == [(1, "the file does not say what the database says")]
    path.write_text("\n".join(lines[:3]) + "\n")
    assert faults() == [(4, "the files have 3 of 4 records")]


def test_the_command_names_faults_and_ends_with_their_exit_code(
    house: Organisation, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("verify_audit", "--files")
    assert "4 records" in capsys.readouterr().err
    AuditChain.objects.filter(organisation=house).update(head="0" * 64)
    with pytest.raises(SystemExit) as ending:
        call_command("verify_audit")
    assert ending.value.code == 1
    assert f"{house.uuid.hex}\t5\tthe chain's head stands at 4" in capsys.readouterr().out
    with pytest.raises(CommandError, match="no such chain"):
        call_command("verify_audit", "--chain", "nobody")
