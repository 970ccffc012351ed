"""ostiary in Flask applications: guards, proxies, blueprints, several applications, and what stays the host's own."""

import re
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

import flask
import httpx2
import pytest
import sqlalchemy as sa
from flask import Blueprint, Flask, render_template_string, request
from flask.views import MethodView

from ostiary.core.access.authority import Declared
from ostiary.integrations import host
from ostiary.integrations.flask import (
    Ostiary,
    Policy,
    ProfileField,
    Role,
    SecurityHeaders,
    csrf_token,
    current_principal,
    current_profile,
    current_session,
    current_standing,
    current_user,
    guarded,
    optional_user,
    principal,
    rate_limit,
    requires,
    requires_fresh,
    requires_role,
    row,
    signed_in,
)
from ostiary.kernel.errors import Misuse, Refused
from ostiary.testing import Kit, made
from ostiary.testing.kit import PASSWORD

ANNA = "anna@example.com"
HTML = {"accept": "text/html"}
NOTES = sa.table("notes", sa.column("id", sa.Integer), sa.column("author_id", sa.Text))
DECLARED = Declared(
    (Role("editor", ("notes:*",), ("moderator",)),),
    (Policy("notes:edit", row.author_id == principal.id, "authors edit their own notes"),),
)
FIELDS = (ProfileField("plan", read_only=True),)


class Host:
    """A Flask application with guards of every kind.

    Attributes:
        app: The application.
        auth: Its ostiary.
        caught: What its own error handler met.
    """

    def __init__(self, kit: Kit) -> None:
        self.kit = kit
        self.auth = Ostiary(kit.engine)
        self.app = app = Flask("host")
        app.secret_key = "the host's own"
        self.auth.init_app(app)
        self.caught: list[str] = []

        @app.errorhandler(Exception)
        def everything(error: Exception) -> tuple[str, int]:
            self.caught.append(type(error).__name__)
            return "the host's own answer", 500

        @app.get("/")
        def home() -> str:
            flask.session["seen"] = flask.session.get("seen", 0) + 1
            hello = render_template_string(
                "{{ optional_user.email if optional_user else 'nobody' }} {{ csrf_token() }}"
            )
            return f"{flask.session['seen']} {hello}"

        @app.get("/me")
        @signed_in
        def me() -> dict[str, Any]:
            assert not hasattr(current_user, "password_hash")
            return {
                "email": current_user.email, "session": current_session.id, "amr": list(current_principal.amr),
                "plan": current_profile.values.get("plan"), "token": csrf_token(),
            }  # fmt: skip

        @app.get("/plain")  # no decorator: the proxy itself refuses
        def plain() -> str:
            return current_user.id

        @app.post("/plain")
        async def changed() -> dict[str, Any]:
            return {"by": current_user.id, "text": request.form.get("text"), "nobody": not optional_user}

        @app.delete("/everything")
        @requires_fresh(15)
        async def everything_gone() -> dict[str, str]:
            return {"status": "gone"}

        @app.get("/mine/<author>")
        def mine(author: str) -> dict[str, str]:
            current_standing.require(
                "notes:edit", {"id": 1, "author_id": current_user.id if author == "me" else author}
            )
            return {"sql": str(sa.select(NOTES.c.id).where(current_standing.where("notes:edit", NOTES)))}

        @app.get("/breaks")
        @signed_in()
        def breaks() -> str:
            raise ZeroDivisionError

        notes = Blueprint("notes", "notes", url_prefix="/notes")
        guarded(notes, requires("notes:read"), public=["/notes/help"])

        @notes.errorhandler(Exception)
        def swallowed(error: Exception) -> tuple[str, int]:
            self.caught.append(f"notes: {type(error).__name__}")
            return "swallowed", 500

        @notes.get("/help")
        @notes.get("/helpers")
        def helping() -> str:
            return "help"

        class Things(MethodView):
            decorators: ClassVar = [requires("notes:read", "notes:delete")]

            def get(self) -> list[str]:
                return []

        @notes.get("/all")
        @requires_role("moderator", "admin")
        def everybodys() -> list[str]:
            return [current_user.id]

        notes.add_url_rule("/things", view_func=Things.as_view("things"))
        app.register_blueprint(notes)

        @app.get("/limited")
        @rate_limit("2/m")
        def limited() -> str:
            return "ok"

        @app.get("/tenant")
        @rate_limit("1/m", by=lambda asked: asked.args["tenant"], name="tenant")
        def tenant() -> str:
            return "ok"

    def client(self, **headers: str) -> httpx2.Client:
        """Somebody who is not signed in."""
        return client_of(self.app, self.kit, **headers)

    def signed_in(self, address: str = ANNA) -> httpx2.Client:
        """Somebody new, signed in through the application's own door."""
        client = self.client()
        assert client.post("/auth/register", json={"email": address, "password": PASSWORD}).status_code == 202
        token = mailed_token(self.kit, address)
        assert client.post("/auth/email/verify", json={"token": token}).status_code == 200
        answer = client.post("/auth/login", json={"identifier": address, "password": PASSWORD})
        assert answer.status_code == 200
        return client


