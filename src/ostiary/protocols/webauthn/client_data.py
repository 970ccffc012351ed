"""Owns what the browser says about a ceremony (WebAuthn section 5.8.1), and for which site that is good."""

from dataclasses import dataclass
from typing import Any, Final, Literal

from ostiary.kernel.secret import Secret
from ostiary.protocols import strict_json
from ostiary.protocols.jose import base64url

Ceremony = Literal["webauthn.create", "webauthn.get"]
CREATE: Final = "webauthn.create"
GET: Final = "webauthn.get"

_BOM: Final = b"\xef\xbb\xbf"
_LONGEST: Final = 8192


class InvalidAnswerError(ValueError):
    """An authenticator's answer is not what was asked for. The message is for the journal, never for the caller."""


@dataclass(frozen=True, slots=True)
class RelyingParty:
    """The site that passkeys belong to.

    Attributes:
        id: Its domain; passkeys work on it and on what is below it (section 5.4.2).
        name: How people call it.
        origins: Where ceremonies take place, exactly as browsers write them.
        top_origins: Whose pages may show ours in a frame and have people sign in there; usually nobody's.
        roots: Certificates, as PEM, one of which must vouch for the authenticator of a new passkey; none: nobody must.
    """

    id: str
    name: str
    origins: frozenset[str]
    top_origins: frozenset[str] = frozenset()
    roots: tuple[bytes, ...] = ()


def read_challenge(raw: bytes) -> bytes:
    """The challenge that client data repeat; what it is worth is not judged here.

    Raises:
        InvalidAnswerError: They are no client data.
    """
    challenge = _parse(raw).get("challenge")
    if not isinstance(challenge, str):
        raise InvalidAnswerError("client data: no challenge")
    try:
        return base64url.decode(challenge)
    except ValueError:
        raise InvalidAnswerError("client data: the challenge is not base64url") from None


def check_client_data(raw: bytes, ceremony: Ceremony, challenge: bytes, site: RelyingParty) -> None:
    """Demand that the browser did this ceremony, for this challenge, on a page of this site.

    Raises:
        InvalidAnswerError: It did not, or it does not say so beyond doubt.
    """
    said = _parse(raw)
    if said.get("type") != ceremony:
        raise InvalidAnswerError("client data: another ceremony")
    if not Secret(challenge).matches(read_challenge(raw)):
        raise InvalidAnswerError("client data: another challenge")
    if said.get("origin") not in site.origins:
        raise InvalidAnswerError("client data: another origin")
    is_framed, top = said.get("crossOrigin", False), said.get("topOrigin")
    if not isinstance(is_framed, bool):
        raise InvalidAnswerError("client data: crossOrigin is no truth value")
    if top is not None and top not in site.top_origins:
        raise InvalidAnswerError("client data: framed by a stranger")
    # Old browsers say that they are framed, but not by whom: nobody can be let in by that.
    if is_framed and top is None:
        raise InvalidAnswerError("client data: framed, and not by whom")


def _parse(raw: bytes) -> dict[str, Any]:
    """Read the text; the signature is over the bytes as they came, with whatever mark stands in front of them."""
    if len(raw) > _LONGEST:
        raise InvalidAnswerError("client data: too long")
    try:
        said = strict_json.parse(raw.removeprefix(_BOM))
    except ValueError as error:
        raise InvalidAnswerError(f"client data: {error}") from None
    if not isinstance(said, dict):
        raise InvalidAnswerError("client data: no object")
    return said
