"""``/api/v1/auth/*``: what three specifications' clients read and send."""

from typing import Any

import pytest
from django.test import Client

from common.clock import now
from tests.management.answers import masked, refusal
from tests.management.conftest import Call
from tests.users.people import PASSWORD, Person, new_person, sign_in
from users.models import ApiKey, AuthSession, User
from users.services import create_api_key

LOGIN = {"username": "ours-admin", "password": PASSWORD}


def test_the_login_answer_is_what_three_clients_read(call: Call, admin: Person) -> None:
    response = call("POST", "/auth/login", LOGIN)
    body = response.json()
    assert response.status_code == 200
    permissions = ["export", "manage", "read", "risk", "trade", "users"]
    assert (body["token_type"], body["expires_in"]) == ("bearer", 3600)
    assert body["user_context"] == {
        "user_id": str(admin.user.pk),
        "username": "ours-admin",
        "role": "admin",
        "permissions": permissions,
    }
    assert body["user"] == {
        "id": admin.user.pk,
        "user_id": str(admin.user.pk),
        "uuid": str(admin.user.uuid),
        "username": "ours-admin",
        "email": "ours-admin@example.org",
        "role": "admin",
        "permissions": permissions,
    }
    assert response.headers["Cache-Control"] == "no-store"


def test_both_tokens_come_as_cookies_that_scripts_cannot_read(call: Call, admin: Person) -> None:
    response = call("POST", "/auth/login", LOGIN)
    for name in ("access_token", "refresh_token"):
        cookie = response.cookies[name]
        assert cookie.value == response.json()[name]
        assert cookie["httponly"]
        assert cookie["samesite"] == "Lax"
    assert response.cookies["refresh_token"]["path"] == "/api/v1/auth"


def test_cookies_go_over_tls_alone_where_people_come_over_tls(
    call: Call, admin: Person, settings: Any
) -> None:
    assert not call("POST", "/auth/login", LOGIN).cookies["access_token"]["secure"]
    settings.SESSION_COOKIE_SECURE = True
    response = call("POST", "/auth/login", LOGIN)
    assert [response.cookies[name]["secure"] for name in ("access_token", "refresh_token")] == [
        True,
        True,
    ]


@pytest.mark.parametrize(
    "body",
    [
        {"username": "OURS-ADMIN@example.org", "password": PASSWORD},
        {"email": "ours-admin", "password": PASSWORD},
        {
            **LOGIN,
            "device_info": {"ip_address": "1.2.3.4", "user_agent": "x", "device_type": "cli"},
        },
        {**LOGIN, "mfa_token": "123456"},
        {**LOGIN, "mfa_token": ""},
    ],
)
def test_each_client_s_way_to_log_in_works(call: Call, admin: Person, body: Any) -> None:
    assert call("POST", "/auth/login", body).status_code == 200


def test_the_address_of_a_session_is_the_connection_s(call: Call, admin: Person) -> None:
    body = {**LOGIN, "device_info": {"ip_address": "1.2.3.4"}}
    call("POST", "/auth/login", body, HTTP_X_FORWARDED_FOR="5.6.7.8", HTTP_USER_AGENT="probe")
    session = AuthSession.objects.latest("pk")
    assert (session.address, session.user_agent) == ("127.0.0.1", "probe")
    assert session.claimed_device == {"ip_address": "1.2.3.4"}


def test_a_wrong_login_says_the_same_for_everybody(call: Call, admin: Person) -> None:
    answers = [
        masked(call("POST", "/auth/login", body))
        for body in (
            {**LOGIN, "password": "wrong"},
            {**LOGIN, "username": "nobody"},
            {**LOGIN, "username": "nobody@example.org"},
        )
    ]
    assert answers[0] == answers[1] == answers[2]
    assert answers[0][0] == 401


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"password": "x"}, "username"),
        ({"username": "x"}, "password"),
        ({"username": ["x"], "password": "x"}, "username"),
        ({**LOGIN, "device_info": "x"}, "device_info"),
        ({**LOGIN, "role": "admin"}, "role"),
    ],
)
def test_a_login_without_its_fields_is_named(
    call: Call, admin: Person, body: Any, field: str
) -> None:
    answer = refusal(call("POST", "/auth/login", body), 422, "validation_error")
    assert list(answer["errors"]) == [field]


