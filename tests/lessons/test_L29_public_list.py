"""Every route stands behind a guard, or is public because this list says so (L29, S-E1)."""

import re
from pathlib import Path

from ostiary.server import health, home
from ostiary.testing import Kit, running

# Whoever adds a line here says that anybody may call it, signed in or not.
PUBLIC = {
    ("GET", "/account/delete/done"),
    ("GET", "/assets/{file}"),
    ("POST", "/auth/email/resend"),
    ("POST", "/auth/email/verify"),
    ("POST", "/auth/login"),
    ("POST", "/auth/login/challenge"),
    ("POST", "/auth/login/enrol"),
    ("POST", "/auth/login/factor"),
    ("POST", "/auth/logout"),
    ("GET", "/auth/openapi.json"),
    ("POST", "/auth/password/forgot"),
    ("POST", "/auth/password/reset"),
    ("POST", "/auth/magic-link"),
    ("POST", "/auth/magic-link/redeem"),
    ("POST", "/auth/not-me"),
    ("POST", "/auth/passkeys/login"),
    ("POST", "/auth/passkeys/login/options"),
    ("POST", "/auth/refresh"),
    ("POST", "/auth/register"),
    ("POST", "/auth/register/options"),
    ("POST", "/auth/token"),
    ("GET", "/auth/revocations"),
    ("GET", "/login"),
    ("POST", "/login"),
    ("GET", "/login/enrol"),
    ("POST", "/login/enrol"),
    ("POST", "/login/enrol/confirm"),
    ("GET", "/login/factor"),
    ("POST", "/login/factor"),
    ("POST", "/login/factor/challenge"),
    ("GET", "/login/link"),
    ("POST", "/login/link"),
    ("GET", "/login/link/ask"),
    ("POST", "/login/link/ask"),
    ("GET", "/login/link/sent"),
    ("GET", "/login/passkey"),
    ("POST", "/login/passkey"),
    ("GET", "/logout"),
    ("POST", "/logout"),
    ("GET", "/not-me"),
    ("POST", "/not-me"),
    ("GET", "/not-me/done"),
    ("GET", "/oauth2/jwks"),
    ("GET", "/recover"),
    ("POST", "/recover"),
    ("GET", "/recover/done"),
    ("GET", "/recover/reset"),
    ("POST", "/recover/reset"),
    ("GET", "/recover/sent"),
    ("GET", "/signup"),
    ("POST", "/signup"),
    ("POST", "/signup/passkey"),
    ("GET", "/signup/check"),
    ("GET", "/verify"),
    ("POST", "/verify"),
    ("GET", "/verify/done"),
    ("GET", "/verify/resend"),
    ("POST", "/verify/resend"),
}
PUBLIC_ON_THE_SERVER = {("GET", "/"), ("GET", "/healthz"), ("GET", "/readyz")}


async def test_what_is_public_is_on_the_list(tmp_path: Path) -> None:
    """The routes that ask for nothing are exactly the listed ones; a new one fails here until it is listed."""
    async with running(tmp_path) as kit:
        declared = kit.engine.app.declared
        assert {(line.method, line.path) for line in declared if line.access == "public"} == PUBLIC
        assert {line.access for line in declared} == {"public", "session"}


def test_what_the_server_adds_is_on_the_list() -> None:
    """The stand-alone server adds its probes and its front page, and nothing else."""
    added = {(method, hot.path) for hot in (*health.ROUTES, *home.ROUTES) for method in hot.methods}
    assert added == PUBLIC_ON_THE_SERVER


async def test_guarded_routes_refuse_who_is_nobody(kit: Kit) -> None:
    """Every other route answers 401, or leads to sign in, to a caller without a session, before anything happens."""
    nobody = kit.browser()
    guarded = [line for line in kit.engine.app.declared if line.access != "public"]
    assert guarded
    for line in guarded:
        path = re.sub(r"{[^}]*}", "01arz3ndektsv4rrffq69g5fav", line.path)
        form = {"content-type": "application/x-www-form-urlencoded"} if not path.startswith("/auth") else {}
        answer = await nobody.request(line.method, path, headers=form)
        if answer.status_code == 303:
            assert answer.headers["location"].startswith("/login"), line
        else:
            assert answer.status_code == 401, (line, answer.status_code, answer.text)
