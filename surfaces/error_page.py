"""``/api/docs/errors/``: the error codes as a page."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from surfaces.error_codes import by_section
from surfaces.policy import Policy, declares


@declares({"GET": Policy.PUBLIC})
def error_page(request: HttpRequest) -> HttpResponse:
    """Every code with its status and sentence; public like the other pages about the API."""
    return render(request, "api/errors.html", {"sections": by_section()})
