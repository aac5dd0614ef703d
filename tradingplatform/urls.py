"""Every address of the platform."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from surfaces.dashboard.views import entrance
from surfaces.error_page import error_page
from surfaces.policy import Policy, declares
from tradingplatform.health import healthz

handler404 = "surfaces.errors.not_found"
handler500 = "surfaces.errors.server_error"

public = declares({"GET": Policy.PUBLIC})

urlpatterns = [
    path("", public(RedirectView.as_view(url="/dashboard/")), name="start"),
    path("healthz", public(healthz), name="healthz"),
    # One way in and out for console and dashboard.
    path("admin/login/", entrance.enter),
    path("admin/logout/", entrance.leave),
    path("admin/password_change/", public(RedirectView.as_view(pattern_name="dashboard:security"))),
    path("admin/", admin.site.urls),
    path("dashboard/", include("surfaces.dashboard.urls")),
    path("api/schema/", public(SpectacularAPIView.as_view()), name="schema"),
    path("api/docs/", public(SpectacularSwaggerSplitView.as_view(url_name="schema")), name="docs"),
    path("api/docs/errors/", error_page, name="error-codes"),
    path("", include("surfaces.command.urls")),
    path("", include("surfaces.management.urls")),
    path("", include("surfaces.envelope.urls")),
    path("", include("surfaces.server.urls")),
    path("", include("surfaces.terminal.urls")),
]
