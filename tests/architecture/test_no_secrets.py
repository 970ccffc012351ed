"""No key and no secret lies in the tree.  # L27"""

import re
import string

import pytest

from tests.support.tree import ROOT, project_files

# Written so that this file does not contain what it looks for.
PATTERNS = {
    "PEM block": r"-{5}BEGIN [A-Z0-9 ]+-{5}",
    "PuTTY key": r"PuTTY-User-Key-File-\d",
    "private JWK": r"""["']d["']\s*:\s*["'][A-Za-z0-9_-]{40,}["']""",
    "age key": r"AGE-SECRET-KEY-1[0-9A-Z]{50}",
    "AWS key": r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",
    "GitHub token": r"\b(?:gh[oprsu]_[A-Za-z0-9]{36}|github_pat_\w{40,})",
    "GitLab token": r"\bglpat-[\w-]{20}",
    "Google key": r"\bAIza[\w-]{35}",
    "Slack token": r"\bxox[abeoprs]-[\w-]{10,}",
    "Stripe key": r"\b[rs]k_live_\w{20,}",
    "npm or PyPI token": r"\b(?:npm_[A-Za-z0-9]{36}|pypi-AgEI[\w-]{20,})",
}
SECRET_FILES = re.compile(
    r"(?:\.(?:pem|key|p12|pfx|jks|keystore|kdbx|sqlite3?|db)|(?:^|/)(?:\.env(?:\..+)?|\.netrc|\.npmrc|\.pypirc|id_(?:rsa|dsa|ecdsa|ed25519)))$"
)

# "file: pattern": the reason, such as the RFC whose published example it is.
KNOWN: dict[str, str] = {}

_LONG = (string.ascii_letters + string.digits)[:62]
SAMPLES = {
    "PEM block": "-" * 5 + "BEGIN PRIVATE KEY" + "-" * 5,
    "PuTTY key": "PuTTY-User-Key-File" + "-3: ssh-ed25519",
    "private JWK": '{"kty": "EC", ' + f'"d": "{_LONG[:43]}"' + "}",
    "age key": "AGE-SECRET-KEY-" + "1" + "Q" * 58,
    "AWS key": "AKIA" + "Q" * 16,
    "GitHub token": "ghp" + "_" + _LONG[:36],
    "GitLab token": "glpat" + "-" + _LONG[:20],
    "Google key": "AIza" + _LONG[:35],
    "Slack token": "xoxb" + "-" + _LONG[:20],
    "Stripe key": "sk" + "_live_" + _LONG[:24],
    "npm or PyPI token": "npm" + "_" + _LONG[:36],
}


def secrets_in(text: str) -> list[str]:
    """Return the kinds of secret that `text` seems to contain."""
    return [kind for kind, pattern in PATTERNS.items() if re.search(pattern, text)]


@pytest.mark.parametrize("kind", PATTERNS)
def test_the_scan_sees(kind: str) -> None:
    """Every pattern finds what it is for."""
    assert secrets_in(f"x = {SAMPLES[kind]!s}\n") == [kind]


def test_no_file_contains_a_secret() -> None:
    """Keys are generated, never committed."""
    found = {
        f"{path.relative_to(ROOT)}: {kind}"
        for path in project_files()
        for kind in secrets_in(path.read_bytes().decode(errors="replace"))
    }
    assert found == set(KNOWN)


def test_no_file_is_named_like_a_secret() -> None:
    """Key files, databases and environments stay out of the tree."""
    names = [path.relative_to(ROOT).as_posix() for path in project_files()]
    assert [name for name in names if SECRET_FILES.search(name)] == []
