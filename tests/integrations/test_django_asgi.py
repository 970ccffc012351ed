"""Django under ASGI: guards before every kind of view, refusals, forms, caches, and a host that stays itself."""

import asyncio
import logging
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.template import engines
from django.test import AsyncClient
from django.urls import include, path
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.cache import cache_page

from ostiary.core.access.authority import Declared
from ostiary.integrations.django import (
    Ostiary,
    RequireSignIn,
    Role,
    asgi,
    call,
    csrf_token,
    current_principal,
    current_profile,
    current_session,
    current_standing,
    current_user,
    optional_user,
    rate_limit,
    requires,
    requires_fresh,
    requires_role,
    sign_in_not_required,
    signed_in,
)
from ostiary.kernel.errors import Misuse
from ostiary.testing import Kit, running
from tests.support.django_project import MIDDLEWARE, application, project, proof, visiting

ANNA = "anna@example.com"
ran: list[str] = []


@signed_in()
async def me(request: Any) -> HttpResponse:
    ran.append("me")
    here = request.ostiary
    principal, session = await here.principal(), await here.session()
    assert principal.session_id == session.id
    assert (await here.standing()).roles == ("user",)
    assert (await here.profile()).name == ""
    return JsonResponse({"email": (await here.user()).email, "main": is_main()})


@signed_in()
def me_sync(request: HttpRequest) -> HttpResponse:
    ran.append("me_sync")
    assert current_principal(request).session_id == current_session(request).id
    assert current_standing(request).roles == ("user",)
    assert current_profile(request).name == ""
    return JsonResponse({"email": current_user(request).email, "main": is_main()})


def is_main() -> bool:
    return threading.current_thread() is threading.main_thread()


@method_decorator(signed_in(), name="dispatch")
class AsyncWhole(View):
    async def get(self, request: Any) -> HttpResponse:
        return JsonResponse({"email": (await request.ostiary.user()).email, "main": is_main()})


@method_decorator(signed_in(), name="dispatch")
class SyncWhole(View):
    def get(self, request: Any) -> HttpResponse:
        return JsonResponse({"email": current_user(request).email, "main": is_main()})


class AsyncMethod(View):
    @method_decorator(signed_in())
    async def get(self, request: Any) -> HttpResponse:
        return JsonResponse({"email": (await request.ostiary.user()).email, "main": is_main()})

    async def put(self, request: Any) -> HttpResponse:
        return HttpResponse("open")


async def maybe(request: Any) -> HttpResponse:
    user = await request.ostiary.optional_user()
    return JsonResponse({"email": user.email if user else None, "token": await request.ostiary.csrf_token()})


def maybe_sync(request: HttpRequest) -> HttpResponse:
    user = optional_user(request)
    return JsonResponse({"email": user.email if user else None, "token": csrf_token(request)})


@signed_in()
async def form(request: HttpRequest) -> HttpResponse:
    return JsonResponse({"words": request.POST["words"], "files": list(request.FILES)})


@signed_in()
def form_sync(request: HttpRequest) -> HttpResponse:
    return JsonResponse({"words": request.POST["words"], "files": list(request.FILES)})


async def inner_refusal(request: Any) -> HttpResponse:
    (await request.ostiary.standing()).require("notes:burn")
    raise AssertionError("it went on")


def inner_refusal_sync(request: HttpRequest) -> HttpResponse:
    current_standing(request).require("notes:burn")
    raise AssertionError("it went on")


async def broken(request: Any) -> HttpResponse:
    await request.ostiary.optional_user()
    raise RuntimeError("the host's own mistake")


async def wrong(request: HttpRequest) -> HttpResponse:
    return JsonResponse({"email": current_user(request).email})


