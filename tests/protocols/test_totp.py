"""One-time passwords: the vectors of both RFCs, another implementation, and what people type."""

import base64
import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any, get_args
from urllib.parse import parse_qs, unquote, urlsplit

import pyotp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostiary.kernel.secret import Secret
from ostiary.protocols.totp import (
    DIGITS,
    PERIOD,
    Algorithm,
    base32,
    hotp,
    matching_step,
    otpauth_uri,
    step_at,
    typed_code,
)

# RFC 4226 appendix D.
HOTP_SECRET = Secret(b"12345678901234567890")
HOTP = "755224 287082 359152 969429 338314 254676 287922 162583 399871 520489".split()

# RFC 6238 appendix B: the time in seconds, and the password for SHA-1, SHA-256 and SHA-512.
TOTP = {
    59: "94287082 46119246 90693936",
    1111111109: "07081804 68084774 25091201",
    1111111111: "14050471 67062674 99943326",
    1234567890: "89005924 91819424 93441116",
    2000000000: "69279037 90698825 38618901",
    20000000000: "65353130 77737706 47863826",
}
ALGORITHMS: tuple[Algorithm, ...] = get_args(Algorithm)
# The appendix shows one secret, but its reference code uses one as long as each hash (errata 2866).
TOTP_SECRETS = [Secret((b"1234567890" * 7)[:length]) for length in (20, 32, 64)]

SECRETS = st.binary(min_size=20, max_size=20).map(Secret)
MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2099, 1, 1)).map(lambda at: at.replace(tzinfo=UTC))


def at(seconds: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)


@pytest.mark.parametrize(("counter", "expected"), list(enumerate(HOTP)))
def test_rfc_4226_appendix_d(counter: int, expected: str) -> None:
    """Each of the ten values."""
    assert hotp(HOTP_SECRET, counter).reveal() == expected


@pytest.mark.parametrize(
    ("seconds", "secret", "algorithm", "expected"),
    [
        (seconds, secret, algorithm, value)
        for seconds, values in TOTP.items()
        for secret, algorithm, value in zip(TOTP_SECRETS, ALGORITHMS, values.split(), strict=True)
    ],
)
def test_rfc_6238_appendix_b(seconds: int, secret: Secret, algorithm: Algorithm, expected: str) -> None:
    """Each of the eighteen values, of eight digits."""
    assert hotp(secret, step_at(at(seconds)), digits=8, algorithm=algorithm).reveal() == expected


@given(secret=SECRETS, counter=st.integers(0, 2**63), algorithm=st.sampled_from(ALGORITHMS))
def test_another_implementation_computes_the_same(secret: Secret, counter: int, algorithm: Algorithm) -> None:
    """pyotp agrees on any secret and counter."""
    other = pyotp.HOTP(base32(secret).reveal(), digest=getattr(hashlib, algorithm.lower()))
    assert hotp(secret, counter, algorithm=algorithm).reveal() == other.at(counter)


@given(secret=SECRETS, now=MOMENTS, steps=st.integers(-3, 3))
def test_the_step_of_a_code(secret: Secret, now: datetime, steps: int) -> None:
    """A code from pyotp's clock belongs to its own step when that is at most one away, and is wrong otherwise."""
    code = pyotp.TOTP(base32(secret).reveal()).at(now + steps * PERIOD)
    found = matching_step(secret, code, now)
    near = {step: hotp(secret, step).reveal() for step in range(step_at(now) - 1, step_at(now) + 2)}
    if abs(steps) <= 1:
        assert found is not None
        assert found >= step_at(now) + steps  # the later one, should two steps share a code
        assert near[found] == code
    else:
        assert (found is None) is (code not in near.values())


def test_a_step_begins_on_the_half_minute() -> None:
    """The last microsecond of a step is still in it."""
    assert [step_at(at(59)), step_at(at(60)), step_at(at(60) - timedelta(microseconds=1))] == [1, 2, 1]


def test_of_two_right_steps_the_later_counts() -> None:
    """Should two neighbouring steps have the same code, accepting it spends both of them."""
    step = 910_737  # found by search
    code = hotp(HOTP_SECRET, step).reveal()
    assert hotp(HOTP_SECRET, step + 1).reveal() == code
    for present in (step, step + 1):
        assert matching_step(HOTP_SECRET, code, at(present * 30)) == step + 1


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("123456", "123456"),
        ("000000", "000000"),
        (" 123 456 ", "123456"),
        ("123-456", "123456"),
        ("1 2 3-4 5 6", "123456"),
        ("123\N{NO-BREAK SPACE}456", "123456"),
        ("123\N{THIN SPACE}456\n", "123456"),
        ("123\N{EN DASH}456", "123456"),
        ("12345", None),
        ("1234567", None),
        ("", None),
        ("------", None),
        ("12345a", None),
        ("+12345", None),
        ("12.456", None),
        ("1_23456", None),
        ("123456\0", None),
        ("٤٣٢١٦٥", None),  # Arabic-Indic
        ("१२३४५६", None),  # Devanagari
        ("\uff11\uff12\uff13\uff14\uff15\uff16", None),  # full width
        ("①②③④⑤⑥", None),
        ("12345²", None),
    ],
)
def test_what_people_type(typed: str, expected: str | None) -> None:
    """Spaces and dashes do not matter; anything but six ASCII digits is no code (L12)."""
    assert typed_code(typed) == expected


@given(typed=st.text(max_size=20))
def test_a_code_is_six_ascii_digits(typed: str) -> None:
    """Whatever is typed, what comes out has six characters, each of 0 to 9."""
    code = typed_code(typed)
    assert code is None or (len(code) == DIGITS and set(code) <= set("0123456789"))


@pytest.mark.parametrize(
    ("issuer", "account", "label"),
    [
        ("Example", "anna@example.com", "Example:anna@example.com"),
        ("Example Site", "anna@example.com", "Example Site:anna@example.com"),
        ("Fish & Chips?", "a+b%c@example.com", "Fish & Chips?:a+b%c@example.com"),
        ("Bäckerei / Café #1", "jürgen@exämple.de", "Bäckerei / Café #1:jürgen@exämple.de"),
        ("Shop: the one", "anna@example.com", "Shop the one:anna@example.com"),
        ("http://x", '"a:b&secret=evil"@example.com', 'http //x:"a:b&secret=evil"@example.com'),
    ],
)
def test_the_uri_says_what_was_put_in(issuer: str, account: str, label: str) -> None:
    """Whatever stands in names, the label and the parameters come out as they went in, by two readers."""
    secret = Secret(bytes(range(20)))
    uri = otpauth_uri(secret, issuer, account).reveal()
    parts = urlsplit(uri)
    assert (parts.scheme, parts.netloc, parts.fragment) == ("otpauth", "totp", "")
    assert unquote(parts.path) == f"/{label}"
    assert "+" not in uri
    asked: dict[str, Any] = parse_qs(parts.query, strict_parsing=True)
    assert asked == {
        "secret": [base64.b32encode(bytes(range(20))).decode()],
        "issuer": [label.partition(":")[0]],
        "algorithm": ["SHA1"],
        "digits": ["6"],
        "period": ["30"],
    }
    read = pyotp.parse_uri(uri)
    assert isinstance(read, pyotp.TOTP)
    assert (read.issuer, read.interval, read.digits) == (label.partition(":")[0], 30, 6)
    assert read.at(at(1234567890)) == hotp(secret, step_at(at(1234567890))).reveal()


def test_the_secret_is_typed_in_base_32() -> None:
    """160 bits are 32 characters, without padding."""
    assert base32(HOTP_SECRET).reveal() == "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
