"""Each step of judging a passkey's answer, by one for which it alone does not hold (S-C1 to S-C8, S-C15 to S-C21)."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ostiary.protocols.webauthn.answers import read_assertion
from ostiary.protocols.webauthn.assertion import verify_assertion
from ostiary.protocols.webauthn.client_data import InvalidAnswerError
from ostiary.protocols.webauthn.options import Descriptor
from ostiary.testing.authenticator import (
    BE,
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
    ORIGIN,
    SITE,
    asserted,
    known,
    registered,
    request,
)

REFUSED = {
    "C1 no public key": (Amiss(sends={"type": "password"}), "type: no public key"),
    "C2 another challenge": (Amiss(says={"challenge": encode(bytes(32))}), "client data: another challenge"),
    "C2 no challenge": (Amiss(says={"challenge": ""}), "client data: another challenge"),
    "C3 another origin": (Amiss(says={"origin": "https://auth.example.org"}), "client data: another origin"),
    "C3 a longer origin": (Amiss(says={"origin": f"{ORIGIN}.evil.example"}), "client data: another origin"),
    "C3 without TLS": (Amiss(says={"origin": "http://auth.example.com"}), "client data: another origin"),
    "C4 in a frame": (Amiss(says={"crossOrigin": True}), "client data: framed, and not by whom"),
    "C4 in a stranger's frame": (
        Amiss(says={"crossOrigin": True, "topOrigin": FRAME}),
        "framed by a stranger",
    ),
    "C4 a stranger on top": (Amiss(says={"topOrigin": FRAME}), "framed by a stranger"),
    "C5 another site": (Amiss(rp_id="example.org"), "RP ID hash"),
    "C6 nobody there": (Amiss(clears=UP), "not present"),
    "C8 synced, and cannot be": (Amiss(sets=BS), "Single-device"),
    "C15 another credential": (Amiss(credential_id=b"another"), "id: another credential"),
    "C16 nobody's": (Amiss(user_handle=b""), "userHandle: missing"),
    "C16 somebody else's": (Amiss(user_handle=bytes([1]) * 64), "userHandle: somebody else's"),
    "C16 a longer handle": (Amiss(user_handle=HANDLE + b"1"), "userHandle: impossible length"),
    "C16 a shorter handle": (Amiss(user_handle=HANDLE[:-1]), "userHandle: somebody else's"),
    "C17 another ceremony": (Amiss(says={"type": "webauthn.create"}), "client data: another ceremony"),
    "C17 a payment": (Amiss(says={"type": "payment.get"}), "client data: another ceremony"),
    "C18 may be synced by now": (Amiss(sets=BE), "flags: whether it may be synced has changed"),
    "C19 a signature over something else": (Amiss(signs=b"something else"), "authentication signature"),
    "C19 a signature over the data alone": (Amiss(signs=bytes(37)), "authentication signature"),
    "more bytes than there should be": (Amiss(tail=b"\0"), "malformed"),
    "an answer without data": (
        Amiss(sends={"response": {"clientDataJSON": "e30"}}),
        "authenticatorData: missing",
    ),
    "an answer without end": (Amiss(extensions=cbor({"a": bytes(4096)})), "answer: too long"),
}


@pytest.mark.parametrize(("amiss", "why"), REFUSED.values(), ids=REFUSED.keys())
def test_what_does_not_hold_is_refused(amiss: Amiss, why: str) -> None:
    """One thing amiss, and the answer shows nothing, for that reason; the same without it does."""
    authenticator = SoftwareAuthenticator()
    stored = known(registered(authenticator))
    with pytest.raises(InvalidAnswerError, match=why):
        asserted(authenticator, stored, amiss)
    assert asserted(authenticator, stored).is_verified


@pytest.mark.parametrize("algorithm", [ES256, EDDSA, RS256])
def test_what_holds_is_told(algorithm: int) -> None:
    """Counter, verification and backup state come out; another one's key does not open (S-C7, S-C19, S-C21)."""
    authenticator = SoftwareAuthenticator(algorithm=algorithm, may_be_synced=True, counts=False)
    stored = known(registered(authenticator))
    shown = asserted(authenticator, stored)
    assert (shown.sign_count, shown.is_verified, shown.is_synced, shown.is_cloned) == (0, True, True, False)
    assert not asserted(authenticator, stored, Amiss(clears=UV)).is_verified
    assert not asserted(authenticator, stored, Amiss(clears=BS)).is_synced
    other = SoftwareAuthenticator(algorithm=algorithm, may_be_synced=True)
    registered(other)
    other.credentials[0].id = stored.id
    with pytest.raises(InvalidAnswerError):
        asserted(other, stored)


