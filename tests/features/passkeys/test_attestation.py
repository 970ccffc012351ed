"""Where makers must vouch for authenticators, a passkey's certificates must lead to a root of the operator's."""

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from ostiary.kernel.errors import Misuse
from ostiary.testing import running
from ostiary.testing.authenticator import Amiss, SoftwareAuthenticator
from ostiary.testing.passkeys import add_passkey, options_for, sign_in, sign_up
from tests.core.signin.stage import dump

ANNA = "anna@example.com"
MAKE = bytes(range(16))
_AAGUID = x509.ObjectIdentifier("1.3.6.1.4.1.45724.1.1.4")


class Maker:
    """Somebody who makes authenticators, or says so."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Maker")])
        self.root = self._signed(self._name, self._key, is_authority=True)

    def device(self, *, is_authority: bool = False, make: bytes | None = MAKE) -> SoftwareAuthenticator:
        """An authenticator for which it vouches, all of it or for one make."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Device")])
        leaf = self._signed(subject, key, is_authority=is_authority, make=make)
        certified = (key, (leaf.public_bytes(Encoding.DER),))
        return SoftwareAuthenticator(aaguid=MAKE, certified=certified)

    def _signed(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        *,
        is_authority: bool,
        make: bytes | None = None,
    ) -> x509.Certificate:
        begin = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
        built = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(begin)
            .not_valid_after(begin + dt.timedelta(days=36500))
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        )
        if make is not None:
            built = built.add_extension(
                x509.UnrecognizedExtension(_AAGUID, b"\x04\x10" + make), critical=False
            )
        return built.sign(self._key, SHA256())


async def test_who_vouches(tmp_path: Path) -> None:
    """None, the key itself, a stranger, an authority, another make, a wrong signature: refused, and nothing stored."""
    maker, stranger = Maker(), Maker()
    roots = tmp_path / "roots.pem"
    roots.write_bytes(b"# Makers\n" + maker.root.public_bytes(Encoding.PEM))
    given: dict[str, Any] = {"passkey_attestation": "roots", "passkey_attestation_roots": roots}
    async with running(tmp_path, **given) as kit:
        anna = await kit.signed_in(ANNA)
        assert (await options_for(anna, "/auth/passkeys/register/options"))["attestation"] == "direct"
        for device, amiss in (
            (SoftwareAuthenticator(), Amiss()),
            (SoftwareAuthenticator(), Amiss(fmt="packed")),
            (stranger.device(), Amiss()),
            (maker.device(is_authority=True), Amiss()),
            (maker.device(make=bytes(16)), Amiss()),
            (maker.device(), Amiss(signs=b"something else")),
        ):
            refused = await add_passkey(kit, anna, device, amiss=amiss)
            assert (refused.status_code, refused.json()["code"]) == (422, "passkey_refused"), refused.text
        assert (await sign_up(kit, kit.browser(), stranger.device(), "bert@example.com")).status_code == 422
        assert (await dump(kit))["passkey"] == []
        for good in (maker.device(), maker.device(make=None)):
            assert (await add_passkey(kit, anna, good)).status_code == 200
            assert (await sign_in(kit, anna, good)).status_code == 200


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"passkey_attestation": "roots"}, "go together"),
        ({"passkey_attestation_roots": "roots.pem"}, "go together"),
        ({"passkey_attestation": "roots", "passkey_attestation_roots": "missing.pem"}, "No such file"),
        ({"passkey_attestation": "roots", "passkey_attestation_roots": "empty.pem"}, "PEM file"),
    ],
)
async def test_roots_that_cannot_be_used(tmp_path: Path, given: dict[str, str], said: str) -> None:
    """It does not start, and says why."""
    (tmp_path / "empty.pem").write_text("nothing")
    if "passkey_attestation_roots" in given:
        given = given | {"passkey_attestation_roots": str(tmp_path / given["passkey_attestation_roots"])}
    with pytest.raises(Misuse, match=said):
        async with running(tmp_path, **given):  # type: ignore[arg-type]
            pass
