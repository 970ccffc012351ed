"""Each step of judging a new passkey, by a passkey for which it alone does not hold (S-C1 to S-C14, S-C22)."""

from contextlib import suppress

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given, settings
from hypothesis import strategies as st

from ostiary.kernel.errors import Misuse
from ostiary.protocols.webauthn.answers import read_registration
from ostiary.protocols.webauthn.client_data import InvalidAnswerError, read_challenge
from ostiary.protocols.webauthn.options import Descriptor, creation_options
from ostiary.protocols.webauthn.providers import provider_name
from ostiary.protocols.webauthn.registration import NewCredential, verify_registration
from ostiary.testing.authenticator import (
    AT,
    BS,
    EDDSA,
    ES256,
    RS256,
    UP,
    UV,
    Amiss,
    SoftwareAuthenticator,
    cbor,
    encode,
)
from tests.protocols.ceremonies.stage import (
    CHALLENGE,
    FRAME,
    FRAMED,
    HANDLE,
    MINUTES,
    ORIGIN,
    SITE,
    creation,
    registered,
)


def p384() -> bytes:
    """A key for ES256 on the wrong curve."""
    point = ec.generate_private_key(ec.SECP384R1()).public_key().public_numbers()
    return cbor({1: 2, 3: ES256, -1: 2, -2: point.x.to_bytes(48), -3: point.y.to_bytes(48)})


def short_rsa() -> bytes:
    """An RSA key that is too short by now."""
    numbers = rsa.generate_private_key(65537, 1024).public_key().public_numbers()
    return cbor({1: 3, 3: RS256, -1: numbers.n.to_bytes(128), -2: b"\x01\x00\x01"})


