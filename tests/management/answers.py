"""Looking at answers."""

from typing import Any

UNION_KEYS = {
    "success", "detail", "errors", "request_id", "timestamp",
    "type", "version", "error_code", "error_message", "error",
}  # fmt: skip


def refusal(response: Any, status: int, code: str) -> dict[str, Any]:
    """The body of a refusal in the union form, after its status and code were checked."""
    body: dict[str, Any] = response.json()
    assert (response.status_code, body.get("error_code")) == (status, code), body
    assert set(body) == UNION_KEYS
    assert body["success"] is False
    assert (body["type"], body["version"]) == ("error", "1.0")
    assert body["detail"] == body["error_message"] == body["error"]["message"]
    assert body["error"]["code"] == code.upper()
    assert response.headers["X-Request-ID"] == body["request_id"]
    return body


def masked(response: Any) -> tuple[int, dict[str, Any]]:
    """Status and body without what differs from request to request."""
    body = dict(response.json())
    for key in ("request_id", "timestamp"):
        body.pop(key, None)
    return response.status_code, body