@pytest.mark.parametrize(
    ("before", "now", "is_cloned"),
    [(0, 0, False), (0, 1, False), (1, 2, False), (1, 900, False), (5, 5, True), (5, 4, True), (5, 0, True)],
)
def test_counters(before: int, now: int, is_cloned: bool) -> None:
    """One that does not move on although it counts is told, and only once the signature holds (S-C20)."""
    authenticator = SoftwareAuthenticator()
    stored = known(registered(authenticator, Amiss(sign_count=before)))
    shown = asserted(authenticator, stored, Amiss(sign_count=now))
    assert (shown.is_cloned, shown.sign_count) == (is_cloned, now)
    with pytest.raises(InvalidAnswerError):
        asserted(authenticator, stored, Amiss(sign_count=now, signs=b"nothing"))


def test_who_was_named_before() -> None:
    """Then the answer need not say whose it is; what it does say must be right (S-C16)."""
    authenticator = SoftwareAuthenticator(is_discoverable=False)
    stored = known(registered(authenticator))
    assert asserted(authenticator, stored, is_discovered=False).is_verified
    with pytest.raises(InvalidAnswerError):
        asserted(authenticator, stored, Amiss(user_handle=b"else"), is_discovered=False)
    with pytest.raises(InvalidAnswerError):
        asserted(authenticator, stored, is_discovered=True)


def test_what_does_no_harm() -> None:
    """Friends' frames, extensions, new members and a byte order mark (S-C4, S-C14, S-C19)."""
    authenticator = SoftwareAuthenticator()
    stored = known(registered(authenticator))
    for amiss in (
        Amiss(extensions=cbor({"uvm": b"1"})),
        Amiss(says={"later": [1, 2, {"a": "b"}]}),
        Amiss(mark=b"\xef\xbb\xbf"),
        Amiss(says={"crossOrigin": True, "topOrigin": FRAME}),
    ):
        assert asserted(authenticator, stored, amiss, site=FRAMED).is_verified


def test_what_is_asked_for() -> None:
    """Alone it demands verification and names nobody; named credentials say how they can be reached."""
    assert request()["userVerification"] == "required"
    assert (request()["allowCredentials"], request()["rpId"]) == ([], "example.com")
    named = request(allowed=[Descriptor(b"one", ("usb", "nfc")), Descriptor(b"two")])
    assert named["allowCredentials"] == [
        {"type": "public-key", "id": encode(b"one"), "transports": ["usb", "nfc"]},
        {"type": "public-key", "id": encode(b"two")},
    ]


AUTHENTICATOR = SoftwareAuthenticator()
KNOWN = known(registered(AUTHENTICATOR))
ANSWER = AUTHENTICATOR.get(request(), ORIGIN)


@settings(max_examples=60, deadline=None)
@given(
    member=st.sampled_from(["authenticatorData", "signature", "clientDataJSON"]),
    cut=st.integers(0, 200),
    noise=st.binary(min_size=1, max_size=40),
)
def test_nonsense_is_a_wrong_answer(member: str, cut: int, noise: bytes) -> None:
    """Whatever a stranger sends, it is refused, and nothing breaks."""
    right = getattr(
        read_assertion(ANSWER),
        {
            "authenticatorData": "authenticator_data",
            "signature": "signature",
            "clientDataJSON": "client_data",
        }[member],
    )
    wrong = right[:cut] + noise + right[cut + len(noise) :]
    response = ANSWER["response"] | {member: encode(wrong)}
    answer = read_assertion(ANSWER | {"response": response})
    if wrong != right:
        with pytest.raises(InvalidAnswerError):
            verify_assertion(answer, CHALLENGE, SITE, KNOWN, is_discovered=True)