VIEWS: list[tuple[str, Callable[..., Any]]] = [
    ("me", me), ("me_sync", me_sync), ("async_whole", AsyncWhole.as_view()), ("sync_whole", SyncWhole.as_view()),
    ("async_method", AsyncMethod.as_view()),
]  # fmt: skip
URLS = [path(name, view) for name, view in VIEWS] + [
    path("maybe", maybe), path("maybe_sync", maybe_sync), path("form", form), path("form_sync", form_sync),
    path("burn", inner_refusal), path("burn_sync", inner_refusal_sync), path("broken", broken), path("wrong", wrong),
]  # fmt: skip


async def test_guards_stand_before_every_kind_of_view(kit: Kit) -> None:
    """Functions and classes, synchronous or not: nobody is refused before the view runs, and Anna is known inside."""
    with project(*URLS):
        app = application(kit)
        ran.clear()
        async with visiting(app, kit) as nobody:
            for name, _ in VIEWS:
                refused = await nobody.get(f"/{name}")
                assert (refused.status_code, refused.json()["code"]) == (401, "not_authenticated"), name
                assert refused.headers["www-authenticate"] == 'Bearer realm="ostiary"'
                assert refused.headers["content-type"] == "application/problem+json"
            assert ran == []
            assert (await nobody.put("/async_method")).text == "open"  # only `get` is guarded
            for name in ("maybe", "maybe_sync"):
                assert (await nobody.get(f"/{name}")).json() == {"email": None, "token": ""}
        async with visiting(app, kit, ANNA) as anna:
            for name, _ in VIEWS:
                is_async = "sync" not in name.replace("async", "")
                assert (await anna.get(f"/{name}")).json() == {"email": ANNA, "main": is_async}, name
            token = proof(anna)["x-csrf-token"]
            for name in ("maybe", "maybe_sync"):
                assert (await anna.get(f"/{name}")).json() == {"email": ANNA, "token": token}
            for name in ("burn", "burn_sync"):
                refused = await anna.get(f"/{name}")
                assert (refused.status_code, refused.json()["permission"]) == (403, "notes:burn")
            twin = dict(anna.cookies)
            await anna.post("/auth/logout", headers=proof(anna))
        async with visiting(app, kit) as late:
            late.cookies.update(twin)
            for name in ("me", "me_sync"):
                ended = await late.get(
                    f"/{name}", headers={"cookie": "; ".join(f"{k}={v}" for k, v in twin.items())}
                )
                assert ended.json()["code"] == "session_ended"
                assert 'error="invalid_token"' in ended.headers["www-authenticate"]
                cleared = [
                    one for one in ended.headers.get_list("set-cookie") if one.startswith("__Host-ostiary=;")
                ]
                assert len(cleared) == 1


async def test_what_changes_something_needs_proof(kit: Kit) -> None:
    """A cookie alone posts nothing; the header or a field of the form proves it, and the view still reads the form."""
    with project(*URLS):
        async with visiting(application(kit), kit, ANNA) as anna:
            token = proof(anna)["x-csrf-token"]
            for name in ("/form", "/form_sync"):
                for fields in ({"words": "hi"}, {"words": "hi", "csrf_token": token[:-1]}):
                    refused = await anna.post(name, data=fields)
                    assert (refused.status_code, refused.json()["code"]) == (403, "csrf_failed")
                foreign = {**proof(anna), "origin": "https://evil.example"}
                assert (await anna.post(name, data={"words": "hi"}, headers=foreign)).status_code == 403
                assert (await anna.post(name, data={"words": "hi"}, headers=proof(anna))).status_code == 200
                fields = {"words": "hi", "csrf_token": token}
                plain = await anna.post(name, data=fields)
                upload = await anna.post(name, data=fields, files={"paper": b"x"})
                assert (plain.json(), upload.json()) == (
                    {"words": "hi", "files": []},
                    {"words": "hi", "files": ["paper"]},
                )


