"""Pages of the console beside those that every model has."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse

Page = TypeVar("Page", bound=Callable[..., HttpResponse])


def own_page(right: str) -> Callable[[Page], Page]:
    """Decorator: the page declares the right it asks for, and answers 403 to whoever lacks it,
    whatever row is named.
    """

    def guard(page: Page) -> Page:
        @wraps(page)
        def guarded(owner: Any, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if not getattr(owner, f"has_{right}_permission")(request):
                raise PermissionDenied
            return page(owner, request, *args, **kwargs)

        guarded.allowed_permissions = [right]  # type: ignore[attr-defined]
        return cast("Page", guarded)

    return guard
