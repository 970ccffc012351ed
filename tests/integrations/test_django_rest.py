"""Django REST framework: who asks, permission classes, throttles, and the same refusals as everywhere."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from django.test import override_settings
from django.urls import path

from ostiary.core.access.authority import Declared
from ostiary.integrations.django import Ostiary, Policy, Role, principal, row
from ostiary.kernel.errors import Misuse
from ostiary.testing import Kit, running
from tests.support.django_project import application, project, proof, visiting

HANDLER = "ostiary.integrations.django.rest.exception_handler"
ANNA = "anna@example.com"
DECLARED = Declared(
    (Role("editor", ("notes:*",)),),
    (Policy("notes:edit", row.author_id == principal.id, "authors edit their own notes"),),
)


@dataclass
class Note:
    """A thing of the host's, such as a model's instance."""

    id: int
    author_id: str


@pytest.fixture(params=[None, HANDLER], ids=["own-handler", "ours"])
def handler(request: pytest.FixtureRequest) -> Iterator[str | None]:
    """REST framework's own answers to exceptions, and those with our problem documents."""
    given = {"UNAUTHENTICATED_USER": None} | ({"EXCEPTION_HANDLER": request.param} if request.param else {})
    with override_settings(REST_FRAMEWORK=given):
        yield request.param


def urls() -> list[Any]:
    """The host's views; REST framework asks the settings when it is loaded."""
    from rest_framework.permissions import AllowAny, BasePermission, IsAdminUser
    from rest_framework.renderers import JSONRenderer
    from rest_framework.response import Response
    from rest_framework.views import APIView

    from ostiary.integrations.django import rest

    class Plain(APIView):
        authentication_classes = (rest.OstiaryAuthentication,)
        permission_classes: Any = (rest.SignedIn,)
        throttle_classes: Any = ()
        renderer_classes = (JSONRenderer,)

        def get(self, request: Any) -> Response:
            who = request.user
            said = {"id": who.id, "name": str(who), "amr": request.auth.amr} if who else {}
            return Response(said)

        def post(self, request: Any) -> Response:
            return Response(dict(request.data.items()))

    class Open(Plain):
        permission_classes = (AllowAny,)

    class Reads(Plain):
        permission_classes = (rest.Requires("notes:read"),)

    class Either(Plain):
        permission_classes = (rest.Requires("notes:burn") | rest.RequiresRole("editor"),)

    class Neither(Plain):
        permission_classes = (~rest.SignedIn,)

    class Fresh(Plain):
        permission_classes = (rest.SignedIn, rest.RequiresFresh(15))

    class Edit(Plain):
        permission_classes = (rest.RequiresOn("notes:edit"),)

        def get(self, request: Any, author: str = "") -> Response:
            self.check_object_permissions(request, Note(1, request.user.id if author == "me" else author))
            return Response("edited")

    class Often(Plain):
        throttle_classes = (rest.RateLimit("1/m"),)

    class Mine(Plain):
        throttle_classes = (rest.RateLimit("1/m", by="account", name="mine"),)

    class Admins(Plain):
        permission_classes = (IsAdminUser,)

    class Closed(BasePermission):
        message = "the host's own words"

        def has_permission(self, request: Any, view: Any) -> bool:
            return False

    class Theirs(Plain):
        permission_classes = (rest.SignedIn, Closed)

    views = Plain, Open, Reads, Either, Neither, Fresh, Often, Mine, Theirs, Admins
    return [
        *(path(one.__name__.lower(), one.as_view()) for one in views),
        path("edit/<str:author>", Edit.as_view()),
    ]


def code_of(answer: Any, handler: str | None) -> str:
    """The code of a refusal, in whichever form; its problem document is whole, and DRF's own has its words."""
    body = answer.json()
    if handler is None:
        assert answer.headers["content-type"] == "application/json"
        assert set(body) == {"detail"}
        return ""
    assert answer.headers["content-type"] == "application/problem+json"
    assert body["type"] in {
        f"urn:ostiary:error:{body['code']}",
        "https://iana.org/assignments/http-problem-types#quota-exceeded",
    }
    assert body["status"] == answer.status_code
    return str(body["code"])


