"""Owns which paths a Django project serves itself, to find those that are ostiary's already."""

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

from django.urls import get_resolver
from django.utils.regex_helper import normalize

from ostiary.integrations.host import Ostiary
from ostiary.kernel.errors import Misuse

_PARAMETER: Final = re.compile(r"%\(\w+\)s")


def _templates(patterns: Iterable[Any], prefix: str = "/") -> Iterator[str]:
    for pattern in patterns:
        # As Django's own `reverse` reads patterns; parameters stay as %(name)s.
        for template, _ in normalize(pattern.pattern.regex.pattern):
            inner = getattr(pattern, "url_patterns", None)
            if inner is None:
                yield prefix + template
            else:
                yield from _templates(inner, prefix + template)


def served(urlconf: str | None = None) -> list[str]:
    """One example of every path that the project serves.

    Args:
        urlconf: The module; unless given ROOT_URLCONF.
    """
    found = _templates(get_resolver(urlconf).url_patterns)
    return sorted({_PARAMETER.sub("1", template).replace("%%", "%") for template in found})


def collisions(auth: Ostiary) -> list[str]:
    """Those of the project's paths that ostiary answers, so that Django never sees them."""
    return [path for path in served() if auth.engine.app.owns(path)]


def near_collisions(auth: Ostiary) -> list[str]:
    """Those that differ from one of ostiary's by the slash at the end alone: APPEND_SLASH would never lead there."""
    return [
        path
        for path in served()
        if path.endswith("/") and path != "/" and auth.engine.app.owns(path.rstrip("/"))
    ]


def refuse_collisions(auth: Ostiary) -> None:
    """Name the project's paths that would never be reached.

    Raises:
        Misuse: there are some.
    """
    if taken := collisions(auth):
        raise Misuse(
            f"ostiary serves these paths, so the project's own would never be reached: {', '.join(taken)}; "
            "move them, or leave the feature out with `ribs`"
        )
