"""What the specifications state of the answers about identity, as types by key."""

from typing import Any

Shape = Any

CONTEXT = {"user_id": str, "username": str, "role": str, "permissions": [str]}
TOKENS = {"access_token": str, "refresh_token": str, "token_type": str, "expires_in": int}
LOGIN_001 = {**TOKENS, "user_context": CONTEXT}
LOGIN_002 = {**TOKENS, "user": {}}
LOGIN_004 = {
    "access_token": str,
    "refresh_token": str,
    "expires_in": int,
    "user": {"id": int, "username": str, "email": str},
}
REFRESH_002 = {"access_token": str, "refresh_token": str}
REFRESH_004 = {"access_token": str, "expires_in": int}
DONE = {"success": bool, "message": str, "data": {"timestamp": str}}
SESSIONS = {
    **DONE,
    "data": {
        "sessions": [
            {
                "session_id": str,
                "created_at": str,
                "device_info": {"ip_address": str, "user_agent": str},
            }
        ],
        "timestamp": str,
    },
}
PERMISSIONS = {**DONE, "data": {"permissions": [str], "role": str, "timestamp": str}}
CSRF = {"token": str, "type": str, "version": str, "data": {"token": str, "expires_in": int}}
ENDED = {"ok": bool, "revoked_refresh_tokens": int}
REVOKED = {"ok": bool, "revoke_all": bool, "target_user_id": str}
KEY = {"api_key_id": str, "token": str, "label": str, "role": str}
USER = {
    "id": str,
    "org_id": str,
    "email": str,
    "role": str,
    "active": bool,
    "must_reset_password": bool,
    "created_at": str,
}
RESET = {**ENDED, "user_id": str, "reset_token": str, "expires_at": str}

REFUSED_UNION = {
    "success": bool, "detail": str, "errors": {}, "request_id": str, "timestamp": str,
    "type": str, "version": str, "error_code": str, "error_message": str,
    "error": {"code": str, "message": str, "details": {}},
}  # fmt: skip
REFUSED_003 = {"error": str}


def faults(shape: Shape, value: Any, place: str = "$") -> list[str]:
    """Where a value lacks what the shape states; a list has at least one of its items."""
    if isinstance(shape, dict):
        if not isinstance(value, dict):
            return [f"{place} is no object"]
        missing = [f"{place}.{key} is missing" for key in shape if key not in value]
        known = [key for key in shape if key in value]
        return missing + [
            f for key in known for f in faults(shape[key], value[key], f"{place}.{key}")
        ]
    if isinstance(shape, list):
        if not isinstance(value, list) or not value:
            return [f"{place} is no list with something in it"]
        return [fault for item in value for fault in faults(shape[0], item, f"{place}[]")]
    return [] if type(value) is shape else [f"{place} is no {shape.__name__}"]
