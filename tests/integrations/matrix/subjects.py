"""Owns the subjects of the matrix: a small application in each framework, all with these routes, as real servers.

GET  /                   "home"; public, and only itself
     /api                public for the guard around the application; each route has guards of its own:
GET  /api/me             anybody's session: {"id", "email"}
GET  /api/notes          the caller's notes: [{"id", "owner", "words"}]
POST /api/notes          writes one: JSON {"words"}; 201 with the note
GET  /api/notes/{id}     one's own; 404 {"detail": "no such note"} for everything else
POST /api/form           a form with `words` and `csrf_token`, from whoever is signed in: the words as text
GET  /api/reports        requires("reports:read")
GET  /api/staff          requires_role("editor")
GET  /api/fresh          requires_fresh(15)
GET  /api/limited        rate_limit("3/h")
GET  /api/own-limit      rate_limit("2/h", by="account")
GET  /inside/open        public
GET  /inside/{rest}      a session, because of the guard around the whole application

They take every setting from the environment (`Ostiary.from_env(roles=ROLES)`). To add a framework, write the
application and one entry in `SUBJECTS`.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

from ostiary.core.access.roles import Role
from tests.support.gunicorn import gunicorn
from tests.support.ports import free_port
from tests.support.server import Server, launch, production
from tests.support.tree import ROOT

ROLES = (Role("editor", ("reports:read",)),)
PUBLIC = ("/", "/api", "/inside/open")


@dataclass(frozen=True)
class Subject:
    """One application in one framework.

    Attributes:
        name: For reports.
        program: The command that serves it on 127.0.0.1; ``--port N`` is added.
    """

    name: str
    program: tuple[str, ...]

    def launch(self, folder: Path, database: str) -> Server:
        """Start it as in production behind one proxy, on a free port, and do not wait."""
        # The same people sign in at every subject, and shall not end their first session by that.
        settings = production() | {
            "database": database,
            "trusted_proxies": 1,
            "sessions_per_account": 100,
            "network_deny": "192.0.2.0/24",
            "role_networks": "editor=!100.64.0.0/24",
        }
        log = folder / f"{self.name}.log"
        return launch((), log, port=free_port(), settings=settings, program=self.program)


def asgi(name: str) -> Subject:
    """An ASGI application in `apps/`, under uvicorn."""
    place = f"tests.integrations.matrix.apps.{name}:app"
    uvicorn = (
        sys.executable,
        "-W",
        "error",
        "-m",
        "uvicorn",
        place,
        "--app-dir",
        str(ROOT),
        "--no-proxy-headers",
    )
    return Subject(name, uvicorn)


def wsgi(name: str) -> Subject:
    """A WSGI application in `apps/`, under gunicorn: loaded first, then forked, with threads."""
    place = f"tests.integrations.matrix.apps.{name}:app"
    return Subject(name, gunicorn(place, "--preload", "--threads", "4"))


SUBJECTS = (
    asgi("in_fastapi"),
    asgi("in_starlette"),
    asgi("in_django_asgi"),
    wsgi("in_django_wsgi"),
    wsgi("in_flask"),
)
