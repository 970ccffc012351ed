"""The standard's own test vectors (WebAuthn level 3, section 16): real answers of every kind, bit by bit."""

import base64
import datetime as dt
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from ostiary.protocols.webauthn.answers import AssertionAnswer, RegistrationAnswer
from ostiary.protocols.webauthn.assertion import Asserted, KnownCredential, verify_assertion
from ostiary.protocols.webauthn.attestation import read_roots
from ostiary.protocols.webauthn.client_data import InvalidAnswerError, RelyingParty
from ostiary.protocols.webauthn.registration import NewCredential, verify_registration

FILE: dict[str, Any] = json.loads(Path(__file__).with_name("vectors.json").read_text())
VECTORS: dict[str, dict[str, Any]] = FILE["vectors"]
ORIGIN, FRAME, HANDLE = "https://example.org", "https://example.com", b"\x01"
SITE = RelyingParty("example.org", "W3C", frozenset({ORIGIN}), frozenset({FRAME}))
_CA = x509.load_der_x509_certificate(base64.b64decode(FILE["attestation_ca_cert"]))
TRUSTING = replace(SITE, roots=read_roots(_CA.public_bytes(Encoding.PEM)))
# Nobody need vouch for them.
TAKEN = (
    "none.ES256", "packed-self.ES256", "none.ES256.topOrigin", "none.ES256.long-credential-id", "packed.ES256",
    "packed.RS256", "packed.EdDSA",
)  # fmt: skip
# Somebody vouches for them.
TRUSTED = ("packed.ES256", "packed.RS256", "packed.EdDSA", "apple.ES256")
REFUSED = {
    # Framed, but not by whom: section 13.4.9 leaves it to the site, and ours takes those alone that it knows.
    "none.ES256.crossOrigin": "framed, and not by whom",
    # Not among the algorithms that are offered (section 7.1, step 20).
    "packed.ES384": "Unsupported credential public key alg",
    "packed.ES512": "Unsupported credential public key alg",
    "packed.Ed448": "Unsupported credential public key alg",
    # Made up for the standard: a maker of TPMs that is in no register, a chain without its root, an AAGUID where FIDO
    # demands zeros, and a root that is not Apple's. Nobody is taken in whose statement cannot be verified.
    "tpm.ES256": "Unrecognized TPM Manufacturer",
    "android-key.ES256": "x5c was empty",
    "apple.ES256": "chain could not be validated",
    "fido-u2f.ES256": "AAGUID",
}


def raw(values: dict[str, Any], name: str) -> bytes:
    """A value of a vector."""
    return base64.b64decode(values[name])


def made(name: str, site: RelyingParty = SITE) -> NewCredential:
    """The registration of a vector, judged."""
    values = VECTORS[name]
    answer = RegistrationAnswer(
        raw(values, "credentialId"), raw(values, "clientDataJSON"), raw(values, "attestationObject"), ()
    )
    return verify_registration(answer, raw(values, "challenge"), site)


def shown(name: str, credential: NewCredential, flip: str = "") -> Asserted:
    """The authentication of a vector, judged.

    Args:
        flip: The value of which one bit is wrong.
    """
    values = VECTORS[name]["get"]
    found = {one: raw(values, one) for one in values}
    if flip:
        found[flip] = found[flip][:-1] + bytes([found[flip][-1] ^ 1])
    answer = AssertionAnswer(
        credential.id, found["clientDataJSON"], found["authenticatorData"], found["signature"], HANDLE
    )
    known = KnownCredential(
        credential.id, credential.public_key, credential.sign_count, HANDLE, credential.may_be_synced
    )
    return verify_assertion(answer, found["challenge"], SITE, known, is_discovered=True)


def test_every_vector_is_here() -> None:
    """All fifteen are judged, one way or the other."""
    assert len(VECTORS) == 15
    assert {*TAKEN, *REFUSED} == VECTORS.keys()


@pytest.mark.parametrize("name", TAKEN)
def test_what_is_taken(name: str) -> None:
    """Made and used as the standard says; one wrong bit in what is signed, or in the signature, is found."""
    credential = made(name)
    assert credential.id == raw(VECTORS[name], "credentialId")
    assert not shown(name, credential).is_cloned
    for flip in ("authenticatorData", "signature", "challenge"):
        with pytest.raises(InvalidAnswerError):
            shown(name, credential, flip)


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(name: str) -> None:
    """Each by the step that it is for, and by no other one."""
    with pytest.raises(InvalidAnswerError, match=REFUSED[name]):
        made(name)


def test_a_frame_must_be_known() -> None:
    """The vector with a top origin is taken where that page may show ours, and nowhere else."""
    with pytest.raises(InvalidAnswerError, match="framed by a stranger"):
        made("none.ES256.topOrigin", replace(SITE, top_origins=frozenset()))


@pytest.mark.parametrize("name", TRUSTED)
def test_who_vouches_must_be_trusted(name: str) -> None:
    """With the standard's root it is taken; with another root of that name it is not."""
    assert made(name, TRUSTING).id == raw(VECTORS[name], "credentialId")
    with pytest.raises(InvalidAnswerError):
        made(name, replace(SITE, roots=(another_root(),)))


@pytest.mark.parametrize("name", ["none.ES256", "packed-self.ES256"])
def test_nobody_vouches(name: str) -> None:
    """Neither none nor the key itself is enough where a root is demanded."""
    with pytest.raises(InvalidAnswerError, match="nobody vouches"):
        made(name, TRUSTING)


def another_root() -> bytes:
    """A root that calls itself the same."""
    key = ec.generate_private_key(ec.SECP256R1())
    begin = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(_CA.subject)
        .issuer_name(_CA.subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(begin)
        .not_valid_after(begin + dt.timedelta(days=36500))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    )
    return built.sign(key, SHA256()).public_bytes(Encoding.PEM)