def client_of(app: Flask, kit: Kit, **headers: str) -> httpx2.Client:
    """A client of an application, at the kit's address."""
    transport = httpx2.WSGITransport(app, remote_addr="192.0.2.10", raise_app_exceptions=False)
    return httpx2.Client(transport=transport, base_url=kit.base_url, headers=headers)


def mailed_token(kit: Kit, address: str) -> str:
    """The token from the mail that the worker sends."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        for mail in kit.mailbox.messages():
            found = re.search(r"[?&]token=([\w-]+)", mail["text"])
            if mail["to"] == address and found:
                return found[1]
        time.sleep(0.01)
    raise AssertionError("no mail came")


@pytest.fixture
def site(database_url: str, tmp_path: Path) -> Iterator[Host]:
    """The application, on each database."""
    found = Host(made(tmp_path, database=database_url, declared=DECLARED, profile_fields=FIELDS))
    yield found
    found.auth.stop()


def code(answer: httpx2.Response) -> tuple[int, str]:
    """Status and code of a problem document."""
    assert answer.headers["content-type"] == "application/problem+json", (answer.url, answer.status_code)
    return answer.status_code, answer.json()["code"]


def test_guards_refuse_past_the_hosts_own_handlers(site: Host) -> None:
    """Nobody is 401 with a challenge, pages lead to sign in and back, a dead cookie is cleared, a missing permission is
    named; the host's error handlers, which catch everything, meet their own exceptions alone."""
    with site.client() as nobody:
        for path in ("/me", "/plain", "/notes/things", "/notes/helpers"):
            refused = nobody.get(path)
            assert code(refused) == (401, "not_authenticated"), path
            assert refused.headers["www-authenticate"].startswith("Bearer")
        assert nobody.get("/notes/help").text == "help"
        away = nobody.get("/me?a=1", headers=HTML)
        assert (away.status_code, away.headers["location"]) == (303, "/login?next=/me%3Fa%3D1")
        assert nobody.get("/").text == "1 nobody "
        assert nobody.get("/").text == "2 nobody "  # Flask's own session goes on beside ours
    assert site.caught == []

    with closing(site.signed_in()) as anna:
        who = anna.get("/auth/session").json()
        me = anna.get("/me").json()
        assert (me["email"], me["session"], me["amr"]) == (ANNA, who["session"]["id"], ["pwd"])
        assert me["token"] == anna.cookies["__Host-ostiary-csrf"]
        assert anna.get("/").text == f"1 {ANNA} {me['token']}"
        assert anna.get("/mine/me").json() == {
            "sql": "SELECT notes.id \nFROM notes \nWHERE notes.author_id = :param_1"
        }
        refused = anna.get("/mine/ben")
        assert code(refused) == (403, "permission_denied")
        refused = anna.get("/notes/things")
        assert (code(refused), refused.json()["permission"]) == ((403, "permission_denied"), "notes:read")
        assert code(anna.get("/notes/all"))[0] == 403
        assert site.auth.grant_role(who["user"]["id"], "editor", by="test")
        assert anna.get("/notes/things").json() == []
        assert anna.get("/notes/all").json() == [who["user"]["id"]]
        assert site.caught == []
        assert anna.get("/breaks").text == "the host's own answer"
        assert site.caught == ["ZeroDivisionError"]

        site.kit.clock.turn(timedelta(minutes=16))
        token = {"x-csrf-token": me["token"]}
        assert code(anna.delete("/everything", headers=token)) == (401, "fresh_authentication_required")
        site.kit.clock.turn(timedelta(days=40))
        ended = anna.get("/plain")
        assert code(ended) == (401, "session_ended")
        assert 'error="invalid_token"' in ended.headers["www-authenticate"]
        assert any(line.startswith("__Host-ostiary=;") for line in ended.headers.get_list("set-cookie"))


