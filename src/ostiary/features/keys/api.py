"""Owns the published key set."""

from datetime import timedelta
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from ostiary.http.visit import visit_of

# The next key is published for weeks before it signs, so copies of this age hold every key that they need.
_KEPT: Final = timedelta(minutes=5)
_HEADERS: Final = {"cache-control": f"public, max-age={_KEPT // timedelta(seconds=1)}"}

JWKS_DOC: Final = {
    "tags": ["keys"],
    "summary": "The public keys",
    "description": "The JWK set (RFC 7517) with which tokens are checked: the next, the current and the previous key.",
    "responses": {"200": {"description": "`{keys}`", "content": {"application/jwk-set+json": {}}}},
}


async def jwks(request: Request) -> Response:
    """The key set, as it was written when the keys last changed."""
    return Response(
        visit_of(request.scope).edge.core.signing.document,
        media_type="application/jwk-set+json",
        headers=_HEADERS,
    )
