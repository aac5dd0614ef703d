"""The audit: who did what, from what to what, and whether anybody has touched the record since."""

import json
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import path
from import_export.resources import ModelResource

from common.redaction import redact_json
from events.models import AuditAnchor, AuditChain, AuditRecord
from events.verification import verify_all
from users.models import Organisation

from .base import ExportAdmin, ReadOnlyAdmin, acting_principal
from .filters import DaysFilter, TextFilter
from .own_pages import own_page

SHOWN_FAULTS = 100


class AuditResource(ModelResource):
    """The columns of an exported audit record."""

    class Meta:
        model = AuditRecord
        fields = (
            "id",
            "organisation__name",
            "actor",
            "action",
            "target",
            "address",
            "before",
            "after",
            "created_at",
        )
        export_order = fields


@admin.register(AuditRecord)
class AuditRecordAdmin(ExportAdmin):
    """Who did what."""

    resource_classes = (AuditResource,)
    list_display = ("created_at", "actor", "action", "target", "address", "organisation")
    list_display_links = ("created_at", "action")
    list_filter = (
        ("actor", TextFilter),
        ("action", TextFilter),
        ("target", TextFilter),
        ("created_at", DaysFilter),
    )
    list_filter_submit = True
    list_select_related = ("organisation",)
    list_before_template = "console/audit_verify.html"
    search_fields = ("actor", "action", "target")
    ordering = ("-id",)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        """The facts, what changed, then the place in the chain."""
        facts = ("created_at", "actor", "action", "target", "address", "organisation")
        return [*facts, "difference", "seq", "previous_shown", "hash_shown"]

    @admin.display(description="what changed")
    def difference(self, record: AuditRecord) -> str:
        """Before and after, side by side, what differs marked."""
        lines = difference_of(record.before, record.after)
        return render_to_string("console/audit_difference.html", {"lines": lines})

    @admin.display(description="hash before it")
    def previous_shown(self, record: AuditRecord) -> str:
        """Public: hashes prove, they open nothing."""
        return record.previous_hash or "–"

    @admin.display(description="hash")
    def hash_shown(self, record: AuditRecord) -> str:
        """Empty for some seconds after the act."""
        return record.hash or "not chained yet"

    def get_urls(self) -> list[Any]:
        """Beside the usual pages the verdict."""
        page = self.admin_site.admin_view(self.verify_view)
        return [path("verify/", page, name="events_auditrecord_verify"), *super().get_urls()]

    @own_page("manage")
    def verify_view(self, request: HttpRequest) -> HttpResponse:
        """Verify the own chain, for a superuser all of them; reads everything, changes nothing."""
        if request.method != "POST":
            raise PermissionDenied
        principal = acting_principal(request)
        everything = principal.is_superuser
        own = Organisation.objects.visible_to(principal).get(pk=principal.organisation_id)
        name = "" if everything else own.uuid.hex
        verdict = verify_all(name=name, with_files=everything and "files" in request.POST)
        context = {
            **self.admin_site.each_context(request),
            "title": "Is the audit as it was written?",
            "verdict": verdict,
            "faults": verdict.faults[:SHOWN_FAULTS],
            "more": max(0, len(verdict.faults) - SHOWN_FAULTS),
            "everything": everything,
            "opts": self.opts,
        }
        answer = TemplateResponse(request, "console/audit_verdict.html", context)
        answer["Cache-Control"] = "no-store"
        return answer


def difference_of(
    before: dict[str, Any] | None, after: dict[str, Any] | None
) -> list[dict[str, Any]]:
    """Each name with its value before and after, secrets masked; ``changed`` marks differences."""
    old, new = redact_json(before or {}), redact_json(after or {})
    return [
        {
            "name": name,
            "before": _written(old.get(name)) if name in old else "",
            "after": _written(new.get(name)) if name in new else "",
            "changed": old.get(name) != new.get(name),
        }
        for name in dict.fromkeys([*old, *new])
    ]


def _written(value: Any) -> str:
    if isinstance(value, str):
        return value or "(empty)"
    return json.dumps(value, ensure_ascii=False)


@admin.register(AuditChain)
class AuditChainAdmin(ReadOnlyAdmin):
    """The heads of the audit chains."""

    list_display = ("name", "organisation", "seq", "head", "exported")
    list_select_related = ("organisation",)


@admin.register(AuditAnchor)
class AuditAnchorAdmin(ReadOnlyAdmin):
    """Signed statements of where the chains stood."""

    organisation_path = "chain__organisation"
    list_display = ("chain", "seq", "head", "created_at")
    list_select_related = ("chain",)
    ordering = ("-id",)
