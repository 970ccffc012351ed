"""Owns a corpus of tokens that must be refused, each with its reason, and the honest token that they are made from."""

import hmac
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa

from ostiary.kernel.secret import Secret
from ostiary.kernel.world import World
from ostiary.protocols.jose import base64url
from ostiary.protocols.jose.jwk import KeySet
from ostiary.protocols.jose.jwt import Expected
from ostiary.protocols.jose.keys import SigningKey
from ostiary.protocols.jose.refusals import Why

NOW = datetime.now(UTC).replace(microsecond=0)  # the real one: PyJWT takes no other
T = int(NOW.timestamp())
ISSUER = "https://id.example.com"
AUDIENCE = "https://api.example.com"
EXPECTED = Expected(ISSUER, AUDIENCE, "at+jwt")

_WORLD = World()
KEY = SigningKey.generate(_WORLD, kid="current")
EDWARDS = SigningKey.generate(_WORLD, "EdDSA", kid="edwards")
RSA = SigningKey(rsa.generate_private_key(65537, 2048), kid="rsa")
SHARED = SigningKey(Secret(_WORLD.bytes(32)), kid="shared")
STRANGER = SigningKey.generate(_WORLD, kid="current")
PUBLIC = KeySet([KEY.verifying, EDWARDS.verifying, RSA.verifying])
SECRETS = KeySet([SHARED.verifying])
KINDS = (KEY, EDWARDS, RSA, SHARED)

CLAIMS: dict[str, Any] = {
    "iss": ISSUER, "aud": AUDIENCE, "sub": "account-1", "client_id": "app", "jti": "one", "iat": T, "nbf": T,
    "exp": T + 7200, "scope": "notes:read",
}  # fmt: skip


def header(key: SigningKey = KEY, **more: Any) -> dict[str, Any]:
    """An honest header, with more members or other values."""
    return {"alg": key.alg, "kid": key.kid, "typ": "at+jwt"} | more


def _bytes(part: Any) -> bytes:
    return part if isinstance(part, bytes) else json.dumps(part).encode()


def forge(head: Any, payload: Any, key: SigningKey = KEY, *, signature: bytes | None = None) -> str:
    """Put a token together from whatever is given, signed by `key` unless a signature is given."""
    signed = f"{base64url.encode(_bytes(head))}.{base64url.encode(_bytes(payload))}"
    return f"{signed}.{base64url.encode(key.sign(signed.encode()) if signature is None else signature)}"


def honest(key: SigningKey = KEY, **claims: Any) -> str:
    """A token as the issuer makes it."""
    return forge(header(key), CLAIMS | claims, key)


def without(name: str) -> dict[str, Any]:
    """The honest claims without one."""
    return {each: value for each, value in CLAIMS.items() if each != name}


def confused() -> str:
    """The public key's PEM text, taken for a shared secret (CVE-2015-9235)."""
    pem = json.dumps(RSA.verifying.members()).encode()
    return forge(header(alg="HS256", kid="rsa"), CLAIMS, SigningKey(Secret(pem), kid="rsa"))


def spliced(part: int, change: Callable[[str], str]) -> str:
    """The honest token with one of its three parts changed as text."""
    parts = honest().split(".")
    parts[part] = change(parts[part])
    return ".".join(parts)


def stray_bits(text: str) -> str:
    """Another text that a lax reader decodes to the same bytes; to others, if no bit is unused."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    cut = text if len(text) % 4 else text[:-1]
    return cut[:-1] + alphabet[alphabet.index(cut[-1]) | 1]


def impossible(text: str) -> str:
    """A text of a length that no bytes have."""
    return text + "A" * ((1 - len(text)) % 4)


def der(raw: bytes) -> bytes:
    """An ECDSA signature in the form of X.509, which JWS does not use."""
    r, s = (b"\0" + half for half in (raw[:32], raw[32:]))
    body = b"\x02" + bytes([len(r)]) + r + b"\x02" + bytes([len(s)]) + s
    return b"\x30" + bytes([len(body)]) + body


def raw_signature() -> bytes:
    """The honest token's signature."""
    return base64url.decode(honest().rpartition(".")[2])


