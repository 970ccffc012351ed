"""Owns the table of an assembled app's routes: how one is found, and the list of all of them.

Hot routes are found by one dictionary look-up, those with parameters by pattern. The list names every method and path
with its access, so that a test can compare what is public with an explicit list (L29).
"""

import inspect
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from fastapi.routing import APIRoute
from starlette.convertors import Convertor
from starlette.routing import compile_path
from starlette.types import Scope

from ostiary.http.access import Access
from ostiary.http.routing import Hot, JsonRoutes
from ostiary.kernel.errors import Misuse

METHODS: Final = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})
_PARAMETER: Final = re.compile(r"{([^}:]*)(?::[^}]*)?}")


@dataclass(frozen=True, slots=True)
class Declared:
    """One line of the list of routes."""

    method: str
    path: str
    access: str


@dataclass(frozen=True, slots=True)
class Found:
    """A hot route for a request.

    Attributes:
        hot: The route; None when the path is a hot one but not for this method.
        params: What its path parameters stand for.
        methods: What the path can be called with.
    """

    hot: Hot | None
    params: Mapping[str, Any] = field(default_factory=dict)
    methods: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Pattern:
    regex: re.Pattern[str]
    convertors: Mapping[str, Convertor[Any]]
    by_method: dict[str, Hot]


def path_in(scope: Scope) -> str:
    """The path below the mount point (the scope's `path` includes `root_path`)."""
    path: str = scope["path"]
    root: str = scope.get("root_path", "")
    if root and (path == root or path.startswith(root + "/")):
        return path[len(root) :]
    return path


def plain_path(path: str) -> str:
    """A path template without convertors: ``/a/{b:path}`` is ``/a/{b}``."""
    return _PARAMETER.sub(r"{\1}", path)


def _shape(path: str) -> str:
    return _PARAMETER.sub("{}", path)


def _add(by_method: dict[str, Hot], hot: Hot) -> None:
    for method in hot.methods:
        if method not in METHODS:
            raise Misuse(f"{hot.path}: {method!r} is none of {', '.join(sorted(METHODS))}")
        if by_method.setdefault(method, hot) is not hot:
            raise Misuse(f"{method} {hot.path} is declared twice")


def json_operations(routes: Iterable[JsonRoutes]) -> list[tuple[APIRoute, Access]]:
    """The FastAPI routes of all ribs.

    Raises:
        Misuse: a router holds something else, such as another router, that would escape the list.
    """
    found: list[tuple[APIRoute, Access]] = []
    for part in routes:
        for route in part.router.routes:
            if not isinstance(route, APIRoute):
                kind = type(route).__name__
                raise Misuse(f"a JSON router holds {kind}; declare every router as JsonRoutes of its own")
            found.append((route, part.access))
    return found


class Table:
    """Every route of an assembled app.

    Args:
        hot: Plain routes.
        json: The ribs' JSON routers.

    Raises:
        Misuse: a route is declared twice, is no async function, or its path mixes hot and JSON.
    """

    def __init__(self, hot: Iterable[Hot], json: Iterable[JsonRoutes]) -> None:
        self._hot = tuple(hot)
        self._json = json_operations(json)
        self._exact: dict[str, dict[str, Hot]] = {}
        patterns: dict[str, _Pattern] = {}
        for route in self._hot:
            if not inspect.iscoroutinefunction(route.endpoint):
                raise Misuse(f"{route.path}: the endpoint of a hot route is an async function")
            if "{" in route.path:
                regex, _, convertors = compile_path(route.path)
                pattern = patterns.setdefault(_shape(route.path), _Pattern(regex, convertors, {}))
                _add(pattern.by_method, route)
            else:
                _add(self._exact.setdefault(route.path, {}), route)
        self._patterns = tuple(patterns.values())
        self._answers = {path: self._without_hot(by_method) for path, by_method in self._exact.items()}
        self._founds = {
            (path, method): Found(one, {}, tuple(sorted(by_method)))
            for path, by_method in self._exact.items()
            for method, one in by_method.items()
        }
        self._refuse_overlap(set(patterns))

    @staticmethod
    def _without_hot(by_method: Mapping[str, Hot]) -> Found:
        return Found(None, {}, tuple(sorted(by_method)))

    def _refuse_overlap(self, shapes: set[str]) -> None:
        seen: set[tuple[str, str]] = set()
        for route, _ in self._json:
            if route.path in self._exact or _shape(route.path) in shapes:
                raise Misuse(f"{route.path} is both hot and JSON; declare all methods of a path in one way")
            for method in route.methods or ():
                if (method, _shape(route.path)) in seen:
                    raise Misuse(f"{method} {route.path} is declared twice")
                seen.add((method, _shape(route.path)))

    def find(self, path: str, method: str) -> Found | None:
        """The hot route for a request; None when no hot route has the path."""
        found = self._founds.get((path, method))
        if found is not None:
            return found
        answer = self._answers.get(path)
        if answer is not None:
            return answer
        for pattern in self._patterns:
            match = pattern.regex.match(path)
            if match is not None:
                params = {
                    name: pattern.convertors[name].convert(words) for name, words in match.groupdict().items()
                }
                return Found(pattern.by_method.get(method), params, tuple(sorted(pattern.by_method)))
        return None

    def methods(self, path: str) -> tuple[str, ...]:
        """What a path can be called with; empty when there is no such path."""
        found = self.find(path, "")
        if found is not None:
            return found.methods
        matching = [route for route, _ in self._json if route.path_regex.match(path)]
        return tuple(sorted({method for route in matching for method in route.methods or ()}))

    @property
    def hot(self) -> tuple[Hot, ...]:
        """The plain routes, in the order of their declaration."""
        return self._hot

    @property
    def declared(self) -> tuple[Declared, ...]:
        """Every method and path with its access, sorted."""
        lines = [Declared(m, plain_path(hot.path), hot.access.name) for hot in self._hot for m in hot.methods]
        lines += [Declared(m, plain_path(r.path), a.name) for r, a in self._json for m in r.methods or ()]
        return tuple(sorted(lines, key=lambda line: (line.path, line.method)))