def test_a_stale_bearer_does_not_keep_anyone_from_logging_in(call: Call, admin: Person) -> None:
    response = call("POST", "/auth/login", LOGIN, HTTP_AUTHORIZATION="Bearer rubbish")
    assert response.status_code == 200


def test_the_refresh_token_is_found_in_body_header_bearer_and_cookie(
    client: Client, call: Call, admin: Person
) -> None:
    token = admin.pair.refresh
    successors = set()
    for body, headers in (
        ({"refresh_token": token}, {}),
        ({}, {"HTTP_X_REFRESH_TOKEN": token}),
        ({}, {"HTTP_AUTHORIZATION": f"Bearer {token}"}),
    ):
        response = call("POST", "/auth/refresh", body, **headers)
        assert response.status_code == 200
        successors.add(response.json()["refresh_token"])
    client.cookies.clear()
    client.cookies["refresh_token"] = token
    successors.add(call("POST", "/auth/refresh").json()["refresh_token"])
    assert len(successors) == 1


def test_a_refresh_answers_like_a_login(call: Call, admin: Person) -> None:
    login = call("POST", "/auth/login", LOGIN).json()
    answer = call("POST", "/auth/refresh", {"refresh_token": login["refresh_token"]}).json()
    assert set(answer) == set(login)
    assert answer["user_context"] == login["user_context"]


def test_a_reused_refresh_token_ends_the_family(client: Client, call: Call, admin: Person) -> None:
    first = admin.pair.refresh
    second = call("POST", "/auth/refresh", {"refresh_token": first}).json()
    third = call("POST", "/auth/refresh", {"refresh_token": second["refresh_token"]}).json()
    client.cookies.clear()
    refusal(call("POST", "/auth/refresh", {"refresh_token": first}), 401, "token_revoked")
    refusal(
        call("POST", "/auth/refresh", {"refresh_token": third["refresh_token"]}),
        401,
        "token_revoked",
    )
    bearer = {"HTTP_AUTHORIZATION": f"Bearer {third['access_token']}"}
    refusal(call("GET", "/auth/me", **bearer), 401, "token_revoked")


@pytest.mark.parametrize("value", [1, None, [], {}])
def test_a_refresh_token_of_another_type_is_refused(call: Call, admin: Person, value: Any) -> None:
    response = call("POST", "/auth/refresh", {"refresh_token": value})
    refusal(response, 422, "validation_error")


def test_no_refresh_token_at_all_is_401(call: Call, db: None) -> None:
    refusal(call("POST", "/auth/refresh"), 401, "unauthorized")


def test_a_deleted_or_disabled_user_s_refresh_is_401(call: Call, viewer: Person) -> None:
    User.objects.filter(pk=viewer.user.pk).update(is_active=False)
    body = {"refresh_token": viewer.pair.refresh}
    refusal(call("POST", "/auth/refresh", body), 401, "token_revoked")
    User.objects.get(pk=viewer.user.pk).delete()
    refusal(call("POST", "/auth/refresh", body), 401, "token_revoked")


def test_me_shows_the_caller(call: Call, viewer: Person, trader: Person) -> None:
    assert call("GET", "/auth/me", person=viewer).json() == {
        "user_id": str(viewer.user.pk),
        "username": "vera",
        "role": "viewer",
        "permissions": ["read"],
    }
    shown = call("GET", "/auth/me", person=trader).json()
    assert (shown["role"], shown["permissions"]) == ("viewer", ["read", "trade"])


