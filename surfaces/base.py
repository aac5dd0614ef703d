"""What the views of all dialects share: strict JSON in, a declared policy, checked input."""

from typing import Any, ClassVar

from rest_framework import serializers
from rest_framework.renderers import BrowsableAPIRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.views import APIView

from common.errors import BadJson
from common.principal import Principal
from surfaces.authentication import PrincipalAuthentication, request_address
from surfaces.filters import known_parameters
from surfaces.limits import Bucket, admit_address, admit_caller
from surfaces.policy import Policy, PolicyPermission
from surfaces.schema import DialectSchema
from surfaces.strict_json import StrictJsonParser


class DialectView(APIView):
    """The base of every API view: strict JSON in, a declared ``policy``.

    ``policy`` is a Policy, or a mapping from method to Policy; ``inputs`` says what each writing
    method takes. With ``reads_query`` query parameters are input too and win over the body's
    fields. ``query`` says by method and name what other query parameters there are, and refuses the
    rest where a view calls ``known_query``; ``has_key`` that the header Idempotency-Key is read;
    ``bodies`` the JSON schema, or a serializer of many, where ``inputs`` does not describe a body.
    An answer that is a bare array says so by ``is_array``. ``bucket`` says with what a call is
    counted against the rate limits; None counts nothing.
    """

    policy: Policy | dict[str, Policy] | None = None
    inputs: ClassVar[dict[str, type[serializers.Serializer]]] = {}
    bodies: ClassVar[dict[str, Any]] = {}
    query: ClassVar[dict[str, dict[str, str]]] = {}
    reads_query = False
    has_key = False
    is_array = False
    bucket: Bucket | None = Bucket.CALLS
    authentication_classes: tuple[type[PrincipalAuthentication], ...] = (PrincipalAuthentication,)
    permission_classes = (PolicyPermission,)
    parser_classes = (StrictJsonParser,)
    renderer_classes = (JSONRenderer, BrowsableAPIRenderer)
    filter_backends = ()
    schema = DialectSchema()

    @property
    def principal(self) -> Principal:
        """The caller; only for views whose policy needs one."""
        return self.request.auth  # type: ignore[return-value]

    def perform_authentication(self, request: Request) -> None:
        """Look the caller up, within the limits of its address, its user and its organisation.

        Raises TooMany, NotAuthenticated, AuthenticationFailed, Denied.
        """
        admit_address(request_address(request._request), self.bucket)
        super().perform_authentication(request)
        if isinstance(request.auth, Principal):
            admit_caller(request.auth, self.bucket)

    def known_query(self) -> None:
        """Raise Invalid for a query parameter that the method does not take."""
        known_parameters(self.request, self.query.get(str(self.request.method), {}))

    def body(self) -> dict[str, Any]:
        """The JSON object sent; raises BadJson for another top type."""
        data = self.request.data
        if not isinstance(data, dict):
            raise BadJson("The body must be a JSON object.")
        return data

    def input(self) -> dict[str, Any]:
        """The checked input; unknown fields are refused with 422 like wrong ones."""
        serializer = self.inputs[str(self.request.method)]
        given = self.body()
        if self.reads_query:
            given = {**given, **self._query(serializer)}
        form = serializer(data=given)
        form.is_valid(raise_exception=True)
        return dict(form.validated_data)

    def _query(self, serializer: type[serializers.Serializer]) -> dict[str, Any]:
        """The query parameters; a list's parameter may be repeated."""
        query, fields = self.request.query_params, serializer().fields
        return {
            name: query.getlist(name)
            if isinstance(fields.get(name), serializers.ListField)
            else query[name]
            for name in query
        }
