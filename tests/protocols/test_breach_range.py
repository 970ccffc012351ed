"""Fingerprints, lines of a corpus, and range answers: tables."""

import pytest

from ostiary.protocols.breach_range import fingerprint, is_listed, read_line, read_range

REST = "1E4C9B93F3F0682250B6CF8331B7EE68FD8"
OTHER = "0" * 35


@pytest.mark.parametrize(
    ("password", "digits"),
    [
        ("password", "5BAA61E4C9B93F3F0682250B6CF8331B7EE68FD8"),
        ("abc", "A9993E364706816ABA3E25717850C26C9CD0D89D"),  # FIPS 180-4's example
        ("é", "BF15BE717AC1B080B4F1C456692825891FF5073D"),
    ],
)
def test_fingerprints(password: str, digits: str) -> None:
    """SHA-1 of the UTF-8 form, in upper-case hex."""
    assert fingerprint(password) == digits


@pytest.mark.parametrize(
    ("line", "read"),
    [
        ("A" * 40 + ":7", ("A" * 40, True)),
        ("a" * 40 + ":7", ("A" * 40, True)),
        ("A" * 40, ("A" * 40, True)),
        ("A" * 40 + ":0", ("A" * 40, False)),
        ("A" * 40 + ":" + "9" * 18, ("A" * 40, True)),
    ],
)
def test_lines_of_a_corpus(line: str, read: tuple[str, bool]) -> None:
    """Fingerprint with or without a count."""
    assert read_line(line) == read


@pytest.mark.parametrize(
    "line",
    ["", "A" * 39, "A" * 41, "A" * 32 + ":7", "G" * 40, "A" * 40 + ":", "A" * 40 + ":x", "A" * 40 + ":-1",
     "A" * 40 + ":" + "9" * 19, " " + "A" * 40, "A" * 40 + ":7 ", "A" * 40 + ":\u0667"],
)  # fmt: skip
def test_other_lines_are_none(line: str) -> None:
    """NTLM's 32 digits, cut ones, other digits."""
    with pytest.raises(ValueError, match="corpus"):
        read_line(line)


@pytest.mark.parametrize(
    ("body", "lists"),
    [
        (f"{REST}:3", True),
        (f"{OTHER}:1\r\n{REST}:3\r\n", True),
        (f"{OTHER}:1\n{REST.lower()}:3\n", True),
        (f"{REST}:3\r\n{OTHER}:0\r\n", True),
        (f"{OTHER}:1\r\n{REST}:0\r\n", False),
        (f"{OTHER}:1\r\n", False),
    ],
)
def test_range_answers(body: str, lists: bool) -> None:
    """Found wherever it stands; padding, which has a count of 0, is not there."""
    assert is_listed("5BAA6" + REST, read_range(body.encode())) is lists


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\r\n",
        b"<!doctype html><title>Captive portal</title>",
        b'{"status": "ok"}',
        f"{OTHER}:0\r\n".encode(),
        f"{REST}:3\r\nrubbish\r\n".encode(),
        f"{REST}:3\r\n\r\n{OTHER}:1".encode(),
        f"{REST}\r\n".encode(),
        f"{'A' * 40}:3\r\n".encode(),
        f"{REST}:3\xff".encode("latin-1"),
    ],
)
def test_other_answers_are_none(body: bytes) -> None:
    """Empty, another document, padding alone, one odd line among good ones."""
    with pytest.raises(ValueError, match=r"."):
        read_range(body)
