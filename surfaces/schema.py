"""How the views of all dialects appear in the OpenAPI document."""

from typing import Any

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse

ERRORS = {
    "400": "The body is not valid JSON.",
    "401": "No credential, or a bad one.",
    "403": "The caller's role does not allow it.",
    "404": "Missing, or another organisation's.",
    "409": "The state of things forbids it now.",
    "422": "A field is wrong, missing or unknown.",
    "503": "Something outside does not answer; try again later.",
}
IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    description="Makes a repeat of the same order the first one: 1 to 100 visible characters.",
)


class DialectSchema(AutoSchema):
    """Reads what a view says of itself; see :class:`surfaces.base.DialectView`."""

    def get_summary(self) -> str:
        """The first sentence of the view's own description."""
        sentence, _, _ = (self.view.__doc__ or "").partition(".")
        return " ".join(sentence.split()).partition(";")[0]

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
        described = getattr(self.view, "bodies", {}).get(self.method)
        if described is not None:
            return {"application/json": described}
        return None if self._reads_query else self._input

    def get_override_parameters(self) -> list[Any]:
        """What the method takes as query parameters and in its headers."""
        named = getattr(self.view, "query", {}).get(self.method, {})
        found: list[Any] = [
            OpenApiParameter(name, OpenApiTypes.STR, OpenApiParameter.QUERY, description=says)
            for name, says in named.items()
        ]
        if getattr(self.view, "has_key", False) and self.method in ("POST", "DELETE"):
            found.append(IDEMPOTENCY_KEY)
        return [self._input, *found] if self._reads_query and self._input else found

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