async def test_permissions_roles_fresh_proofs_and_rates(tmp_path: Any) -> None:
    """403 names what is missing, an old proof is not enough, and whoever calls too often is told when to come back."""

    @requires("notes:read")
    @requires_role("editor", "admin")
    @requires_fresh(15)
    def notes(request: HttpRequest) -> HttpResponse:
        return HttpResponse("notes")

    @method_decorator(rate_limit("2/m"), name="dispatch")
    class Often(View):
        async def get(self, request: HttpRequest) -> HttpResponse:
            return HttpResponse("often")

    @method_decorator(rate_limit("2/m"), name="dispatch")
    class Other(View):
        def get(self, request: HttpRequest) -> HttpResponse:
            return HttpResponse("other")

    @rate_limit("1/m", by=lambda request: str(request.GET["who"]))
    def each(request: HttpRequest) -> HttpResponse:
        return HttpResponse("each")

    declared = Declared(roles=(Role("editor", ("notes:*",)),))
    async with running(tmp_path, declared=declared) as kit:
        urls = (
            path("notes", notes),
            path("often", Often.as_view()),
            path("other", Other.as_view()),
            path("each", each),
        )
        with project(*urls):
            auth = Ostiary(kit.engine)
            async with visiting(application(kit), kit, ANNA) as anna:
                assert (await anna.get("/notes")).json()["permission"] == "notes:read"
                who = (await anna.get("/auth/session")).json()["user"]["id"]
                await auth.grant_role(who, "editor", by="test")
                assert (await anna.get("/notes")).text == "notes"
                kit.clock.turn(timedelta(minutes=16))
                assert (await anna.get("/notes")).json()["code"] == "fresh_authentication_required"

                answers = [await anna.get("/often") for _ in range(3)]
                assert [one.status_code for one in answers] == [200, 200, 429]
                assert answers[0].headers["ratelimit"] == '"2/1m";r=1;t=60'
                assert 0 < int(answers[2].headers["retry-after"]) <= 60
                assert (await anna.get("/other")).status_code == 200  # every class counts alone
                assert [(await anna.get(f"/each?who={who}")).status_code for who in "aab"] == [200, 429, 200]


async def test_the_host_stays_itself(kit: Kit, caplog: pytest.LogCaptureFixture) -> None:
    """Django's own 404, 500, CSRF check, streams and redirects are as they were; ostiary's paths are ostiary's."""

    async def stream(request: HttpRequest) -> StreamingHttpResponse:
        async def pieces() -> Any:
            yield b"one,"
            await asyncio.sleep(0)
            yield b"two"

        return StreamingHttpResponse(pieces())

    @signed_in()
    def both(request: HttpRequest) -> HttpResponse:
        if request.method == "GET":
            page = engines["django"].from_string("{% csrf_token %}")
            return HttpResponse(page.render({}, request))
        return HttpResponse("posted")

    middleware = [
        "tests.integrations.test_django_asgi.only_sync",  # synchronous neighbours on both sides
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        MIDDLEWARE,
        "tests.integrations.test_django_asgi.only_sync",
    ]
    templates = [{"BACKEND": "django.template.backends.django.DjangoTemplates"}]
    urls = *URLS, path("stream", stream), path("both", both), path("slash/", me)
    caplog.set_level(logging.CRITICAL, "django.request")
    with project(*urls, middleware=middleware, TEMPLATES=templates, APPEND_SLASH=True):
        app = application(kit)
        async with visiting(app, kit) as nobody:
            assert (await nobody.get("/stream")).text == "one,two"
            assert (await nobody.get("/nowhere")).status_code == 404
            assert (await nobody.get("/slash")).headers["location"] == "/slash/"
            assert (await nobody.get("/slash/")).status_code == 401
            assert "Sign in" in (await nobody.get("/login")).text
        async with visiting(app, kit, ANNA) as anna:
            assert (await anna.get("/me")).json()["email"] == ANNA
            assert (await anna.get("/me_sync")).json()["email"] == ANNA
            assert (await anna.get("/broken")).status_code == 500
            assert (
                await anna.get("/wrong")
            ).status_code == 500  # `current_user` would stop the loop: a mistake
            await anna.get("/both")
            theirs = {"x-csrftoken": anna.cookies["csrftoken"], "origin": kit.base_url}
            django_refuses = await anna.post("/both", headers=proof(anna))
            assert (django_refuses.status_code, "csrf_failed" in django_refuses.text) == (403, False)
            we_refuse = await anna.post("/both", headers=theirs)
            assert (we_refuse.status_code, we_refuse.json()["code"]) == (403, "csrf_failed")
            assert (await anna.post("/both", headers=proof(anna) | theirs)).text == "posted"


