"""The matrix's project in Django, for ASGI and WSGI: functions and classes of both kinds, and REST framework."""

import json
import sys
from itertools import count
from typing import Any

import django
from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path
from django.utils.decorators import method_decorator
from django.views import View

from ostiary.integrations.django import (
    Ostiary,
    current_user,
    rate_limit,
    requires_fresh,
    signed_in,
)
from ostiary.kernel.world import World
from tests.integrations.matrix.subjects import PUBLIC, ROLES

auth = Ostiary.from_env(roles=ROLES)
settings.configure(
    ALLOWED_HOSTS=["*"],
    INSTALLED_APPS=["ostiary.integrations.django"],
    MIDDLEWARE=[
        "ostiary.integrations.django.OstiaryMiddleware",
        "ostiary.integrations.django.RequireSignIn",
        "django.middleware.common.CommonMiddleware",
    ],
    OSTIARY=auth,
    OSTIARY_PUBLIC_PATHS=PUBLIC,
    REST_FRAMEWORK={
        "DEFAULT_AUTHENTICATION_CLASSES": ["ostiary.integrations.django.rest.OstiaryAuthentication"],
        "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
        "EXCEPTION_HANDLER": "ostiary.integrations.django.rest.exception_handler",
        "UNAUTHENTICATED_USER": None,
    },
    ROOT_URLCONF=__name__,
    SECRET_KEY=World().token(32).reveal(),
    SECURE_PROXY_SSL_HEADER=("HTTP_X_FORWARDED_PROTO", "https"),
)
django.setup()

from rest_framework.response import Response  # noqa: E402 - it asks the settings when it is loaded
from rest_framework.views import APIView  # noqa: E402

from ostiary.integrations.django import rest  # noqa: E402

notes: dict[str, dict[str, str]] = {}
numbers = count(1)


def fine(request: HttpRequest, **_: str) -> HttpResponse:
    """Whoever gets here is told so."""
    return HttpResponse("fine")


@rate_limit("3/h")
async def limited(request: HttpRequest) -> HttpResponse:
    """Three an hour."""
    return HttpResponse("fine")


class OwnLimit(APIView):
    """Two an hour."""

    # Both subjects are one project to the database, which counts; but here they shall count apart.
    throttle_classes = (
        rest.RateLimit("2/h", by="account", name="wsgi" if "gunicorn" in sys.modules else "asgi"),
    )

    def get(self, request: Any) -> Response:
        """Whoever gets here is told so."""
        return Response("fine")


class Me(APIView):
    """REST framework knows who asks."""

    permission_classes = (rest.SignedIn,)

    def get(self, request: Any) -> Response:
        """Who asks."""
        return Response({"id": request.user.id, "email": request.user.email})


class Notes(View):
    """One's own notes."""

    async def get(self, request: Any) -> HttpResponse:
        """Asking is a guard."""
        user = await request.ostiary.user()
        return JsonResponse([one for one in notes.values() if one["owner"] == user.id], safe=False)

    @method_decorator(signed_in())
    async def post(self, request: Any) -> HttpResponse:
        """Write one."""
        user = await request.ostiary.user()
        note = {"id": str(next(numbers)), "owner": user.id, "words": json.loads(request.body)["words"]}
        notes[note["id"]] = note
        return JsonResponse(note, status=201)


def one(request: HttpRequest, number: str) -> HttpResponse:
    """One's own, or nothing."""
    user = current_user(request)
    note = notes.get(number)
    if note is None or note["owner"] != user.id:
        return JsonResponse({"detail": "no such note"}, status=404)
    return JsonResponse(note)


@signed_in()
def form(request: HttpRequest) -> HttpResponse:
    """Reads the form itself."""
    return HttpResponse(request.POST["words"], content_type="text/plain")


class Reports(APIView):
    """Behind a permission."""

    permission_classes = (rest.Requires("reports:read"),)

    def get(self, request: Any) -> Response:
        """Whoever gets here is told so."""
        return Response("fine")


class Staff(Reports):
    """Behind a role."""

    permission_classes = (rest.RequiresRole("editor"),)


@method_decorator(requires_fresh(15), name="dispatch")
class Fresh(View):
    """Behind a recent proof."""

    async def get(self, request: HttpRequest) -> HttpResponse:
        """Whoever gets here is told so."""
        return HttpResponse("fine")


urlpatterns = [
    path("", fine),
    path("api/me", Me.as_view()),
    path("api/notes", Notes.as_view()),
    path("api/notes/<str:number>", one),
    path("api/form", form),
    path("api/reports", Reports.as_view()),
    path("api/staff", Staff.as_view()),
    path("api/fresh", Fresh.as_view()),
    path("api/limited", limited),
    path("api/own-limit", OwnLimit.as_view()),
    path("inside/<path:rest>", fine),
]
