"""What every page asks of a session before its view runs."""

from urllib.parse import urlencode

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.deprecation import MiddlewareMixin

from surfaces import page_sessions
from tradingplatform.middleware import PagesOnly
from users import mfa
from users.preferences import UTC, zone_of

CONSOLE = "/admin/"


class PageGate(PagesOnly, MiddlewareMixin):
    """An ended session counts no more; the console asks for recent activity and, by setting, for
    a second factor. The page is made in the person's time zone.
    """

    def process_request(self, request: HttpRequest) -> HttpResponse | None:
        """None to go on, else the way to sign in or to enrol."""
        if page_sessions.has_ended(request.session):
            page_sessions.close_page_session(request)
        # Always set: what serves this page may have served another person's before.
        timezone.activate(zone_of(request.user) if request.user.is_authenticated else UTC)
        if not request.user.is_authenticated:
            return None
        if request.path_info.startswith(CONSOLE):
            refusal = self._console(request)
            if refusal is not None:
                return refusal
        page_sessions.note_activity(request)
        return None

    def _console(self, request: HttpRequest) -> HttpResponse | None:
        if page_sessions.is_idle(request):
            page_sessions.close_page_session(request, reason="idle")
            messages.info(request, "You were signed out because nothing was done for a while.")
            query = urlencode({"next": request.get_full_path()})
            return redirect(f"{reverse('dashboard:login')}?{query}")
        user = request.user
        if settings.ADMIN_MFA_REQUIRED and user.is_staff and not mfa.is_enabled(user):  # type: ignore[union-attr,arg-type]
            messages.warning(request, "The console is open to people with a second factor.")
            return redirect("dashboard:factor")
        return None
