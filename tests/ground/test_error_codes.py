"""The page of error codes says what the code says."""

from django.test import Client

from surfaces.error_codes import EXCHANGE, ORDER, REQUEST, as_markdown, error_codes
from tradingplatform.management.commands.error_codes import PAGE


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == as_markdown(), "run: manage.py error_codes --write"


def test_codes_of_all_three_kinds_are_found_with_their_status() -> None:
    known = {(row.section, row.code): row.status for row in error_codes()}
    assert known[(REQUEST, "mfa_required")] == 401
    assert known[(REQUEST, "csrf_missing")] == 403
    assert known[(REQUEST, "{what}_not_found")] == 404
    assert known[(REQUEST, "idempotency_mismatch")] == 422
    assert known[(REQUEST, "weak_password")] == 422
    assert known[(REQUEST, "too_many_attempts")] == 429
    assert known[(REQUEST, "method_not_allowed")] == 405
    assert known[(ORDER, "denied_kill_switch")] == 0
    assert known[(ORDER, "leverage_not_supported")] == 0
    assert known[(EXCHANGE, "timeout")] == 0
    assert all(row.code == row.code.lower() and " " not in row.code for row in error_codes())


def test_the_codes_are_shown_as_a_page(client: Client) -> None:
    response = client.get("/api/docs/errors/")
    assert response.status_code == 200
    text = response.content.decode()
    assert "<code>mfa_required</code>" in text
    assert text.count("<tr><td>") == len(error_codes())