@dataclass(frozen=True)
class Case:
    """A token that must be refused.

    Attributes:
        name: What is wrong with it.
        token: The text.
        why: The reason we give.
        keys: What a verifier would have at hand.
    """

    name: str
    token: str
    why: Why
    keys: KeySet = field(default=PUBLIC, compare=False)


def _shape() -> Iterator[tuple[str, str, Why]]:
    head, payload, signature = honest().split(".")
    for name, token in {
        "empty": "",
        "one part": head,
        "two parts": f"{head}.{payload}",
        "two parts and a dot": f"{head}.{payload}.",
        "four parts": f"{head}.{payload}.{signature}.{signature}",
        "five parts, as an encrypted one": ".".join([head] * 5),
        "no header": f".{payload}.{signature}",
        "no payload": f"{head}..{signature}",
        "only dots": "..",
        "padding in the header": f"{head}=.{payload}.{signature}",
        "padding in the payload": f"{head}.{payload}=.{signature}",
        "padding in the signature": f"{head}.{payload}.{signature}==",
        "a space before": f" {head}.{payload}.{signature}",
        "a newline after": f"{head}.{payload}.{signature}\n",
        "a newline in the signature": f"{head}.{payload}.{signature[:40]}\n{signature[40:]}",
        "a tab around a dot": f"{head}\t.{payload}.{signature}",
        "a NUL after": f"{head}.{payload}.{signature}\0",
        "the standard alphabet": f"{head}.{payload}.{signature[:-3]}+/A",
        "a percent sign": f"{head}.{payload}.{signature}%3D",
        "letters that are not ASCII": f"{head}.{payload}.{signature[:-2]}éé",
        "digits that are not ASCII": f"{head}.{payload}.{signature[:-2]}\u0661\u0661",
        "the JSON form": json.dumps({"protected": head, "payload": payload, "signature": signature}),
        "an impossible length": f"{head}.{payload}.{signature}AAA",
        "Bearer in front": f"Bearer {head}.{payload}.{signature}",
    }.items():
        yield name, token, Why.MALFORMED
    yield "stray bits in the signature", spliced(2, stray_bits), Why.MALFORMED
    for pad in ("", "a", "ab"):  # so that one of them ends in each of the three ways
        head, payload, _ = forge(header(x=pad), CLAIMS | {"x": pad}).split(".")
        for name, token in {
            "stray bits in the header": f"{stray_bits(head)}.{payload}",
            "stray bits in the payload": f"{head}.{stray_bits(payload)}",
            "an impossible length of the header": f"{impossible(head)}.{payload}",
            "an impossible length of the payload": f"{head}.{impossible(payload)}",
        }.items():
            signed = f"{token}.{base64url.encode(KEY.sign(token.encode()))}"
            yield f"{name}, {len(pad)}", signed, Why.MALFORMED
    yield "too long", honest(padding="x" * 8192), Why.TOO_LARGE
    yield "a header too long", forge(header(x="x" * 2048), CLAIMS), Why.MALFORMED


