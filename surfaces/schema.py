"""How the views of all dialects appear in the OpenAPI document."""

from typing import Any

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse

ERRORS = {
    "400": "The body is not valid JSON.",
    "401": "No credential, or a bad one.",
    "403": "The caller's role does not allow it.",
    "404": "Missing, or another organisation's.",
    "409": "The state of things forbids it now.",
    "422": "A field is wrong, missing or unknown.",
    "503": "Something outside does not answer; try again later.",
}


class DialectSchema(AutoSchema):
    """Reads ``inputs``, ``reads_query`` and ``is_array`` of a view."""

    def get_operation_id(self) -> str:
        """The method and the path's words, which are unique."""
        words = self.path.replace("/api/v1/", "").replace("{", "").replace("}", "")
        return f"{self.method.lower()}_{words.strip('/').replace('/', '_').replace('-', '_')}"

    def get_tags(self) -> list[str]:
        """The first word after the prefix."""
        return [self.path.replace("/api/v1/", "").strip("/").split("/")[0]]

    def get_auth(self) -> list[dict[str, Any]]:
        """Either carrier suffices."""
        return [{name: []} for each in super().get_auth() for name in each]

    def get_request_serializer(self) -> Any:
        """What the method takes in its body."""
        return None if self._reads_query else self._input

    def get_override_parameters(self) -> list[Any]:
        """What the method takes as query parameters."""
        return [self._input] if self._reads_query and self._input else []

    @property
    def _reads_query(self) -> bool:
        return bool(getattr(self.view, "reads_query", False))

    @property
    def _input(self) -> Any:
        """The serializer of the method's input, None where it has no fields."""
        serializer = getattr(self.view, "inputs", {}).get(self.method)
        return serializer if serializer and serializer().fields else None

    def get_response_serializers(self) -> Any:
        """A JSON object or array, and the refusals in their common form."""
        kind = {"type": "array", "items": {"type": "object", "additionalProperties": {}}}
        good: Any = kind if getattr(self.view, "is_array", False) else OpenApiTypes.OBJECT
        refusals = {
            status: OpenApiResponse(OpenApiTypes.OBJECT, description=text)
            for status, text in ERRORS.items()
        }
        return {"200": good, **refusals}
