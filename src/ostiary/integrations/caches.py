"""Owns what the caches between a host and its users are told about answers that depended on who asked."""

from typing import Final

from ostiary.http.problems import Headers

# The headers that may say who asks.
_VARY: Final = (b"Cookie", b"Authorization", b"X-API-Key")


def personal(given: Headers) -> Headers:
    """What keeps caches from giving to others, or to a session that has ended, an answer that depended on who asked.

    A host that says itself how its answer may be kept (RFC 9111 section 5.2) is left alone in that.

    Args:
        given: The answer's own headers.
    """
    out: Headers = []
    own = [(name.lower(), value) for name, value in given]
    varies = {word.strip().lower() for name, value in own if name == b"vary" for word in value.split(b",")}
    missing = [word for word in _VARY if word.lower() not in varies]
    if missing and b"*" not in varies:
        out.append((b"vary", b", ".join(missing)))
    if all(name != b"cache-control" for name, _ in own):
        out.append((b"cache-control", b"private"))
    return out