def _headers() -> Iterator[tuple[str, str, Why]]:
    alg: Any
    kid: Any
    typ: Any
    value: Any
    for alg in ("none", "None", "NONE", "nOnE"):
        unsigned = forge({"alg": alg, "typ": "at+jwt"}, CLAIMS, signature=b"")
        yield f"alg {alg}, no signature", unsigned, Why.MALFORMED
        yield f"alg {alg}, some signature", unsigned + "AAAA", Why.ALG_NONE
        yield f"alg {alg} with a kid", forge(header(alg=alg), CLAIMS), Why.ALG_NONE
    for alg in (
        "es256",
        "ES384",
        "RS512",
        "PS256",
        "HS512",
        "ES256K",
        "Ed25519",
        "RSA-OAEP",
        " ES256",
        "",
        "dir",
    ):
        yield f"alg {alg!r}", forge(header(alg=alg), CLAIMS), Why.ALG_UNKNOWN
    for alg in (None, 256, ["ES256"], {"ES256": 1}, True):
        yield f"alg {alg!r}", forge(header(alg=alg), CLAIMS), Why.ALG_UNKNOWN
    yield "no alg", forge({"kid": "current", "typ": "at+jwt"}, CLAIMS), Why.ALG_UNKNOWN
    yield "RS256 turned into HS256", confused(), Why.ALG_NOT_OF_KEY
    yield "EdDSA with a P-256 key", forge(header(alg="EdDSA"), CLAIMS), Why.ALG_NOT_OF_KEY
    yield "ES256 with an RSA key", forge(header(RSA, alg="ES256"), CLAIMS, RSA), Why.ALG_NOT_OF_KEY
    for name, value in {
        "jwk": STRANGER.verifying.members(), "jku": "https://evil.example/jwks", "x5u": "https://evil.example/x",
        "x5c": ["MIIB"],
    }.items():  # fmt: skip
        yield f"{name} of the forger", forge(header() | {name: value}, CLAIMS, STRANGER), Why.EMBEDDED_KEY
        yield f"{name}, rightly signed", forge(header() | {name: value}, CLAIMS), Why.EMBEDDED_KEY
    yield "a private jwk", forge(header(jwk={"kty": "oct", "k": "AAAA"}), CLAIMS), Why.EMBEDDED_KEY
    for name, crit in {
        "unknown": ["exp"],
        "empty": [],
        "no list": "exp",
        "b64": ["b64"],
        "null": None,
    }.items():
        yield f"crit {name}", forge(header(crit=crit), CLAIMS), Why.CRIT
    yield (
        "crit in a header of three",
        forge({"alg": "ES256", "kid": "current", "crit": ["x"]}, CLAIMS),
        Why.CRIT,
    )
    yield "b64 false", forge(header(b64=False), CLAIMS), Why.UNENCODED
    yield "b64 true", forge(header(b64=True), CLAIMS), Why.UNENCODED
    yield "zip", forge(header(zip="DEF"), CLAIMS), Why.UNENCODED
    for name, raw in {
        "alg twice": b'{"alg":"ES256","alg":"none","kid":"current","typ":"at+jwt"}',
        "alg twice, once escaped": b'{"alg":"none","\\u0061lg":"ES256","kid":"current","typ":"at+jwt"}',
        "kid twice": b'{"alg":"ES256","kid":"x","kid":"current","typ":"at+jwt"}',
        "a list": b'[{"alg":"ES256"}]',
        "text": b'"ES256"',
        "null": b"null",
        "a number": b"0",
        "no JSON": b"alg: ES256",
        "more after the object": b'{"alg":"ES256","kid":"current","typ":"at+jwt"}{}',
        "a byte order mark": b'\xef\xbb\xbf{"alg":"ES256","kid":"current","typ":"at+jwt"}',
        "UTF-16": '{"alg":"ES256","kid":"current","typ":"at+jwt"}'.encode("utf-16-le"),
        "bytes that are not UTF-8": b'{"alg":"ES256","kid":"current","typ":"at+jwt","x":"\xff"}',
        "a lone surrogate": b'{"alg":"ES256","kid":"current","typ":"at+jwt","x":"\\ud800"}',
        "a trailing comma": b'{"alg":"ES256","kid":"current","typ":"at+jwt",}',
        "a comment": b'{"alg":"ES256",/**/"kid":"current","typ":"at+jwt"}',
        "single quotes": b"{'alg':'ES256','kid':'current','typ':'at+jwt'}",
        "NaN": b'{"alg":"ES256","kid":"current","typ":"at+jwt","x":NaN}',
        "nested deeply": b'{"alg":"ES256","kid":"current","typ":"at+jwt","x":' + b"[" * 40 + b"]" * 40 + b"}",
    }.items():
        yield f"header: {name}", forge(raw, CLAIMS), Why.HEADER
    for name in ("cty", "x5t", "x5t#S256"):
        for value in (1, None, ["JWT"], {}):
            yield f"{name} {value!r}", forge(header() | {name: value}, CLAIMS), Why.HEADER
    for kid in (7, None, ["current"], {"a": 1}, "", "k" * 257, True):
        yield f"kid {str(kid)[:20]!r}", forge(header(kid=kid), CLAIMS), Why.HEADER
    for kid in (
        "../../../dev/null",
        "' OR 1=1 --",
        "current\0",
        "CURRENT",
        "current ",
        "http://evil.example/k",
        "|id",
    ):
        yield f"kid {kid!r}", forge(header(kid=kid), CLAIMS), Why.KEY_UNKNOWN
    yield "no kid among several keys", forge({"alg": "ES256", "typ": "at+jwt"}, CLAIMS), Why.KEY_UNKNOWN
    for typ in ("JWT", "logout+jwt", "secevent+jwt", "dpop+jwt", "oauth-authz-req+jwt", "client-authentication+jwt",
                "revocations+jwt", "at", "at+jwt ", "text/at+jwt", "application/x/at+jwt", "at+jwt;x=1"):  # fmt: skip
        yield f"typ {typ!r}", forge(header(typ=typ), CLAIMS), Why.TYPE
    yield "no typ", forge({"alg": "ES256", "kid": "current"}, CLAIMS), Why.TYPE
    for typ in (None, 1, "", ["at+jwt"], "åt+jwt"):
        yield f"typ {typ!r}", forge(header(typ=typ), CLAIMS), Why.HEADER