def only_sync(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """A middleware of the old kind, beside which others run in threads."""

    def run(request: HttpRequest) -> HttpResponse:
        return get_response(request)

    return run


class StaffOnly(RequireSignIn):
    """A guard of the whole site that demands more."""

    guards = (requires("staff:enter"),)


def other_urls(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """A middleware that chooses other URLs, as those for several sites do."""

    def run(request: Any) -> HttpResponse:
        if "swap" in request.GET:
            request.urlconf = (path("open", named("closed view")),)
        return get_response(request)

    return run


def named(name: str) -> Callable[[HttpRequest], HttpResponse]:
    """A view that answers with its name."""
    return lambda request: HttpResponse(name)


@pytest.mark.parametrize("neighbour", [None, "only_sync"])
async def test_the_whole_site_is_guarded(kit: Kit, neighbour: str | None) -> None:
    """Nobody passes but to public paths, by whole segments, and to views left open, whatever URLs others choose."""

    @method_decorator(sign_in_not_required, name="dispatch")
    class Open(View):
        async def get(self, request: HttpRequest) -> HttpResponse:
            return HttpResponse("open class")

    @sign_in_not_required
    @signed_in()
    async def own_guard(request: HttpRequest) -> HttpResponse:
        return HttpResponse("own")

    inside = [f"{__name__}.{name}" for name in ("other_urls", neighbour) if name]
    middleware = [MIDDLEWARE, "ostiary.integrations.django.RequireSignIn", *inside]
    urls = (
        path("", named("home")), path("about", named("about")), path("about/us", named("us")),
        path("about-me", named("me")), path("open", sign_in_not_required(named("open"))),
        path("class", Open.as_view()), path("own", own_guard), path("closed", named("closed")),
    )  # fmt: skip
    with project(*urls, middleware=middleware, OSTIARY_PUBLIC_PATHS=["/", "/about"]):
        app = application(kit)
        async with visiting(app, kit) as nobody:
            for where, words in (
                ("/", "home"),
                ("/about", "about"),
                ("/about/us", "us"),
                ("/open", "open"),
                ("/class", "open class"),
            ):
                answer = await nobody.get(where)
                assert (answer.text, "cache-control" in answer.headers) == (words, False), where
            for where in (
                "/about-me",
                "/closed",
                "/own",
                "/nowhere",
                "/open?swap",
                "/about%2fus",
                "/about//us",
                "/about/%2e%2e/closed",
            ):
                assert (await nobody.get(where)).status_code == 401, where
            page = await nobody.get("/closed?x=1", headers={"accept": "text/html"})
            assert (page.status_code, page.headers["location"]) == (303, "/login?next=/closed%3Fx%3D1")
            assert (await nobody.post("/closed", headers={"accept": "text/html"})).status_code == 401
        async with visiting(app, kit, ANNA) as anna:
            for where, words in (
                ("/closed", "closed"),
                ("/about-me", "me"),
                ("/own", "own"),
                ("/open?swap", "closed view"),
            ):
                assert (await anna.get(where)).text == words
            assert (await anna.get("/nowhere")).status_code == 404
            assert (await anna.post("/closed")).json()["code"] == "csrf_failed"
            assert (await anna.post("/closed", headers=proof(anna))).text == "closed"
    with project(*urls, middleware=[MIDDLEWARE, f"{__name__}.StaffOnly"]):
        async with visiting(application(kit), kit, "ben@example.com") as ben:
            assert (await ben.get("/closed")).json()["permission"] == "staff:enter"


async def test_security_headers_fill_what_is_missing(kit: Kit) -> None:
    """What the project and Django set stays; the nonce of the policy is the page's, another one each time."""

    async def page(request: Any) -> HttpResponse:
        return HttpResponse(request.csp_nonce, headers={"X-Frame-Options": "SAMEORIGIN"})

    own = {"csp": "script-src 'nonce-{nonce}'", "headers": {"Permissions-Policy": None, "X-More": "yes"}}
    headers = "ostiary.integrations.django.SecurityHeaders"
    middleware = [headers, "django.middleware.security.SecurityMiddleware", MIDDLEWARE]
    changed = {"OSTIARY": Ostiary(kit.engine), "SECURE_REFERRER_POLICY": "origin"}
    with project(path("page", page), middleware=middleware, OSTIARY_SECURITY_HEADERS=own, **changed):
        async with visiting(application(kit), kit) as client:
            first, second = [await client.get("/page") for _ in range(2)]
    assert first.text != second.text
    for answer in (first, second):
        assert answer.headers["content-security-policy"] == f"script-src 'nonce-{answer.text}'"
        assert answer.headers["x-frame-options"] == "SAMEORIGIN"
        assert answer.headers["referrer-policy"] == "origin"
        assert answer.headers["strict-transport-security"] == "max-age=31536000"
        assert (answer.headers["x-more"], "permissions-policy" in answer.headers) == ("yes", False)


def overriding(get_response: Any) -> Any:
    """A project's own middleware that makes another method of a request that was judged already."""

    def changed(request: HttpRequest) -> Any:
        if "method" in request.GET:
            assert optional_user(request)
            request.method = request.GET["method"]
        return get_response(request)

    return changed


async def test_a_method_that_is_overridden_inside_is_judged_as_what_it_became(kit: Kit) -> None:
    """A project that makes a DELETE of a GET behind ostiary's middleware gets no unsafe call without its proof."""

    class Deed(View):
        def get(self, request: HttpRequest) -> HttpResponse:
            return HttpResponse("looked")

        def delete(self, request: HttpRequest) -> HttpResponse:
            return HttpResponse(f"gone {current_user(request).email}")

    urls = path("guarded", signed_in()(Deed.as_view())), path("bare", Deed.as_view())
    site = "ostiary.integrations.django.RequireSignIn"
    with project(*urls, middleware=[MIDDLEWARE, site, f"{__name__}.overriding"]):
        async with visiting(application(kit), kit, ANNA) as anna:
            for where in ("/guarded", "/bare"):
                assert (await anna.get(where)).text == "looked"
                refused = await anna.get(f"{where}?method=DELETE")
                assert (refused.status_code, refused.json()["code"]) == (403, "csrf_failed"), where
                answer = await anna.get(f"{where}?method=DELETE", headers=proof(anna))
                assert answer.text == f"gone {ANNA}"


async def test_templates_know_who_asks(kit: Kit) -> None:
    """The context processor gives user and field, in a thread or after `await`; it never stops the event loop."""

    def page(request: HttpRequest) -> HttpResponse:
        words = "{{ ostiary.user.email|default:'nobody' }} {{ ostiary.csrf_input }}"
        return HttpResponse(engines["django"].from_string(words).render({}, request))

    async def later(request: Any) -> HttpResponse:
        await request.ostiary.optional_user()
        return page(request)

    async def never(request: HttpRequest) -> HttpResponse:
        return page(request)

    processors = {"context_processors": ["ostiary.integrations.django.context.ostiary"]}
    templates = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "OPTIONS": processors}]
    urls = path("page", page), path("later", later), path("guarded", signed_in()(never)), path("never", never)
    with project(*urls, TEMPLATES=templates):
        app = application(kit)
        empty = '<input type="hidden" name="csrf_token" value="">'
        async with visiting(app, kit) as nobody:
            assert [(await nobody.get(f"/{one}")).text for one in ("page", "later", "never")] == [
                f"nobody {empty}"
            ] * 3
        async with visiting(app, kit, ANNA) as anna:
            field = empty.replace('""', f'"{proof(anna)["x-csrf-token"]}"')
            for one in ("page", "later", "guarded"):
                answer = await anna.get(f"/{one}")
                assert (answer.text, answer.headers["cache-control"]) == (f"{ANNA} {field}", "private")
            assert (await anna.get("/never")).status_code == 500