def test_an_api_key_is_taken_as_bearer_and_in_its_own_header(call: Call, admin: Person) -> None:
    key, text = create_api_key(user=admin.user, label="relay")
    for headers in ({"HTTP_X_API_KEY": text}, {"HTTP_AUTHORIZATION": f"bearer {text}"}):
        assert call("GET", "/auth/me", **headers).json()["username"] == "ours-admin"
    ApiKey.objects.filter(pk=key.pk).update(revoked_at=now())
    refusal(call("GET", "/auth/me", HTTP_X_API_KEY=text), 401, "token_invalid")


def test_logout_ends_the_session_at_once(client: Client, call: Call, admin: Person) -> None:
    response = call("POST", "/auth/logout", {}, admin)
    body = response.json()
    assert (body["success"], body["message"]) == (True, "Successfully logged out")
    assert (body["type"], body["version"]) == ("response", "1.0")
    assert body["data"]["timestamp"]
    for name in ("access_token", "refresh_token"):
        assert response.cookies[name].value == ""
    client.cookies.clear()
    refusal(call("GET", "/auth/me", person=admin), 401, "token_revoked")
    refusal(
        call("POST", "/auth/refresh", {"refresh_token": admin.pair.refresh}), 401, "token_revoked"
    )


def test_logout_by_refresh_token_alone(call: Call, admin: Person) -> None:
    body = {"refresh_token": admin.pair.refresh}
    assert call("POST", "/auth/logout", body).status_code == 200
    assert admin.session.revoked_reason == "logout"
    refusal(call("POST", "/auth/logout", body), 401, "unauthorized")


def test_logout_of_nobody_is_401(call: Call, db: None) -> None:
    refusal(call("POST", "/auth/logout"), 401, "unauthorized")


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer  ", "Basic YTpi", "Bearer a.b.c", "Bearer eyJ.e30.x", "x"]
)
def test_a_bad_credential_is_401_with_a_challenge(call: Call, db: None, header: str) -> None:
    response = call("GET", "/auth/me", HTTP_AUTHORIZATION=header)
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == 'Bearer realm="api"'


def test_a_request_id_of_the_client_is_kept(call: Call, db: None) -> None:
    response = call("GET", "/auth/me", HTTP_X_REQUEST_ID="client-chosen-1")
    assert response.json()["request_id"] == "client-chosen-1"


def test_a_request_by_access_token_makes_one_query(
    call: Call, admin: Person, django_assert_num_queries: Any
) -> None:
    for path in ("/auth/me", "/auth/permissions"):
        with django_assert_num_queries(1):
            assert call("GET", path, person=admin).status_code == 200


def test_a_new_password_ends_the_refresh_tokens_of_all_other_sessions(
    client: Client, call: Call, viewer: Person
) -> None:
    other = sign_in(viewer.user)
    given = {"old_password": PASSWORD, "new_password": "an entirely new passphrase"}
    changed = client.post("/v1/auth/change-password", given, "application/json", **viewer.bearer)
    assert changed.status_code == 200
    body = {"refresh_token": other.pair.refresh}
    refusal(call("POST", "/auth/refresh", body), 401, "token_revoked")
    refusal(call("GET", "/auth/me", person=other), 401, "token_revoked")
    assert call("POST", "/auth/refresh", {"refresh_token": viewer.pair.refresh}).status_code == 200


def test_a_demoted_admin_s_old_tokens_do_nothing_and_new_ones_less(
    client: Client, call: Call, admin: Person
) -> None:
    second = new_person(admin.user.organisation, "ada", "admin")
    path = f"/v1/users/{second.user.uuid}"
    demoted = client.patch(path, {"role": "viewer"}, "application/json", **admin.bearer)
    assert demoted.status_code == 200
    refusal(call("GET", "/auth/me", person=second), 401, "token_revoked")
    body = {"refresh_token": second.pair.refresh}
    refusal(call("POST", "/auth/refresh", body), 401, "token_revoked")
    again = call("POST", "/auth/login", {"username": "ada", "password": PASSWORD}).json()
    assert again["user_context"]["permissions"] == ["read"]
    bearer = {"HTTP_AUTHORIZATION": f"Bearer {again['access_token']}"}
    assert client.get("/v1/users", **bearer).status_code == 403