OFF_CURVE = cbor({1: 2, 3: ES256, -1: 1, -2: b"\x01" * 32, -3: b"\x01" * 32})
REFUSED = {
    "C1 no public key": (Amiss(sends={"type": "password"}), "type: no public key"),
    "C1 no type": (Amiss(sends={"type": None}), "type: no public key"),
    "C2 no challenge": (Amiss(says={"challenge": None}), "client data: no challenge"),
    "C2 another challenge": (Amiss(says={"challenge": encode(bytes(32))}), "client data: another challenge"),
    "C2 the beginning of the challenge": (
        Amiss(says={"challenge": encode(CHALLENGE[:16])}),
        "client data: another challenge",
    ),
    "C2 a challenge that is no text": (Amiss(says={"challenge": 1}), "client data: no challenge"),
    "C3 another origin": (Amiss(says={"origin": "https://auth.example.org"}), "client data: another origin"),
    "C3 a longer origin": (Amiss(says={"origin": f"{ORIGIN}.evil.example"}), "client data: another origin"),
    "C3 an origin with another in front": (
        Amiss(says={"origin": "https://evil-auth.example.com"}),
        "client data: another origin",
    ),
    "C3 below an origin": (
        Amiss(says={"origin": "https://a.auth.example.com"}),
        "client data: another origin",
    ),
    "C3 without TLS": (Amiss(says={"origin": "http://auth.example.com"}), "client data: another origin"),
    "C3 another port": (Amiss(says={"origin": f"{ORIGIN}:8443"}), "client data: another origin"),
    "C3 another spelling": (Amiss(says={"origin": f"{ORIGIN}/"}), "client data: another origin"),
    "C3 no origin": (Amiss(says={"origin": None}), "client data: another origin"),
    "C4 in a frame": (Amiss(says={"crossOrigin": True}), "client data: framed, and not by whom"),
    "C4 in a stranger's frame": (
        Amiss(says={"crossOrigin": True, "topOrigin": FRAME}),
        "client data: framed by a stranger",
    ),
    "C4 a stranger on top": (Amiss(says={"topOrigin": FRAME}), "client data: framed by a stranger"),
    "C4 a frame that is no truth value": (
        Amiss(says={"crossOrigin": "false"}),
        "client data: crossOrigin is no truth value",
    ),
    "C5 another site": (Amiss(rp_id="example.org"), "RP ID hash"),
    "C5 a name below the site": (Amiss(rp_id="auth.example.com"), "RP ID hash"),
    "C6 nobody there": (Amiss(clears=UP), "presence"),
    "C8 synced, and cannot be": (Amiss(sets=BS), "Single-device"),
    "C9 an algorithm that was not offered": (
        Amiss(public_key=cbor({1: 2, 3: -36, -1: 3, -2: b"1", -3: b"2"})),
        "key alg",
    ),
    "C9 a curve that is not the algorithm's": (Amiss(public_key=p384()), "key: not of its algorithm's kind"),
    "C9 a kind of key that is not the algorithm's": (
        Amiss(public_key=cbor({1: 2, 3: EDDSA, -1: 6, -2: b"1", -3: b"2"})),
        "key: not of its algorithm's kind",
    ),
    "C9 a point that is on no curve": (Amiss(public_key=OFF_CURVE), "not on the curve"),
    "C9 a short key": (Amiss(public_key=short_rsa()), "key: 2048 to 4096 bits"),
    "C9 no key at all": (Amiss(public_key=cbor({})), "KeyError"),
    "C9 a key that never ends": (
        Amiss(public_key=cbor({1: 3, 3: RS256, -1: b"\xff" * 2048, -2: b"\x03"})),
        "key: too long",
    ),
    "C10 another format": (Amiss(fmt="nonsense"), "attestation type"),
    "C10 a format in capitals": (Amiss(fmt="None"), "attestation type"),
    "C10 none, with a statement": (
        Amiss(statement=cbor({"alg": ES256, "sig": b"1"})),
        "unexpected attestation statement",
    ),
    "C10 a statement that signs something else": (
        Amiss(fmt="packed", signs=b"something else"),
        "statement signature",
    ),
    "C10 a statement of another algorithm": (
        Amiss(fmt="packed", statement=cbor({"alg": EDDSA, "sig": b"1"})),
        "did not equal",
    ),
    "C10 a statement without a signature": (
        Amiss(fmt="packed", statement=cbor({"alg": ES256})),
        "missing signature",
    ),
    "C10 no attested credential": (Amiss(clears=AT), "malformed"),
    "C11 a long id": (Amiss(credential_id=bytes(1024)), "id: impossible length"),
    "C11 an empty id": (Amiss(credential_id=b""), "id: impossible length"),
    "C12 another id outside than inside": (
        Amiss(sends={"id": encode(b"other"), "rawId": encode(b"other")}),
        "id: not the credential that was attested",
    ),
    "C12 two ids outside": (Amiss(sends={"rawId": encode(b"other")}), "rawId: is not id"),
    "another ceremony": (Amiss(says={"type": "webauthn.get"}), "client data: another ceremony"),
    "a ceremony in capitals": (Amiss(says={"type": "webauthn.Create"}), "client data: another ceremony"),
    "client data that are no JSON": (Amiss(client_data=b"{"), "client data: not JSON"),
    "client data that are no object": (Amiss(client_data=b"[]"), "client data: no object"),
    "client data that say a thing twice": (
        Amiss(
            client_data=b'{"type":"webauthn.create","origin":"%b","origin":"%b","challenge":"%b"}'
            % (ORIGIN.encode(), ORIGIN.encode(), encode(CHALLENGE).encode())
        ),
        "client data: a member is repeated",
    ),
    "more bytes than there should be": (Amiss(tail=b"\0"), "malformed"),
    "no response": (Amiss(sends={"response": None}), "response: missing"),
    "a response without attestation": (
        Amiss(sends={"response": {"clientDataJSON": ""}}),
        "attestationObject: missing or too long",
    ),
    "base64 that is none": (Amiss(sends={"id": "a+b", "rawId": "a+b"}), "id: not base64url"),
}


@pytest.mark.parametrize(("amiss", "why"), REFUSED.values(), ids=REFUSED.keys())
def test_what_does_not_hold_is_refused(amiss: Amiss, why: str) -> None:
    """One thing amiss, and there is no passkey, for that reason."""
    with pytest.raises(InvalidAnswerError, match=why):
        registered(SoftwareAuthenticator(), amiss)


@pytest.mark.parametrize("algorithm", [ES256, EDDSA, RS256])
@pytest.mark.parametrize("fmt", ["none", "packed"])
def test_what_holds_is_taken_down(algorithm: int, fmt: str) -> None:
    """All that will be needed is known afterwards (S-C9, S-C10, S-C13)."""
    aaguid = bytes.fromhex("d548826e79b4db40a3d811116f7e8349")
    authenticator = SoftwareAuthenticator(algorithm=algorithm, may_be_synced=True, aaguid=aaguid)
    made = registered(authenticator, Amiss(fmt=fmt, sign_count=7))
    assert (made.id, made.algorithm) == (authenticator.credentials[0].id, algorithm)
    assert (made.sign_count, made.transports) == (7, ("internal",))
    assert (made.is_verified, made.may_be_synced, made.is_synced) == (True, True, True)
    assert provider_name(made.aaguid) == "Bitwarden"
    assert provider_name("00000000-0000-0000-0000-000000000000") == ""