async def test_caches_keep_nothing_of_anybody(kit: Kit) -> None:
    """Neither the cache of the whole site nor that around a view gives one person's page to another, or to a ghost."""

    def hello(request: HttpRequest) -> HttpResponse:
        user = optional_user(request)
        return HttpResponse(user.email if user else "nobody")

    async def public(request: HttpRequest) -> HttpResponse:
        ran.append("public")
        return HttpResponse("public")

    middleware = [
        "django.middleware.cache.UpdateCacheMiddleware", MIDDLEWARE, "django.middleware.cache.FetchFromCacheMiddleware",
    ]  # fmt: skip
    cache.clear()
    urls = path("hello", hello), path("around", cache_page(60)(signed_in()(hello))), path("public", public)
    with project(*urls, middleware=middleware):
        app = application(kit)
        async with visiting(app, kit, ANNA) as anna, visiting(app, kit, "ben@example.com") as ben:
            for one, name in ((anna, ANNA), (ben, "ben@example.com"), (anna, ANNA)):
                for where in ("/hello", "/around"):
                    answer = await one.get(where)
                    assert (answer.text, answer.headers["vary"]) == (name, "Cookie, Authorization, X-API-Key")
                    assert "private" in answer.headers["cache-control"]
            await anna.post("/auth/logout", headers=proof(anna))
            assert (await anna.get("/hello")).text == "nobody"
            assert (await anna.get("/around")).status_code == 401
            ran.clear()
            assert [(await ben.get("/public")).text for _ in range(2)] == ["public"] * 2
            assert ran == ["public"]  # what asks nobody is cached as before


