"""The audit browser: filters, differences, the verdict."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from common.clock import now
from events.audit_chain import chain_records
from events.log import audit
from events.models import AuditRecord
from surfaces.console.audit import difference_of
from tests.dashboard.world import World
from tests.events.tampering import take_guard_away

LIST = reverse("admin:events_auditrecord_changelist")
TODAY = f"{now():%Y-%m-%d}"
ALL = {"test.act_0", "test.act_1", "test.act_2"}
VERIFY = reverse("admin:events_auditrecord_verify")


def write(world: World, number: int = 3) -> None:
    """Acts of a tenant, in its chain."""
    organisation = world.organisation
    for count in range(number):
        audit(
            None,
            f"test.act_{count}",
            actor=f"{organisation.name}-actor-{count}",
            organisation_id=organisation.pk,
            target=f"thing:{count}",
            before={"limit": count},
            after={"limit": count + 1},
        )
    chain_records()


def falsify(record: AuditRecord) -> None:
    """Change a record as somebody with the database's password would."""
    take_guard_away()
    AuditRecord.objects.filter(pk=record.pk).update(actor="nobody")


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ({"actor__icontains": "actor-1"}, {"test.act_1"}),
        ({"action__icontains": "act_2"}, {"test.act_2"}),
        ({"target__icontains": "thing:0"}, {"test.act_0"}),
        ({"created_at_from": "2001-01-01", "created_at_to": "2001-01-02"}, set()),
        ({"created_at_from": TODAY, "created_at_to": TODAY}, ALL),
        ({"created_at_from": "2001-13-45"}, set()),
    ],
)
def test_filters(staff: Client, world: World, query: dict[str, str], shown: set[str]) -> None:
    write(world)
    rows = staff.get(LIST, query).context["cl"].result_list
    assert {row.action for row in rows if row.action.startswith("test.")} == shown


def test_difference_is_shown_and_secrets_are_not(staff: Client, world: World) -> None:
    audit(
        None,
        "test.changed",
        actor="x",
        organisation_id=world.organisation.pk,
        before={"role": "trader", "name": "same"},
        after={"role": "viewer", "name": "same", "api_secret": "MARKER"},
    )
    record = AuditRecord.objects.get(action="test.changed")
    text = staff.get(reverse("admin:events_auditrecord_change", args=[record.pk])).content.decode()
    assert ">trader</del>" in text
    assert ">viewer</ins>" in text
    assert ">same</ins>" not in text
    assert "MARKER" not in text


def test_difference_of_values_that_came_or_went() -> None:
    lines = difference_of({"a": 1, "b": None}, {"b": None, "c": [2]})
    assert lines == [
        {"name": "a", "before": "1", "after": "", "changed": True},
        {"name": "b", "before": "null", "after": "null", "changed": False},
        {"name": "c", "before": "", "after": "[2]", "changed": True},
    ]
    assert difference_of(None, None) == []


def test_untouched_record_is_confirmed(staff: Client, operator: Client, world: World) -> None:
    write(world)
    for client in (staff, operator):
        answer = client.post(VERIFY)
        assert (answer.status_code, answer.context["verdict"].faults) == (200, [])
        assert b"As it was written" in answer.content


def test_falsified_record_is_found(staff: Client, world: World) -> None:
    write(world)
    falsify(AuditRecord.objects.get(action="test.act_1"))
    answer = staff.post(VERIFY)
    assert [fault.seq for fault in answer.context["verdict"].faults] == [
        AuditRecord.objects.get(action="test.act_1").seq
    ]
    assert b"was changed after it was written" in answer.content


def test_administrator_verifies_the_own_chain_alone(
    staff: Client, world: World, foreign: World
) -> None:
    write(world)
    write(foreign)
    falsify(AuditRecord.objects.get(organisation=foreign.organisation, action="test.act_1"))
    verdict: Any = staff.post(VERIFY, {"files": "on"}).context["verdict"]
    assert (verdict.chains, verdict.faults) == (1, [])


def test_verdict_wants_a_post_and_an_administrator(staff: Client, world: World) -> None:
    assert staff.get(VERIFY).status_code == 403
    world.user.role = "viewer"
    world.user.save()
    assert staff.post(VERIFY).status_code == 403