def test_a_cookie_that_changes_something_needs_its_proof(site: Host) -> None:
    """By header or by the form's field, which the view still reads; not without, not with another's, not from another
    site; and an async view knows who asks."""
    with closing(site.signed_in()) as anna, closing(site.signed_in("ben@example.com")) as ben:
        token = anna.cookies["__Host-ostiary-csrf"]
        assert code(anna.post("/plain", data={"text": "x"})) == (403, "csrf_failed")
        stolen = {"csrf_token": ben.cookies["__Host-ostiary-csrf"]}
        assert code(anna.post("/plain", data=stolen)) == (403, "csrf_failed")
        given = {"csrf_token": token, "text": "milk"}
        for answer in (
            anna.post("/plain", data=given),
            anna.post("/plain", data=given, files={"file": b"content"}),
            anna.post("/plain", data={"text": "milk"}, headers={"x-csrf-token": token}),
        ):
            assert (answer.status_code, answer.json()["text"], answer.json()["nobody"]) == (
                200,
                "milk",
                False,
            )
        foreign = {"origin": "https://evil.example", "x-csrf-token": token}
        assert code(anna.post("/plain", headers=foreign)) == (403, "csrf_failed")
        assert code(anna.delete("/everything")) == (403, "csrf_failed")
        assert anna.delete("/everything", headers={"x-csrf-token": token}).json() == {"status": "gone"}
    assert site.caught == []


def test_limits_count_each_view_and_are_told(site: Host) -> None:
    """The third call within a minute is 429 with the headers; a limit by the request counts what its function says."""
    with site.client() as client:
        remaining = [client.get("/limited").headers["ratelimit"].partition(";r=")[2][0] for _ in range(2)]
        assert remaining == ["1", "0"]
        refused = client.get("/limited")
        assert code(refused) == (429, "too_many_attempts")
        assert "retry-after" in refused.headers
        answers = [client.get(f"/tenant?tenant={name}").status_code for name in ("a", "b", "a")]
        assert answers == [200, 200, 429]


def test_what_a_host_makes_of_a_request_is_judged_as_that(site: Host, tmp_path: Path) -> None:
    """Another method owes the proof of that method, whatever was asked before; inside an application with another
    ostiary the cookies of that one count, and nobody is taken for who was known outside."""
    other_kit = made(tmp_path / "other", database=f"sqlite:///{tmp_path / 'other.db'}")
    other, inner = Ostiary(other_kit.engine), Flask("inner")
    other.init_app(inner)
    inner.add_url_rule("/inside", view_func=lambda: current_user.id if optional_user else "nobody")

    @site.app.before_request
    def override() -> None:
        if "method" in request.args:
            assert optional_user
            request.method = request.args["method"]

    class Deed(MethodView):
        decorators: ClassVar = [signed_in]

        def get(self) -> str:
            return f"looked {current_user.id}"

        def delete(self) -> str:
            return f"gone {current_user.id}"

    site.app.add_url_rule("/deed", view_func=Deed.as_view("deed"))

    @site.app.get("/inside")
    @signed_in
    def inside() -> flask.Response:
        outer = current_user.id
        answer = flask.Response.from_app(inner, request.environ)
        return flask.jsonify([outer, answer.get_data(as_text=True), current_user.id])

    try:
        with closing(site.signed_in()) as anna:
            who = anna.get("/auth/session").json()["user"]["id"]
            token = {"x-csrf-token": anna.cookies["__Host-ostiary-csrf"]}
            assert anna.get("/deed").text == f"looked {who}"
            assert code(anna.get("/deed?method=DELETE")) == (403, "csrf_failed")
            assert anna.get("/deed?method=DELETE", headers=token).text == f"gone {who}"
            assert anna.get("/inside").json() == [who, "nobody", who]
    finally:
        other.stop()


def test_methods_wait_for_the_same_answers(site: Host) -> None:
    """Every method of the asynchronous object is there and does the same, also with a proxy as its argument."""
    public = {name for name in vars(host.Ostiary) if not name.startswith("_")} - {"visit", "from_env"}
    assert {name for name in public if not hasattr(site.auth, name)} == set()
    with closing(site.signed_in()) as anna:
        who = anna.get("/auth/session").json()["user"]["id"]
        assert site.auth.set_profile(who, {"plan": "gold"}).values["plan"] == "gold"
        found = site.auth.profile(who)
        assert found is not None
        assert found.values["plan"] == "gold"
        assert anna.get("/me").json()["plan"] == "gold"
        assert site.auth.revoke_role(who, "editor", by="test") is False
        with pytest.raises(Misuse, match="there is no role"):
            site.auth.grant_role(who, "nothing", by="test")
        with pytest.raises(Refused):
            site.auth.set_profile("nobody", {})
        cookie = "; ".join(f"{name}={value}" for name, value in anna.cookies.items())
        with site.app.test_request_context("/me", headers={"cookie": cookie}):
            assert site.auth.standing(current_principal).check("notes:edit", {"author_id": who})
    with pytest.raises(Misuse, match="outside of a request"):
        current_user.id  # noqa: B018 - looking is what fails


