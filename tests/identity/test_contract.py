"""Each route of identity, in all dialects, against a running server: there, 200, no stated key
missing, closed to strangers where its specification says so.
"""

import re
from collections.abc import Callable
from typing import Any

import httpx
import pyotp
import pytest

from tests.identity import shapes
from tests.identity.clients import Clients
from tests.identity.shapes import Shape, faults
from tests.processes.harness import Platform
from tests.users.people import PASSWORD, new_person
from tests.waiting import wait_until
from tradingplatform.access_table import routes
from users.models import Organisation

pytestmark = pytest.mark.slow

IDENTITY = ("/api/v1/auth/", "/v1/auth/", "/v1/api-keys", "/v1/orgs", "/v1/users", "/csrf-token")
NEW, NEWER = "an entirely new passphrase", "a still newer passphrase"


class Probe:
    """A client that checks each answer and remembers which routes it has seen answering."""

    def __init__(self, client: httpx.Client) -> None:
        self.client = client
        self.seen: set[tuple[str, str]] = set()

    def __call__(
        self, method: str, route: str, shape: Shape, token: str = "", body: Any = None, **ids: str
    ) -> Any:
        """The body of a 200 that has the shape; ``ids`` fill the route's names."""
        path = re.sub(r"<(\w+)>", lambda found: ids[found[1]], route)
        answer = self._send(method, path, token, body)
        assert answer.status_code == 200, f"{method} {path}: {answer.text}"
        assert faults(shape, answer.json()) == [], f"{method} {path}"
        self.seen.add((method, route))
        return answer.json()

    def closed(self, method: str, path: str) -> None:
        """A stranger is told so in the dialect of the path."""
        answer = self._send(method, path, "", {})
        shape = shapes.REFUSED_UNION if path.startswith("/api") else shapes.REFUSED_003
        assert answer.status_code == 401, f"{method} {path}: {answer.text}"
        assert faults(shape, answer.json()) == [], f"{method} {path}"

    def _send(self, method: str, path: str, token: str, body: Any) -> httpx.Response:
        self.client.cookies.clear()
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        json = None if method == "GET" else body or {}
        return self.client.request(method, path, json=json, headers=headers)


@pytest.fixture
def probe(platform: Platform, clients: Clients, organisation: Organisation) -> Probe:
    """A probe of a running platform with a superuser ``root`` and a trader ``tina``."""
    new_person(organisation, "root", "admin", is_superuser=True)
    new_person(organisation, "tina", "trader")
    platform.start()
    return Probe(clients.at())


def log_in(probe: Probe, name: str, password: str = PASSWORD) -> dict[str, Any]:
    given = {"username": name, "password": password}
    return dict(probe("POST", "/api/v1/auth/login", shapes.LOGIN_001, body=given))


def sessions_of_three_specifications(probe: Probe) -> None:
    device = {"ip_address": "127.0.0.1", "user_agent": "probe", "device_type": "cli"}
    given = {"username": "tina", "password": PASSWORD}
    login, refresh = "/api/v1/auth/login", "/api/v1/auth/refresh"
    first = probe("POST", login, shapes.LOGIN_001, body={**given, "device_info": device})
    second = probe("POST", login, shapes.LOGIN_002, body=given)
    assert set(probe.client.cookies) == {"access_token", "refresh_token"}
    third = probe("POST", login, shapes.LOGIN_004, body={**given, "mfa_token": ""})
    old = {"refresh_token": first["refresh_token"]}
    access = probe("POST", refresh, shapes.LOGIN_001, body=old)["access_token"]
    probe("POST", refresh, shapes.REFRESH_002, second["refresh_token"])
    probe("POST", refresh, shapes.REFRESH_004, body={"refresh_token": third["refresh_token"]})
    assert probe("GET", "/api/v1/auth/me", shapes.CONTEXT, access)["role"] == "viewer"
    probe("GET", "/api/v1/auth/permissions", shapes.PERMISSIONS, access)
    found = probe("GET", "/api/v1/auth/sessions", shapes.SESSIONS, access)["data"]["sessions"]
    sid = next(each["session_id"] for each in found if not each["current"])
    end = "/api/v1/auth/sessions/<session_id>/terminate"
    probe("POST", end, shapes.DONE, access, session_id=sid)
    last = log_in(probe, "tina")
    probe("POST", "/api/v1/auth/logout", shapes.DONE, last["access_token"])
    by_token = {"refresh_token": first["refresh_token"]}
    assert probe("POST", "/api/v1/auth/logout", shapes.DONE, body=by_token)["message"] == (
        "Successfully logged out"
    )
    probe("GET", "/csrf-token", shapes.CSRF)


