"""``/v1/users``: the people of an organisation, for its administrators."""

from django.db.models import QuerySet
from rest_framework.request import Request
from rest_framework.response import Response

from common.clock import iso
from common.errors import Invalid
from surfaces.lookups import find
from surfaces.policy import Policy
from surfaces.server.dialect import ServerView, shown_user, unstored
from surfaces.server.serializers import ChangeUserInput, NewUserInput
from users.models import Organisation, User
from users.passwords import demand_strong
from users.services import change_user, create_user, issue_reset

MAX_LISTED = 1000
MAX_USERNAME = 80


class UsersView(ServerView):
    """The people of an organisation: the own one, or for a superuser that of ``org_id``."""

    policy = Policy.USERS
    inputs = {"POST": NewUserInput}

    def get(self, request: Request) -> Response:
        """All of them, disabled ones too, in the order they came."""
        organisation = self._organisation(request.query_params.get("org_id"))
        rows = User.objects.visible_to(self.principal).filter(organisation=organisation)
        people = rows.select_related("organisation").order_by("pk")[:MAX_LISTED]
        return Response({"users": [shown_user(user) for user in people]})

    def post(self, request: Request) -> Response:
        """A new person, who sets a password of their own first unless told otherwise."""
        given = self.input()
        username = given.get("username") or given["email"]
        if len(username) > MAX_USERNAME:
            raise Invalid("The user name is too long.", fields={"username": "is needed"})
        demand_strong(given["password"])
        user = create_user(
            organisation=self._organisation(given.get("org_id")),
            username=username,
            email=given["email"],
            password=given["password"],
            role=given["role"],
            must_reset_password=given["must_reset_password"],
            by=self.principal,
        )
        return Response({"user": shown_user(user)})

    def _organisation(self, org_id: str | None) -> Organisation:
        visible = Organisation.objects.visible_to(self.principal)
        return find(visible, org_id or str(self.principal.organisation_id), what="org")


class UserView(ServerView):
    """One person."""

    policy = Policy.USERS
    inputs = {"PATCH": ChangeUserInput}

    def patch(self, request: Request, user_id: str) -> Response:
        """Another role, in or out; their sessions end. 409 for the last administrator."""
        given = self.input()
        user = change_user(
            user=find(_people(self), user_id, what="user"),
            by=self.principal,
            role=given.get("role"),
            is_active=given.get("active"),
        )
        return Response({"user": shown_user(user)})


class IssueResetView(ServerView):
    """A one-time token with which a person sets a new password."""

    policy = Policy.USERS

    def post(self, request: Request, user_id: str) -> Response:
        """The token, shown this once; earlier ones are void and the person's sessions end."""
        issued = issue_reset(user=find(_people(self), user_id, what="user"), by=self.principal)
        return unstored(
            {
                "ok": True,
                "user_id": str(issued.user.uuid),
                "reset_token": issued.token,
                "expires_at": iso(issued.expires_at),
                "revoked_refresh_tokens": issued.ended_sessions,
            }
        )


def _people(view: ServerView) -> QuerySet[User]:
    return User.objects.visible_to(view.principal).select_related("organisation")