def test_factories_make_several_applications(tmp_path: Path) -> None:
    """One object serves several applications, each once; a view in one without it says what to call; an application
    with a path of ours says which; one that is guarded as a whole is open at its public paths alone; one with security
    headers sends them; one whose guard stands above a route, and so before nothing, does not serve."""
    kit = made(tmp_path)
    auth = Ostiary(kit.engine)

    def create_app(*, joins: bool = True) -> Flask:
        app = Flask("made")
        app.testing = True
        app.add_url_rule("/me", endpoint="me", view_func=signed_in(lambda: current_user.id))
        if joins:
            auth.init_app(app)
        return app

    first, second, stranger = create_app(), create_app(), create_app(joins=False)
    with pytest.raises(Misuse, match="once is enough"):
        auth.init_app(first)
    try:
        for app in (first, second):
            with client_of(app, kit) as client:
                assert code(client.get("/me")) == (401, "not_authenticated")
                assert client.get("/login").status_code == 200
        with pytest.raises(Misuse, match="init_app"):
            stranger.test_client().get("/me")
        taken = create_app(joins=False)
        taken.add_url_rule("/account/<path:rest>", view_func=lambda rest: rest)
        taken.add_url_rule("/login", view_func=lambda: "mine", endpoint="mine")
        auth.init_app(taken)
        with pytest.raises(Misuse, match="/login"):
            taken.test_client().get("/")
        for wrong in ({"public": "/"}, {"public": ["help"]}):
            with pytest.raises(Misuse):
                guarded(first, **wrong)
        with pytest.raises(Misuse, match="takes guards"):
            guarded(first, signed_in)  # type: ignore[arg-type]
        hardened = create_app()
        hardened.add_url_rule("/nonce", "nonce", lambda: render_template_string("{{ csp_nonce }}"))
        SecurityHeaders(hardened, csp="default-src 'nonce-{nonce}'", headers={"x-frame-options": None})
        with client_of(hardened, kit) as client:
            page, other, refused, missing = [
                client.get(path) for path in ("/nonce", "/nonce", "/me", "/nowhere")
            ]
            assert page.headers["content-security-policy"] == f"default-src 'nonce-{page.text}'"
            assert len(page.text) > 20
            assert page.text != other.text
            for answer in (page, refused, missing):
                assert answer.headers["x-content-type-options"] == "nosniff"
                assert answer.headers["strict-transport-security"] == "max-age=31536000"
                assert "x-frame-options" not in answer.headers
            assert (
                client.get("/login").headers["x-frame-options"] == "DENY"
            )  # ostiary's own pages have their own
        with pytest.raises(Misuse):
            SecurityHeaders(headers={"x": "a\nb"})
        closed = create_app(joins=False)
        auth.init_app(closed)
        guarded(closed, public=["/", "/open"])
        before: list[str] = []
        closed.before_request(lambda: before.append(request.path))
        guarded(closed, public=["/", "/open"])  # twice is once, and before what the host does
        for path in ("/", "/open", "/open/below"):
            closed.add_url_rule(path, path, lambda: "open")
        with client_of(closed, kit) as client:
            found = [client.get(path).status_code for path in ("/", "/open", "/open/below", "/open/nowhere")]
            assert found == [200, 200, 200, 404]
            for path in (
                "/nowhere",
                "/openly",
                "/open/%2e%2e/me",
                "/open//me",
                "/open%2F..%2Fme",
                "/static/x",
                "/%6fpen%252f",
            ):
                assert code(client.get(path)) == (401, "not_authenticated"), path
            assert client.get("/login").status_code == 200
            assert before == ["/", "/open", "/open/below", "/open/nowhere"]
        upside_down = create_app()

        @signed_in
        @upside_down.get("/above")
        def view() -> str:
            return "for everybody"

        with pytest.raises(Misuse, match=r"above the route's decorator: view;"):
            upside_down.test_client().get("/above")
    finally:
        auth.stop()