def _signatures() -> Iterator[tuple[str, str, Why]]:
    raw = raw_signature()
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    for name, signature in {
        "by a stranger": STRANGER.sign(b"x"),
        "of another token": base64url.decode(honest(jti="two").rpartition(".")[2]),
        "all zero (CVE-2022-21449)": bytes(64),
        "r is the order": order.to_bytes(32) + raw[32:],
        "r and s are the order": order.to_bytes(32) * 2,
        "r is one, s is zero": (1).to_bytes(32) + bytes(32),
        "cut": raw[:-1],
        "a byte more": raw + b"\0",
        "a zero before each half": b"\0" + raw[:32] + b"\0" + raw[32:],
        "as DER": der(raw),
        "halves exchanged": raw[32:] + raw[:32],
        "one byte": b"\0",
        "very long": bytes(4000),
    }.items():
        yield f"signature {name}", forge(header(), CLAIMS, signature=signature), Why.SIGNATURE
    yield "signed by a stranger under our kid", forge(header(), CLAIMS, STRANGER), Why.SIGNATURE
    head, _, signature_text = honest().split(".")
    other = base64url.encode(json.dumps(CLAIMS | {"sub": "root"}).encode())
    yield "another payload", f"{head}.{other}.{signature_text}", Why.SIGNATURE
    other = base64url.encode(json.dumps(header(x=1)).encode())
    yield "another header", f"{other}.{honest().partition('.')[2]}", Why.SIGNATURE
    yield "an RSA signature cut", forge(header(RSA), CLAIMS, signature=RSA.sign(b"x")[:-1]), Why.SIGNATURE
    yield "an RSA signature of zeros", forge(header(RSA), CLAIMS, signature=bytes(256)), Why.SIGNATURE
    yield "an EdDSA signature of zeros", forge(header(EDWARDS), CLAIMS, signature=bytes(64)), Why.SIGNATURE
    cut = forge(header(EDWARDS), CLAIMS, signature=EDWARDS.sign(b"x")[:63])
    yield "an EdDSA signature cut", cut, Why.SIGNATURE


