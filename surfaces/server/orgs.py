"""``/v1/orgs``: the tenants, for platform superusers."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from common.clock import iso
from surfaces.policy import Policy
from surfaces.server.dialect import ServerView
from surfaces.server.serializers import NewOrganisationInput
from users.models import Organisation
from users.services import create_organisation

MAX_LISTED = 1000


class OrganisationsView(ServerView):
    """All tenants."""

    policy = Policy.PLATFORM
    inputs = {"POST": NewOrganisationInput}

    def get(self, request: Request) -> Response:
        """By name."""
        rows = Organisation.objects.visible_to(self.principal).order_by("name")[:MAX_LISTED]
        return Response({"orgs": [_shown(row) for row in rows]})

    def post(self, request: Request) -> Response:
        """A new tenant; 409 where the name is taken."""
        return Response(_shown(create_organisation(by=self.principal, **self.input())))


def _shown(organisation: Organisation) -> dict[str, Any]:
    return {
        "org_id": str(organisation.uuid),
        "name": organisation.name,
        "base_currency": organisation.base_currency,
        "created_at": iso(organisation.created_at),
    }
