"""Owns how routes are declared: with an `Access` each, so that none can be written down without a guard (L29).

How they are found is `table`'s, how they become an app is `assembly`'s.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from ostiary.http.access import Access
from ostiary.http.visit import OnProblem


@dataclass(frozen=True, slots=True)
class Hot:
    """A plain route: called often (FastAPI's layer costs twice as much), a protocol endpoint, or a page.

    Attributes:
        path: As in Starlette, e.g. ``/oauth2/jwks`` or ``/auth/federation/{provider}/start``.
        methods: Of GET, POST, PUT, PATCH, DELETE. HEAD is answered as GET without the body, OPTIONS by the table.
        endpoint: An async function from request to response.
        access: Who may call it.
        doc: Its OpenAPI operation; None leaves it out of the document (pages).
        takes_form: The body is a form, not JSON.
        on_problem: The route's own form of an error: a page, or an OAuth error.
        takes: The model of its JSON body, for the document; the endpoint reads it with `json_body`.
        gives: The type of what it answers with 200, for the document.
        is_probe: Network rules do not concern it: it tells nothing, and load balancers ask it from anywhere.
    """

    path: str
    methods: tuple[str, ...]
    endpoint: Callable[[Request], Awaitable[Response]]
    access: Access
    doc: Mapping[str, Any] | None = None
    takes_form: bool = False
    on_problem: OnProblem | None = None
    takes: type[BaseModel] | None = None
    gives: Any = None
    is_probe: bool = False


@dataclass(frozen=True, slots=True)
class JsonRoutes:
    """A rib's typed JSON routes; one `Access` for all of them."""

    router: APIRouter
    access: Access
