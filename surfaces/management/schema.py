"""What the OpenAPI document shows of 001 besides its views."""

from typing import Any

from surfaces.webhook_address import WEBHOOK_PATH

SIGNATURE = {
    "name": "X-TradingView-Signature",
    "in": "header",
    "schema": {"type": "string"},
    "description": "HMAC-SHA256 hex of the raw body with the bot's secret.",
}
TOKEN = {
    "name": "token",
    "in": "path",
    "required": True,
    "schema": {"type": "string"},
    "description": "The bot's path token.",
}


def complete(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Postprocessing hook: add the webhook, a plain view, and show addresses as 001 writes them."""
    paths = {_as_specified(path): item for path, item in result["paths"].items()}
    paths[WEBHOOK_PATH] = {"post": _webhook("post_webhook_tradingview", [SIGNATURE])}
    paths[f"{WEBHOOK_PATH}/{{token}}"] = {
        "post": _webhook("post_webhook_tradingview_token", [TOKEN])
    }
    return {**result, "paths": dict(sorted(paths.items()))}


def _as_specified(path: str) -> str:
    """Without the optional slash, which only the list of groups has."""
    return path if path == "/api/v1/groups/" else path.rstrip("/")


def _webhook(operation_id: str, parameters: list[dict[str, Any]]) -> dict[str, Any]:
    content = {kind: {"schema": {"type": "object"}} for kind in ("application/json", "text/plain")}
    return {
        "operationId": operation_id,
        "description": "An alert as TradingView sends it; answered within two seconds.",
        "tags": ["webhook"],
        "parameters": parameters,
        "requestBody": {"required": True, "content": content},
        "responses": {
            "200": {"description": "What is known of the signal by now."},
            "401": {"description": "Not authentic; says no more."},
            "413": {"description": "More than 8 KB."},
            "422": {"description": "Authentic, stored, and refused."},
            "503": {"description": "Nothing was stored; send it again."},
        },
        "security": [],
    }