def _claims() -> Iterator[tuple[str, str, Why]]:
    audience: Any
    issuer: Any
    value: Any
    for name in ("iss", "aud", "exp"):
        why = {"iss": Why.ISSUER, "aud": Why.AUDIENCE, "exp": Why.CLAIM_MISSING}[name]
        yield f"no {name}", forge(header(), without(name)), why
    for issuer in (
        [ISSUER],
        [ISSUER, "x"],
        {ISSUER: 1},
        None,
        1,
        "",
        ISSUER + "/",
        ISSUER.upper(),
        ISSUER[:-1],
        "https",
    ):
        yield f"iss {str(issuer)[:40]!r}", honest(iss=issuer), Why.ISSUER
    for audience in (
        "",
        AUDIENCE + "/",
        AUDIENCE.upper(),
        "https://other.example",
        [],
        ["x"],
        AUDIENCE[:-1],
        "*",
    ):
        yield f"aud {audience!r}", honest(aud=audience), Why.AUDIENCE
    for audience in (None, 1, True, {AUDIENCE: 1}, [AUDIENCE, 1], [[AUDIENCE]], [None]):
        yield f"aud {audience!r}", honest(aud=audience), Why.PAYLOAD
    for name in ("exp", "nbf", "iat"):
        at = CLAIMS[name]
        for label, value in {
            "with a half": at + 0.5, "with a zero": float(at), "as text": str(at), "true": True, "null": None,
            "in a list": [at], "in an object": {"t": at}, "-1": -1, "negative": -T, "in milliseconds": T * 1000,
            "of 63 bits": 2**63, "of 64 bits": 2**64, "of 300 digits": 1e300, "never": "never",
        }.items():  # fmt: skip
            yield f"{name} {label}", forge(header(), CLAIMS | {name: value}), Why.PAYLOAD
    for name in ("sub", "jti"):
        for value in (None, 1, "", ["a"], {"a": 1}, True):
            yield f"{name} {value!r}", forge(header(), CLAIMS | {name: value}), Why.PAYLOAD
    yield "expired long ago", honest(iat=T - 7200, nbf=T - 7200, exp=T - 3600), Why.EXPIRED
    yield "expired just beyond the leeway", honest(exp=T - 30), Why.EXPIRED
    yield "exp zero", honest(exp=0), Why.EXPIRED
    yield "not before just beyond the leeway", honest(nbf=T + 31), Why.NOT_YET_VALID
    yield "issued just beyond the leeway", honest(iat=T + 31), Why.ISSUED_IN_FUTURE
    yield "expired and for somebody else", honest(exp=T - 3600, aud="x"), Why.AUDIENCE
    body = json.dumps(CLAIMS).encode()
    for name, raw in {
        "sub twice": body[:-1] + b', "sub": "root"}',
        "exp twice, once escaped": body[:-1] + b', "\\u0065xp": 9999999999}',
        "a member twice deep inside": body[:-1] + b', "x": {"a": [{"b": 1, "b": 2}]}}',
        "a list": b"[" + body + b"]",
        "text": b'"claims"',
        "null": b"null",
        "no JSON": b"\0\1\2",
        "more after the object": body + b"{}",
        "NaN": body[:-1] + b', "x": NaN}',
        "a number beyond a double": body[:-1] + b', "x": 1e999}',
        "nested deeply": body[:-1] + b', "x": ' + b"[" * 40 + b"]" * 40 + b"}",
        "nested in objects": body[:-1] + b', "x": ' + b'{"a":' * 40 + b"1" + b"}" * 40 + b"}",
        "bytes that are not UTF-8": body[:-1] + b', "x": "\xc3\x28"}',
        "an overlong encoding": body[:-1] + b', "x": "\xc0\xaf"}',
        "a lone surrogate": body[:-1] + b', "x": "\\udc00"}',
        "a byte order mark": b"\xef\xbb\xbf" + body,
        "compressed": b"x\x9c" + bytes(30),
    }.items():
        yield f"payload: {name}", forge(header(), raw), Why.PAYLOAD


def _shared() -> Iterator[tuple[str, str, Why]]:
    for name, key in {"empty": b"", "short": b"secret"}.items():
        # Signed by hand: `SigningKey` takes no such secret.
        signed = forge(header(SHARED), CLAIMS, signature=b"").rpartition(".")[0]
        mac = hmac.digest(key, signed.encode(), "sha256")
        yield f"a shared secret that is {name}", f"{signed}.{base64url.encode(mac)}", Why.SIGNATURE
    raw = SHARED.sign(forge(header(SHARED), CLAIMS, signature=b"").rpartition(".")[0].encode())
    yield "a MAC cut short", forge(header(SHARED), CLAIMS, signature=raw[:16]), Why.SIGNATURE
    yield "a MAC of one byte", forge(header(SHARED), CLAIMS, signature=raw[:1]), Why.SIGNATURE
    yield "a MAC and a byte", forge(header(SHARED), CLAIMS, signature=raw + b"\0"), Why.SIGNATURE
    yield (
        "a public algorithm for a secret",
        forge(header(SHARED, alg="RS256"), CLAIMS, RSA),
        Why.ALG_NOT_OF_KEY,
    )


CASES: tuple[Case, ...] = (
    *(Case(*each) for part in (_shape, _headers, _signatures, _claims) for each in part()),
    *(Case(*each, SECRETS) for each in _shared()),
)