async def test_views_know_who_asks_and_refuse(tmp_path: Any, handler: str | None) -> None:
    """Cookies (with proof), access tokens and API keys are known; each refusal has its status, header and code."""
    async with running(tmp_path, declared=DECLARED) as kit:
        with project(*urls()):
            await _walk(kit, handler)


async def _walk(kit: Kit, handler: str | None) -> None:
    app, auth = application(kit), Ostiary(kit.engine)

    def says(answer: Any, status: int, code: str) -> None:
        assert answer.status_code == status, answer.text
        assert code_of(answer, handler) in {code, ""}

    async with visiting(app, kit) as nobody:
        for name in ("plain", "reads", "either", "fresh", "edit/me", "theirs"):
            refused = await nobody.get(f"/{name}")
            says(refused, 401, "not_authenticated")
            assert refused.headers["www-authenticate"] == 'Bearer realm="ostiary"'
        assert (await nobody.get("/open")).json() == {}
        assert (await nobody.get("/neither")).json() == {}
        assert [(await nobody.get("/often")).status_code for _ in range(2)] == [
            401,
            401,
        ]  # permissions come first
        wrong = await nobody.get("/plain", headers={"authorization": "Bearer nonsense"})
        says(wrong, 401, "token_invalid")
        assert 'error="invalid_token"' in wrong.headers["www-authenticate"]
    async with visiting(app, kit, ANNA) as anna:
        known = (await anna.get("/plain")).json()
        assert (known["name"], known["amr"]) == (ANNA, ["pwd"])
        says(await anna.post("/plain", data={"a": "b"}), 403, "csrf_failed")
        token = proof(anna)["x-csrf-token"]
        assert (await anna.post("/plain", json={"a": "b"}, headers=proof(anna))).json() == {"a": "b"}
        form = {"a": "b", "csrf_token": token}
        assert (await anna.post("/plain", data=form)).json() == form
        says(
            await anna.post("/open", json={}), 403, "csrf_failed"
        )  # a cookie that is sent is judged, everywhere
        assert (await anna.get("/neither")).json()["detail"]  # what composed classes say is REST framework's
        for name in ("reads", "either", "edit/someone"):
            says(await anna.get(f"/{name}"), 403, "permission_denied")
        if handler:
            assert (await anna.get("/reads")).json()["permission"] == "notes:read"
        assert (await anna.get("/admins")).status_code == 403
        assert (await anna.get("/theirs")).json() == {"detail": "the host's own words"}
        assert (await anna.get("/edit/me")).json() == "edited"
        await auth.grant_role(known["id"], "editor", by="test")
        for name in ("reads", "either", "edit/someone"):
            assert (await anna.get(f"/{name}")).status_code == 200
        for name in ("often", "mine"):
            assert (await anna.get(f"/{name}")).status_code == 200
            late = await anna.get(f"/{name}")
            says(late, 429, "too_many_attempts")
            assert 0 < int(late.headers["retry-after"]) <= 60
            assert late.headers["ratelimit"].partition(";")[2].startswith("r=0;t=")

        access = (await anna.post("/auth/token", headers=proof(anna))).json()["access_token"]
        async with visiting(app, kit) as program:
            bearer = {"authorization": f"Bearer {access}"}
            assert (await program.post("/plain", json={"a": "b"}, headers=bearer)).json() == {"a": "b"}
            kit.clock.turn(timedelta(minutes=16))
            expired = await program.get("/plain", headers=bearer)
            says(expired, 401, "token_expired")
            assert "expired" in expired.headers["www-authenticate"]
        stale = await anna.get("/fresh")
        says(stale, 401, "fresh_authentication_required")
        assert "max_age" in stale.headers["www-authenticate"]


def test_a_mistake_in_a_permission_is_named_at_once() -> None:
    """A class for something that is no permission is not made."""
    from ostiary.integrations.django import rest

    with pytest.raises(Misuse, match="is no permission"):
        rest.Requires("notes")
    with pytest.raises(Misuse, match="rate_limit"):
        rest.RateLimit("often")
