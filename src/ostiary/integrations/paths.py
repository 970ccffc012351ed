"""Owns the matching of paths by whole segments, for rules that a host gives: what is public, where pages are.

A path counts only as it is written in the rule. Written in another form (doubled slashes, dots, escapes, backslashes)
it matches no rule, so that no other spelling of a path is public.
"""

import re
from collections.abc import Sequence
from typing import Final

from ostiary.kernel.errors import Misuse

# As the server decoded it. An escape that is left was escaped twice.
_PLAIN: Final = re.compile(r"(?:/[^/\\%\x00-\x1f\x7f]+)*/?")
_WILD: Final = re.compile(r"[*?#{}<>]")
_DOTS: Final = frozenset({".", ".."})
# In the path as it came: escaped dots, slashes, backslashes and per cent signs are not the same to everybody.
_ESCAPED: Final = re.compile(rb"%(?:2e|2f|5c|25)", re.IGNORECASE)


def is_plain(path: str, raw: bytes | None = None) -> bool:
    """Whether everybody who routes by a path sees the same segments in it.

    Args:
        path: Decoded once.
        raw: As it came, if that is known.
    """
    if (
        not path.startswith("/")
        or _PLAIN.fullmatch(path) is None
        or _ESCAPED.search((raw or b"").partition(b"?")[0])
    ):
        return False
    # Some servers cut what follows a semicolon off, and see two dots in "..;".
    return _DOTS.isdisjoint(segment.partition(";")[0] for segment in path.split("/"))


class Prefixes:
    """Paths and what is below them: ``/docs`` holds ``/docs`` and ``/docs/a`` but not ``/docs2``; ``/`` only itself.

    Args:
        paths: Each begins with a slash; one at the end means the same.

    Raises:
        Misuse: one is no plain path.
    """

    def __init__(self, paths: Sequence[str]) -> None:
        if isinstance(paths, str):
            raise Misuse(f"paths are a list: write [{paths!r}]")
        for path in paths:
            if not is_plain(path) or _WILD.search(path):
                raise Misuse(
                    f"{path!r} is no path for a rule: write it decoded, from its first slash on, without wildcards; "
                    "what is below it is meant, too, but for / alone"
                )
        self._exact = frozenset(path.rstrip("/") or "/" for path in paths)

    def hold(self, path: str, raw: bytes | None = None) -> bool:
        """Whether one of the paths is this one or stands above it.

        Args:
            path: Below where the application is mounted, decoded once.
            raw: As it came, if that is known.
        """
        if not is_plain(path, raw):
            return False
        if path in self._exact:
            return True
        at = path.rfind("/")
        while at > 0:
            if path[:at] in self._exact:
                return True
            at = path.rfind("/", 0, at)
        return False
