"""Owns the JSON routes of one's own API keys."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import AwareDatetime, Field

from ostiary.core.api_keys.keys import ApiKey
from ostiary.features.api_keys import flow
from ostiary.features.api_keys import wish as wishes
from ostiary.features.api_keys.flow import Made
from ostiary.features.api_keys.wish import Wish
from ostiary.http.access import CurrentOrigin, CurrentSession
from ostiary.http.inputs import CurrentCore, JsonBody

router = APIRouter(tags=["API keys"])
KeyId = Annotated[str, Path(max_length=64)]


class KeyView(JsonBody):
    """A key without its secret. One that was rotated goes on to work until `expires_at`; `rotated_to` is its successor.

    `prefix` is what the key begins with. `last_used_at` is exact to a minute.
    """

    id: str
    name: str
    prefix: str
    scopes: list[str]
    networks: list[str]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    rotated_to: str | None


class Keys(JsonBody):
    """Oldest first; those that have run out are among them for a while. `scopes` are the widest a key can have."""

    api_keys: list[KeyView]
    scopes: list[str]


class NewKey(JsonBody):
    """What the key shall be.

    `scopes` are permissions such as `notes:read` or `notes:*`; without any the key can only say whose it is.
    """

    name: Annotated[str, Field(max_length=wishes.LONGEST_NAME)]
    scopes: Annotated[
        tuple[Annotated[str, Field(max_length=wishes.LONGEST_SCOPE)], ...],
        Field(max_length=wishes.MOST_SCOPES),
    ] = ()
    networks: Annotated[
        tuple[Annotated[str, Field(max_length=wishes.LONGEST_NETWORK)], ...],
        Field(max_length=wishes.MOST_NETWORKS),
    ] = ()
    expires_at: AwareDatetime | None = None


class MadeKey(KeyView):
    """A new key. `key` is shown this once."""

    key: str


@router.get("/auth/api-keys")
async def list_keys(core: CurrentCore, current: CurrentSession) -> Keys:
    """One's own keys."""
    who = current.principal
    return Keys(
        api_keys=[_view(one) for one in await flow.listed(core, who)],
        scopes=list(await flow.grantable(core, who)),
    )


@router.post("/auth/api-keys", status_code=201)
async def create(body: NewKey, core: CurrentCore, origin: CurrentOrigin, current: CurrentSession) -> MadeKey:
    """Make a key. Wants a fresh sign-in; nothing shows the key again."""
    wish = Wish(body.name, body.scopes, body.networks, body.expires_at)
    return _made(await flow.create(core, origin, current.principal, wish))


@router.post("/auth/api-keys/{key_id}/rotate", status_code=201)
async def rotate(key_id: KeyId, core: CurrentCore, origin: CurrentOrigin, current: CurrentSession) -> MadeKey:
    """Make a key's successor; the old one goes on for `api_key_overlap`. Wants a fresh sign-in."""
    return _made(await flow.rotate(core, origin, current.principal, key_id))


@router.delete("/auth/api-keys/{key_id}", status_code=204)
async def revoke(key_id: KeyId, core: CurrentCore, origin: CurrentOrigin, current: CurrentSession) -> None:
    """Revoke a key; it is refused on its next request."""
    await flow.revoke(core, origin, current.principal, key_id)


def _made(made: Made) -> MadeKey:
    return MadeKey(**_view(made.key).model_dump(), key=made.text.reveal())


def _view(key: ApiKey) -> KeyView:
    return KeyView(
        id=key.id,
        name=key.name,
        prefix=key.shown,
        scopes=list(key.scopes),
        networks=list(key.networks),
        created_at=key.created_at,
        expires_at=key.expires_at,
        last_used_at=key.last_used_at,
        rotated_to=key.rotated_to,
    )
