"""REST framework's door to strict JSON."""

from typing import Any

from django.http.request import UnreadablePostError
from rest_framework.parsers import BaseParser

from common.errors import BadJson
from common.strict_json import MAX_BODY_BYTES, parse_strictly


class StrictJsonParser(BaseParser):
    """REST framework's door to :func:`parse_strictly`; reads no more than the limit."""

    media_type = "application/json"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        """The parsed body; an empty one is an empty object."""
        try:
            raw = stream.read(MAX_BODY_BYTES + 1)
        except UnreadablePostError as error:
            raise BadJson("The body could not be read to its end.") from error
        return parse_strictly(raw) if raw else {}