def test_verification_of_the_owner() -> None:
    """Without it there is a passkey that says so, unless it is demanded (S-C7)."""
    assert not registered(SoftwareAuthenticator(verifies=False)).is_verified
    assert registered(SoftwareAuthenticator(), requires_verification=True).is_verified
    for authenticator in (SoftwareAuthenticator(verifies=False), SoftwareAuthenticator()):
        with pytest.raises(InvalidAnswerError):
            registered(authenticator, Amiss(clears=UV), requires_verification=True)


def test_frames_of_friends() -> None:
    """A page on top is let in if it is named, exactly, and says who it is (S-C4)."""
    framed = {"crossOrigin": True, "topOrigin": FRAME}
    assert registered(SoftwareAuthenticator(), Amiss(says=framed), site=FRAMED).is_verified
    for says in (framed | {"topOrigin": f"{FRAME}.evil.example"}, framed | {"topOrigin": None}):
        with pytest.raises(InvalidAnswerError):
            registered(SoftwareAuthenticator(), Amiss(says=says), site=FRAMED)


def test_what_nobody_asked_for_does_no_harm() -> None:
    """Outputs of extensions, members that come later, a byte order mark, and a long id (S-C11, S-C14, S-C19)."""
    extensions = cbor({"credProps": cbor({"rk": 1})})
    for amiss in (
        Amiss(extensions=extensions),
        Amiss(says={"other_keys_can_be_added_here": "do not compare clientDataJSON against a template"}),
        Amiss(sends={"clientExtensionResults": {"credProps": {"rk": True}}, "more": 1}),
        Amiss(mark=b"\xef\xbb\xbf"),
        Amiss(credential_id=bytes([1]) * 1023),
    ):
        assert registered(SoftwareAuthenticator(), amiss).is_verified


def test_what_is_asked_for() -> None:
    """No attestation, a passkey that can be found, verification if it can be had, and none that is there already."""
    options = creation(known=[Descriptor(b"there already", ("usb",))])
    assert options["rp"] == {"id": "example.com", "name": "Example"}
    assert options["user"]["id"] == encode(HANDLE)
    assert [one["alg"] for one in options["pubKeyCredParams"]] == [ES256, EDDSA, RS256]
    assert options["excludeCredentials"] == [
        {"type": "public-key", "id": encode(b"there already"), "transports": ["usb"]}
    ]
    assert options["authenticatorSelection"]["residentKey"] == "preferred"
    assert options["authenticatorSelection"]["userVerification"] == "preferred"
    assert (options["attestation"], options["timeout"]) == ("none", 300_000)
    with pytest.raises(Misuse):
        creation_options(SITE, bytes(15), HANDLE, "", (), MINUTES)


@settings(max_examples=60, deadline=None)
@given(cut=st.integers(0, 300), noise=st.binary(max_size=24), raw=st.binary(max_size=200))
def test_nonsense_is_a_wrong_answer(cut: int, noise: bytes, raw: bytes) -> None:
    """Whatever a stranger sends, it is refused, and nothing breaks."""
    changed = ATTESTATION[:cut] + noise + ATTESTATION[cut + len(noise) :]
    # Nobody vouches for an attestation of "none": some changes make another passkey of it. None may break anything.
    with suppress(InvalidAnswerError):
        assert _judged("attestationObject", changed).algorithm == ES256
    for member in ("attestationObject", "clientDataJSON"):
        with pytest.raises(InvalidAnswerError):
            _judged(member, raw)


def _judged(member: str, value: bytes) -> NewCredential:
    response = ANSWER["response"] | {member: encode(value)}
    return verify_registration(read_registration(ANSWER | {"response": response}), CHALLENGE, SITE)


def test_the_challenge_that_comes_back() -> None:
    """It is read from the client data alone, before anything is believed."""
    assert read_challenge(b'{"challenge":"%b"}' % encode(CHALLENGE).encode()) == CHALLENGE
    for raw in (b"{}", b'{"challenge":"="}', b'{"challenge":1}', b"\xff", b" " * 9000):
        with pytest.raises(InvalidAnswerError):
            read_challenge(raw)


ANSWER = SoftwareAuthenticator().create(creation(), ORIGIN)
ATTESTATION = read_registration(ANSWER).attestation
