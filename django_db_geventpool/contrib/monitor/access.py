"""Who may see the pools: staff, or whoever the settings let in."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseForbidden, QueryDict
from django.shortcuts import redirect, resolve_url
from django.urls import NoReverseMatch
from django.utils.crypto import constant_time_compare, salted_hmac
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from ..config import ANYONE, MonitorConfig

View = Callable[..., HttpResponse]

#: A cookie that says: this session's user was staff, less than so many seconds ago. To be sure each
#: second would take queries, and so connections of the very pool that may be exhausted.
_PASS, _PASS_AGE = "django_db_geventpool", 3600
#: A header of a refusal, where to log in would help.
_LOGIN = "X-Login-Helps"


def guarded(view: View) -> View:
    """For GET, for those who may see it, and never in a transaction: that takes a connection."""

    @wraps(view)
    def guard(request: HttpRequest, **kwargs: str) -> HttpResponse:
        access = MonitorConfig.from_settings().access
        may = access(request) if callable(access) else access == ANYONE or None
        if may is True or (may is None and _has_pass(request)):
            return view(request, **kwargs)
        if may is not None:
            return _refusal("ACCESS has refused this request (it returns True to let in)")
        user = getattr(request, "user", None)
        if user is None:
            return _refusal("there is no request.user to tell (django.contrib.auth)")
        if not (user.is_active and user.is_staff):
            refusal = _refusal("log in as staff")
            if not user.is_authenticated:
                refusal.headers[_LOGIN] = "yes"
            return refusal
        return _with_pass(view(request, **kwargs), request)

    return _of_its_own(never_cache(require_safe(guard)))


def login_first(view: View) -> View:
    """For a page: whoever has not logged in is sent where that is done."""

    @wraps(view)
    def guard(request: HttpRequest) -> HttpResponse:
        response = view(request)
        if _LOGIN not in response.headers:
            return response
        query = QueryDict(mutable=True)
        query["next"] = request.get_full_path()
        return redirect(f"{_login_url()}?{query.urlencode(safe='/')}")

    return _of_its_own(guard)


def _of_its_own(view: View) -> View:
    """Not in a transaction, which takes a connection; and no middleware of Django's asks first."""
    view.login_required = False  # type: ignore[attr-defined]  # of LoginRequiredMiddleware
    return transaction.non_atomic_requests(view)


def _login_url() -> str:
    try:
        return resolve_url("admin:login")
    except NoReverseMatch:
        return resolve_url(settings.LOGIN_URL)


def _refusal(why: str) -> HttpResponse:
    return HttpResponseForbidden(
        "The pools of this site are shown to staff, or to whom DJANGO_DB_GEVENTPOOL['ACCESS'] "
        f"lets in: {why}.\n",
        content_type="text/plain",
    )


def _session(request: HttpRequest) -> str:
    """Of this session alone, and none any more after logging out."""
    cookie = request.COOKIES.get(settings.SESSION_COOKIE_NAME, "")
    return salted_hmac(_PASS, cookie, algorithm="sha256").hexdigest() if cookie else ""


def _has_pass(request: HttpRequest) -> bool:
    shown = request.get_signed_cookie(_PASS, default="", salt=_PASS, max_age=_PASS_AGE) or ""
    return shown != "" and constant_time_compare(shown, _session(request))


def _with_pass(response: HttpResponse, request: HttpRequest) -> HttpResponse:
    session = _session(request)
    if session:
        response.set_signed_cookie(
            *(_PASS, session),
            salt=_PASS,
            max_age=_PASS_AGE,
            path=request.path[: request.path.rfind("/") + 1],
            secure=request.is_secure(),
            httponly=True,
            samesite="Strict",
        )
    return response
