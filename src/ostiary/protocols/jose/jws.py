"""Owns the compact form of a signed message (RFC 7515 section 7.1): reading it strictly, and writing it.

What may differ between two readers is refused before any key is touched: padding, white space, stray bits, repeated
members, other numbers of parts. No field of the header is ever a source of trust: the key comes from the caller, and
the key says the algorithm (L13).
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final

import orjson

from ostiary.protocols import strict_json
from ostiary.protocols.jose import base64url
from ostiary.protocols.jose.keys import ALGORITHMS, LONGEST_KID, SigningKey, VerifyingKey
from ostiary.protocols.jose.refusals import TokenRefused, Why

MOST_CHARACTERS: Final = 8192
_LONGEST_HEADER: Final = 2048
_COMPACT: Final = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)", re.ASCII)
_PLAIN: Final = frozenset({"alg", "kid", "typ"})
_CARRIES_KEY: Final = frozenset({"jwk", "jku", "x5u", "x5c"})
_CHANGES_PAYLOAD: Final = frozenset({"b64", "zip"})
_TEXT: Final = frozenset({"cty", "x5t", "x5t#S256"})  # nothing is done with them, but each means text
_MEDIA: Final = "application/"


@dataclass(frozen=True, slots=True)
class Unverified:
    """A message that is well formed, and nothing more: nobody knows yet who wrote it.

    Attributes:
        alg: What the header claims; one of ours.
        kid: The key that it names, if any.
        typ: Its media type in lower case without ``application/`` (RFC 7515 section 4.1.9), if it says one.
        header: All members of the header.
        payload: The bytes that may have been signed.
        signed: What the signature is about.
        signature: As sent.
    """

    alg: str
    kid: str | None
    typ: str | None
    header: Mapping[str, Any]
    payload: bytes
    signed: bytes
    signature: bytes


def parse(token: str, *, limit: int = MOST_CHARACTERS, carrying: Collection[str] = ()) -> Unverified:
    """Take a compact message apart without believing any of it.

    Args:
        token: As received.
        limit: Most characters.
        carrying: Of `jwk`, `jku`, `x5u` and `x5c`, those that this kind of message has by its specification (a DPoP
            proof has `jwk`). Any other message that carries one is refused: nobody honest sends it to us.

    Raises:
        TokenRefused: it is too large, malformed, or its header is not acceptable.
    """
    if len(token) > limit:
        raise TokenRefused(Why.TOO_LARGE)
    parts = _COMPACT.fullmatch(token)
    if parts is None or parts.end(1) > _LONGEST_HEADER:
        raise TokenRefused(Why.MALFORMED)
    head, body, signature = parts.groups()
    try:
        payload, signed_with = base64url.decode_alphabet(body), base64url.decode_alphabet(signature)
    except ValueError:
        raise TokenRefused(Why.MALFORMED) from None
    header = _read_header(head)
    if header.carries and not header.carries.issubset(carrying):
        raise TokenRefused(Why.EMBEDDED_KEY)
    signed = token[: parts.end(2)].encode()
    return Unverified(header.alg, header.kid, header.typ, header.members, payload, signed, signed_with)


@dataclass(frozen=True, slots=True)
class _Header:
    alg: str
    kid: str | None
    typ: str | None
    carries: frozenset[str]
    members: Mapping[str, Any]


@lru_cache(64)  # an issuer writes the same header into all of its tokens; what was refused is not kept
def _read_header(text: str) -> _Header:
    try:
        raw = base64url.decode_alphabet(text)
    except ValueError:
        raise TokenRefused(Why.MALFORMED) from None
    try:
        header = strict_json.parse(raw)
    except ValueError as error:
        raise TokenRefused(Why.HEADER, str(error)) from None
    if type(header) is not dict:
        raise TokenRefused(Why.HEADER, "no object")
    if not header.keys() <= _PLAIN:
        _judge_rest(header)
    alg = header.get("alg")
    if alg not in ALGORITHMS:
        raise TokenRefused(
            Why.ALG_NONE if isinstance(alg, str) and alg.lower() == "none" else Why.ALG_UNKNOWN
        )
    return _Header(
        alg,
        _key_id(header["kid"]) if "kid" in header else None,
        _media_type(header["typ"]) if "typ" in header else None,
        _CARRIES_KEY & header.keys(),
        MappingProxyType(header),
    )


def _key_id(kid: object) -> str:
    if not isinstance(kid, str) or not 0 < len(kid) <= LONGEST_KID:
        raise TokenRefused(Why.HEADER, "kid")
    return kid


def _media_type(typ: object) -> str:
    if not isinstance(typ, str) or not typ or not typ.isascii():
        raise TokenRefused(Why.HEADER, "typ")
    short = typ.lower()
    # The prefix is left out only before a name without a slash of its own (RFC 7515 section 4.1.9).
    return short.removeprefix(_MEDIA) if short.count("/") == 1 else short


def _judge_rest(header: dict[str, Any]) -> None:
    if (
        "crit" in header
    ):  # we understand no extension, so whatever is critical is unknown (RFC 7515 section 4.1.11)
        raise TokenRefused(Why.CRIT)
    if header.keys() & _CHANGES_PAYLOAD:
        raise TokenRefused(Why.UNENCODED)
    for name in header.keys() & _TEXT:
        if not isinstance(header[name], str):
            raise TokenRefused(Why.HEADER, name)


def check(message: Unverified, key: VerifyingKey) -> None:
    """Whether the key's owner signed the message.

    Raises:
        TokenRefused: the header names another algorithm than the key has, or the signature is wrong.
    """
    if message.alg != key.alg:
        raise TokenRefused(Why.ALG_NOT_OF_KEY)
    if not key.accepts(message.signature, message.signed):
        raise TokenRefused(Why.SIGNATURE)


def write(key: SigningKey, payload: bytes, typ: str) -> str:
    """Sign a message.

    Args:
        key: Signs, and gives algorithm and `kid` of the header.
        payload: Any bytes but none.
        typ: What kind of message this is, without ``application/``, such as ``at+jwt`` (RFC 8725 section 3.11).
    """
    if not payload:
        raise ValueError("an empty payload cannot be told from a detached one")
    header = orjson.dumps({"alg": key.alg, "kid": key.kid, "typ": typ})
    signed = f"{base64url.encode(header)}.{base64url.encode(payload)}"
    return f"{signed}.{base64url.encode(key.sign(signed.encode()))}"
