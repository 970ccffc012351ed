"""Owns what stands at `/` of the stand-alone server; in a host application that path is the host's."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from ostiary.http.access import PUBLIC
from ostiary.http.pages import see
from ostiary.http.routing import Hot
from ostiary.http.visit import visit_of


async def home(request: Request) -> Response:
    """To the account, which asks to sign in first.

    Under the base URL, whatever the server was called by: forms, passkeys and links of mails belong to that.
    """
    edge = visit_of(request.scope).edge
    path = "/login" if edge.shell.home == "/" else edge.shell.home
    return see(edge.settings.link(path))


ROUTES: Final = (Hot("/", ("GET",), home, PUBLIC),)
