"""The examples that the specifications print."""

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ostiary.kernel.secret import Secret
from ostiary.protocols.jose import base64url, jws
from ostiary.protocols.jose.jwk import read_key
from ostiary.protocols.jose.keys import SigningKey, VerifyingKey
from ostiary.protocols.jose.refusals import TokenRefused

JOE = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
JOE_PAYLOAD = b'{"iss":"joe",\r\n "exp":1300819380,\r\n "http://example.com/is_root":true}'

# RFC 7515 appendix A.1
HMAC_KEY = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"
HMAC = f"eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.{JOE}.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"

# RFC 7515 appendix A.2
RSA_KEY = {
    "kty": "RSA",
    "n": "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZ"
    "S-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg"
    "665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyu"
    "XpoQ",
    "e": "AQAB",
}
RSA = (
    f"eyJhbGciOiJSUzI1NiJ9.{JOE}."
    "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZ"
    "cAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-e"
    "OkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"
)

# RFC 7515 appendix A.3
EC_KEY = {
    "kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
}  # fmt: skip
EC = (
    f"eyJhbGciOiJFUzI1NiJ9.{JOE}."
    "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
)

# RFC 8037 appendix A
EDWARDS_KEY = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
EDWARDS_PRIVATE = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"
EDWARDS = (
    "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc."
    "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
)

# RFC 7638 section 3.1
THUMBPRINT_KEY = {
    "kty": "RSA",
    "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3"
    "oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qM"
    "QvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnq"
    "DKgw",
    "e": "AQAB", "alg": "RS256", "kid": "2011-04-29",
}  # fmt: skip


@pytest.mark.parametrize(
    ("key", "message", "payload"),
    [
        (VerifyingKey(Secret(base64url.decode(HMAC_KEY)), None), HMAC, JOE_PAYLOAD),
        (read_key(RSA_KEY), RSA, JOE_PAYLOAD),
        (read_key(EC_KEY), EC, JOE_PAYLOAD),
        (read_key(EDWARDS_KEY), EDWARDS, b"Example of Ed25519 signing"),
    ],
    ids=["RFC 7515 A.1", "RFC 7515 A.2", "RFC 7515 A.3", "RFC 8037 A.5"],
)
def test_a_printed_example_verifies(key: VerifyingKey, message: str, payload: bytes) -> None:
    """The example is read, its signature is right, and is wrong for another text."""
    read = jws.parse(message)
    jws.check(read, key)
    assert read.payload == payload
    assert not key.accepts(read.signature, read.signed + b"A")


def test_ed25519_signs_as_printed() -> None:
    """RFC 8037 A.4: the signature of Ed25519 has no chance in it, so it can be compared."""
    private = Ed25519PrivateKey.from_private_bytes(base64url.decode(EDWARDS_PRIVATE))
    signed, _, signature = EDWARDS.rpartition(".")
    assert base64url.encode(SigningKey(private).sign(signed.encode())) == signature


@pytest.mark.parametrize(
    ("key", "thumbprint"),
    [
        (THUMBPRINT_KEY, "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"),
        (EDWARDS_KEY, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"),
    ],
    ids=["RFC 7638 3.1", "RFC 8037 A.3"],
)
def test_a_thumbprint_is_as_printed(key: dict[str, Any], thumbprint: str) -> None:
    """The thumbprint depends on the key alone, not on its name or use."""
    assert read_key(key).thumbprint() == thumbprint


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        # RFC 7515 appendix A.5 (nothing signed) and A.6 (the JSON form); RFC 7797 section 4.2 (payload not encoded).
        (f"eyJhbGciOiJub25lIn0.{JOE}.", "malformed"),
        ('{"payload":"' + JOE + '","signatures":[]}', "malformed"),
        ("eyJhbGciOiJIUzI1NiIsImI2NCI6ZmFsc2UsImNyaXQiOlsiYjY0Il19.JC4wMg.A5dxf2s96_n5FLueVuW1Z_vh161FwXZC4YLPff6dmDY",
         "crit"),
    ],
)  # fmt: skip
def test_an_example_of_what_we_do_not_speak_is_refused(message: str, reason: str) -> None:
    """Unsecured, JSON and unencoded messages exist in the specifications and not here."""
    with pytest.raises(TokenRefused) as caught:
        jws.parse(message)
    assert caught.value.why == reason
