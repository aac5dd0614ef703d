"""A forgotten password: a mail, a token that leaves the address bar, a new password."""

import re

from django.core.mail import EmailMessage
from django.test import Client
from django.urls import reverse

from tests.dashboard.world import PASSWORD, World
from users.models import PasswordReset
from users.passwords import mail_reset
from users.throttles import FREE_RESETS

RESET = reverse("dashboard:reset")
NEW = "a brand new password"


def mailed_token(world: World, mailoutbox: list[EmailMessage]) -> str:
    """What the mail to the user brought."""
    assert mail_reset(email=world.user.email)
    found = re.search(r"\?token=(\S+)", mailoutbox[-1].body)
    assert found is not None
    return found[1]


def test_known_and_unknown_addresses_get_the_same_answer(world: World) -> None:
    answers = []
    for email in (world.user.email, "nobody@example.test"):
        answer = Client().post(RESET, {"email": email}, follow=True)
        answers.append((answer.redirect_chain, b"If the address is somebody" in answer.content))
    assert answers[0] == answers[1] == ([("/dashboard/login/", 302)], True)


def test_token_leaves_the_address_bar_and_works_once(
    world: World, mailoutbox: list[EmailMessage]
) -> None:
    token = mailed_token(world, mailoutbox)
    signed_in = Client()
    form = {"username": "acme-user", "password": PASSWORD}
    signed_in.post(reverse("dashboard:login"), form)
    client = Client()
    assert client.get(f"{RESET}?token={token}").headers["Location"] == RESET
    page = client.get(RESET)
    assert token not in page.content.decode()
    assert "no-store" in page.headers["Cache-Control"]
    set_new = {"new_password": NEW, "again": NEW}
    assert client.post(RESET, set_new).headers["Location"] == reverse("dashboard:login")
    world.user.refresh_from_db()
    assert world.user.check_password(NEW)
    assert signed_in.get("/dashboard/").status_code == 302
    again = Client()
    again.get(f"{RESET}?token={token}")
    refused = again.post(RESET, {"new_password": PASSWORD, "again": PASSWORD})
    assert refused.status_code == 401
    world.user.refresh_from_db()
    assert world.user.check_password(NEW)


def test_weak_password_keeps_the_token(world: World, mailoutbox: list[EmailMessage]) -> None:
    client = Client()
    client.get(f"{RESET}?token={mailed_token(world, mailoutbox)}")
    for form in ({"new_password": "x", "again": "x"}, {"new_password": NEW, "again": "y"}):
        assert client.post(RESET, form).status_code == 422
    assert PasswordReset.objects.get().used_at is None
    assert client.post(RESET, {"new_password": NEW, "again": NEW}).status_code == 302


def test_without_a_token_nothing_is_set(world: World) -> None:
    assert Client().post(RESET, {"new_password": NEW, "again": NEW}).status_code == 401
    world.user.refresh_from_db()
    assert world.user.check_password(PASSWORD)


def test_an_address_that_asks_again_and_again_is_told_to_wait(world: World) -> None:
    for number in range(FREE_RESETS):
        assert Client().post(RESET, {"email": f"n{number}@example.test"}).status_code == 302
    refused = Client().post(RESET, {"email": world.user.email})
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "15")
    assert b"Too many requests from this address" in refused.content
    elsewhere = Client(REMOTE_ADDR="10.9.9.9")
    assert elsewhere.post(RESET, {"email": world.user.email}).status_code == 302
