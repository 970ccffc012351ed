"""Owns the route of the export, and how the document is sent: as a file to keep."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from ostiary.features.export import flow
from ostiary.http.csrf import CSRF_FAILED, cross_site_reason
from ostiary.http.visit import Visit, visit_of
from ostiary.kernel.errors import Refused

EXPORT_DOC: Final = {
    "tags": ["account"],
    "summary": "Everything that is kept about the account",
    "description": "One JSON object, as a file. Needs a fresh sign-in. No secrets are in it, nor their hashes.",
    "responses": {
        "200": {"description": "`{format, exported_at, account, …}`", "content": {"application/json": {}}}
    },
}


async def export(request: Request) -> Response:
    """Send it to whoever asks from here."""
    visit = visit_of(request.scope)
    # A link on another site must not make the owner's browser ask: a mail would go out for each.
    headers = visit.headers
    reason = cross_site_reason(headers.get(b"origin"), headers.get(b"sec-fetch-site"), visit.edge.origins)
    if reason is not None:
        raise Refused(CSRF_FAILED, reason, counted=False)
    return await download(visit)


async def download(visit: Visit) -> Response:
    """The document as a file."""
    who = (await visit.session()).principal
    made = await flow.export(visit.edge.core, visit.origin, who)
    return StreamingResponse(
        made.pieces,
        media_type="application/json",
        headers={"content-disposition": f'attachment; filename="account-{made.at:%Y-%m-%d}.json"'},
    )