async def test_the_lifespan_starts_and_stops_the_engine(tmp_path: Any) -> None:
    """Django answers no lifespan; ours starts the engine and stops it, and names paths that would never be reached."""
    auth = Ostiary(database=f"sqlite:///{tmp_path / 'ostiary.db'}", dev=True)

    async def live(*urls: Any) -> tuple[list[str], list[bool]]:
        sent: list[str] = []
        alive: list[bool] = []
        messages = iter(["lifespan.startup", "lifespan.shutdown"])

        async def receive() -> Any:
            working = auth.engine._working
            alive.append(working is not None and working.get_loop() is asyncio.get_running_loop())
            return {"type": next(messages)}

        async def send(message: Any) -> None:
            sent.append(message["type"])

        with project(*urls):
            app = asgi(lambda *_: None, auth)  # type: ignore[arg-type]  # never called
            await app({"type": "lifespan"}, receive, send)
        alive.append(auth.engine._working is not None)
        return sent, alive

    complete = ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    for _ in range(2):
        with project(OSTIARY=auth):  # as `AppConfig.ready` may before any server runs: in a loop of its own
            assert await asyncio.to_thread(call, auth.profile, "nobody") is None
        assert await live(path("me", me)) == (complete, [False, True, False])
    taken = path("auth/", include([path("sessions/<str:key>", me)]))
    with pytest.raises(Misuse, match="never be reached: /auth/sessions/1;"):
        await live(taken)
    with project(taken), pytest.raises(Misuse, match="never be reached"):
        await asgi(lambda *_: None, auth)({"type": "http", "path": "/x"}, None, None)  # type: ignore[arg-type]


async def test_what_is_missing_is_named(kit: Kit) -> None:
    """Without the middleware, or without `asgi(…)`, a guard is a mistake that says how to mend it, no open door."""
    with project(*URLS, middleware=[]), pytest.raises(Misuse, match="not in MIDDLEWARE"):
        await AsyncClient().get("/me")
    with project(*URLS), pytest.raises(Misuse, match="application = asgi"):
        await AsyncClient().get("/me")
