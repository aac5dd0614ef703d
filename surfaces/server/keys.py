"""``/v1/api-keys``: keys of machines, minted, listed, revoked."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import Account
from surfaces.lookups import find
from surfaces.policy import Policy
from surfaces.server.dialect import ServerView, shown_key, unstored
from surfaces.server.serializers import NewKeyInput, RevokeKeyInput
from users.models import ApiKey, User
from users.services import create_api_key, revoke_api_key

MAX_LISTED = 1000


class ApiKeysView(ServerView):
    """The keys of the organisation."""

    policy = Policy.USERS
    inputs = {"POST": NewKeyInput}

    def get(self, request: Request) -> Response:
        """All of them, revoked ones too, newest first; their text is nowhere."""
        rows = ApiKey.objects.visible_to(self.principal)
        own = rows.filter(organisation_id=self.principal.organisation_id)
        keys = own.select_related("user").order_by("-id")[:MAX_LISTED]
        return Response({"api_keys": [shown_key(key) for key in keys]})

    def post(self, request: Request) -> Response:
        """Mint a key; ``token`` is shown this once."""
        given = self.input()
        people = User.objects.visible_to(self.principal).select_related("organisation")
        user_id = given.get("user_id") or str(self.principal.user_id)
        key, text = create_api_key(
            user=find(people, user_id, what="user"),
            label=given["label"],
            role=given["role"],
            account_ids=self._accounts(given.get("account_ids")),
            scopes=given.get("scopes"),
            expires_at=given.get("expires_at"),
            by=self.principal,
        )
        return unstored({**shown_key(key), "token": text})

    def _accounts(self, wanted: list[str] | None) -> list[int] | None:
        if wanted is None:
            return None
        visible = Account.objects.visible_to(self.principal)
        return sorted({find(visible, each, what="account").pk for each in wanted})


class ApiKeyView(ServerView):
    """One key."""

    policy = Policy.USERS

    def delete(self, request: Request, key_id: str) -> Response:
        """Revoke it; it fails from the next request on. 409 when it was revoked before."""
        return _revoked(self, key_id, "")


class RevokeApiKeyView(ServerView):
    """One key, for callers that cannot say DELETE."""

    policy = Policy.USERS
    inputs = {"POST": RevokeKeyInput}

    def post(self, request: Request, key_id: str) -> Response:
        """Revoke it; it fails from the next request on. 409 when it was revoked before."""
        return _revoked(self, key_id, self.input().get("reason", ""))


def _revoked(view: ServerView, key_id: str, reason: str) -> Response:
    keys = ApiKey.objects.visible_to(view.principal).select_related("user")
    key = find(keys, key_id, what="api_key")
    revoke_api_key(key=key, by=view.principal, reason=reason)
    answer: dict[str, Any] = {"ok": True, "api_key_id": str(key.uuid)}
    return Response(answer)