def passwords(probe: Probe, mailed: Callable[[], str]) -> None:
    reset = "/api/v1/auth/password/reset"
    probe("POST", reset, shapes.DONE, body={"email": "tina@example.org"})
    given = {"token": mailed(), "new_password": NEW}
    probe("POST", f"{reset}/complete", shapes.DONE, body=given)
    root = log_in(probe, "root")["access_token"]
    people = probe("GET", "/v1/users", {"users": [shapes.USER]}, root)["users"]
    tina = next(each["id"] for each in people if each["email"] == "tina@example.org")
    issued = probe("POST", "/v1/users/<user_id>/issue-reset", shapes.RESET, root, user_id=tina)
    given = {"reset_token": issued["reset_token"], "new_password": NEWER}
    probe("POST", "/v1/auth/reset-password", shapes.ENDED, body=given)
    given = {"email": "tina@example.org", "password": NEWER}
    mine = probe("POST", "/v1/auth/login", shapes.TOKENS, body=given)
    assert mine["token_type"] == "Bearer"
    given = {"refresh_token": mine["refresh_token"]}
    access = probe("POST", "/v1/auth/refresh", shapes.TOKENS, body=given)["access_token"]
    given = {"old_password": NEWER, "new_password": PASSWORD}
    probe("POST", "/v1/auth/change-password", shapes.ENDED, access, given)
    one = {**shapes.REVOKED, "revoked": bool}
    probe("POST", "/v1/auth/revoke", one, access)
    every = {**shapes.REVOKED, "revoked_count": int}
    probe("POST", "/v1/auth/revoke", every, root, {"revoke_all": True, "user_id": tina})


def people_and_keys(probe: Probe) -> None:
    root = log_in(probe, "root")["access_token"]
    probe("POST", "/v1/orgs", {"org_id": str}, root, {"name": "Probe"})
    probe("GET", "/v1/orgs", {"orgs": [{"org_id": str, "name": str}]}, root)
    given = {"email": "new@example.org", "role": "viewer", "password": NEW,
             "must_reset_password": True}  # fmt: skip
    user = probe("POST", "/v1/users", {"user": shapes.USER}, root, given)["user"]["id"]
    change = {"active": False}
    probe("PATCH", "/v1/users/<user_id>", {"user": shapes.USER}, root, change, user_id=user)
    keys = [
        probe("POST", "/v1/api-keys", shapes.KEY, root, {"label": "probe", "role": "viewer"})
        for _ in range(2)
    ]
    shown = probe("GET", "/api/v1/auth/me", shapes.CONTEXT, keys[0]["token"])
    assert (shown["username"], shown["role"]) == ("root", "viewer")
    probe("GET", "/v1/api-keys", {"api_keys": [{"api_key_id": str, "label": str}]}, root)
    first, second = (key["api_key_id"] for key in keys)
    probe("DELETE", "/v1/api-keys/<key_id>", {"ok": bool}, root, key_id=first)
    probe("POST", "/v1/api-keys/<key_id>/revoke", {"ok": bool}, root, key_id=second)


def second_factor(probe: Probe) -> None:
    access = log_in(probe, "root")["access_token"]
    base = "/api/v1/auth/mfa"
    probe("GET", base, {**shapes.DONE, "data": {"enabled": bool}}, access)
    begun = {**shapes.DONE, "data": {"secret": str, "otpauth_uri": str}}
    secret = probe("POST", f"{base}/enrol", begun, access)["data"]["secret"]
    codes = {**shapes.DONE, "data": {"recovery_codes": [str]}}
    given = {"code": pyotp.TOTP(secret).now()}
    first = probe("POST", f"{base}/confirm", codes, access, given)["data"]["recovery_codes"]
    given = {"username": "root", "password": PASSWORD, "mfa_token": first[0]}
    probe("POST", "/api/v1/auth/login", shapes.LOGIN_004, body=given)
    given = {"code": first[1]}
    second = probe("POST", f"{base}/recovery-codes", codes, access, given)["data"]["recovery_codes"]
    given = {"password": PASSWORD, "code": second[0]}
    probe("POST", f"{base}/disable", shapes.DONE, access, given)


def test_every_route_of_identity_answers_with_what_its_specifications_state(
    platform: Platform, probe: Probe
) -> None:
    def mailed() -> str:
        sender = platform.running[platform.sender]
        found = wait_until(lambda: re.search(r"[?&]token=([\w-]{20,})", sender.output), "a mail")
        return str(found[1])

    sessions_of_three_specifications(probe)
    passwords(probe, mailed)
    people_and_keys(probe)
    second_factor(probe)
    served = [route for route in routes() if route.path.startswith(IDENTITY)]
    print(f"{len(served)} routes of identity seen answering 200 with all stated keys")
    assert probe.seen == {(route.method, route.path) for route in served}
    for route in served:
        is_logout = route.path == "/api/v1/auth/logout"
        if is_logout or (route.policy is not None and route.policy.name != "PUBLIC"):
            probe.closed(route.method, re.sub(r"<\w+>", "1", route.path))
