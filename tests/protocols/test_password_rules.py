"""The rules for new passwords: tables of what is accepted, what is refused, and with which codes."""

import runpy
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostiary.protocols.password_rules import PasswordRules, Preset, is_too_long, normalise, preset, violations
from ostiary.protocols.password_words import common_passwords, is_common

ROOT = Path(__file__).resolve().parents[2]
DEFAULT = preset("default")
NIST = preset("nist63b4")
NIST_WITH_FACTOR = preset("nist63b4", second_factor_enforced=True)
CONTEXT = ("anna.berg@acme.example", "Anna Berg", "Ostiary")
ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=300)


def wide(text: str) -> str:
    """ASCII in its full-width form, which compatibility folding maps back."""
    return "".join(chr(ord(c) + 0xFEE0) for c in text)


def codes(password: str, rules: PasswordRules = DEFAULT, context: tuple[str, ...] = ()) -> list[str]:
    return [violation.code for violation in violations(password, rules, context)]


@pytest.mark.parametrize(
    ("rules", "password", "expected"),
    [
        (NIST, "tqzvmbwkxplrdg", ["password_too_short"]),
        (NIST, "tqzvmbwkxplrdgf", []),
        (NIST_WITH_FACTOR, "tqzvmbw", ["password_too_short"]),
        (NIST_WITH_FACTOR, "tqzvmbwk", []),
        (NIST, "zqtvmbwkxplrd🦉", ["password_too_short"]),
        (NIST, "tqzvmbwkxplrdg🦉", []),
        (NIST, "tqzvmbwkxplrgze\u0301", []),
        (NIST, "tqzvmbwkxplre\u0301", ["password_too_short"]),
        (preset("default"), "tqzvmbwkxpl", ["password_too_short"]),
        (preset("default"), "tqzvmbwkxplr", []),
    ],
)
def test_length_counts_code_points_after_nfc(
    rules: PasswordRules, password: str, expected: list[str]
) -> None:
    """S-A1: 14 refused and 15 accepted, 7 and 8 under an enforced second factor, one emoji counts one."""
    assert codes(password, rules) == expected


@pytest.mark.parametrize(
    "password",
    [
        "ovwlkzmbqyetprx",
        "839201748562930",
        "VWQKZMXPLTRDGBH",
        "  leading and trailing  ",
        "пароль из слов и неба",
        "正しい馬の電池のホチキスと青い空と海",
        r"""~"#|%&`(\*)!-.$:/<;>?=[@]^+{_}'""",
        "ß𝔘ñîçø∂é ağaç güneş",
    ],
)
def test_any_printable_character_will_do(password: str) -> None:
    """S-A2: ASCII, spaces, any script, all lower case and all digits are accepted."""
    assert codes(password, NIST) == []


def test_every_printable_ascii_character_is_accepted() -> None:
    """S-A2: no printable ASCII character is refused."""
    assert all(codes(f"vkq{chr(c)}zmwtx bplr dg", NIST) == [] for c in range(0x20, 0x7F))


@pytest.mark.parametrize("bad", ["\0", "\n", "\x1b", "\x7f", "\x85", chr(0xD800), chr(0xDFFF)])
def test_control_characters_and_lone_surrogates_are_refused(bad: str) -> None:
    """What cannot be typed again or encoded is no password."""
    assert codes(f"tqzvmbwk{bad}xplrdgf") == ["password_invalid_characters"]


@pytest.mark.parametrize(
    ("name", "least", "composed"),
    [("default", 12, False), ("nist63b4", 15, False), ("composition8", 8, True), ("composition12", 12, True)],
)
def test_presets(name: Preset, least: int, composed: bool) -> None:
    """Each preset asks for what its documentation says."""
    rules = preset(name)
    required = {rules.require_upper, rules.require_lower, rules.require_digit, rules.require_symbol}
    assert (rules.min_length, rules.max_length, required) == (least, 128, {composed})


def test_only_nist_is_shorter_with_a_second_factor() -> None:
    """An enforced second factor shortens `nist63b4` to 8 and changes no other preset."""
    assert NIST_WITH_FACTOR.min_length == 8
    assert preset("default", second_factor_enforced=True) == preset("default")


@pytest.mark.parametrize(
    ("password", "expected"),
    [
        ("vkqzmwtx", ["password_needs_upper", "password_needs_digit", "password_needs_symbol"]),
        ("VKQZMWTX", ["password_needs_lower", "password_needs_digit", "password_needs_symbol"]),
        ("Vkqzmw7!", []),
        ("Vkqzmw7 ", []),
        ("Ükqzmw\u0667€", []),
        ("83920174", ["password_needs_upper", "password_needs_lower", "password_needs_symbol"]),
    ],
)
def test_composition(password: str, expected: list[str]) -> None:
    """Composition rules know letters and digits of every script, and a space as a symbol."""
    assert codes(password, preset("composition8")) == expected


def test_all_violations_at_once() -> None:
    """One answer lists every rule that is broken, each once and with its own code."""
    found = codes("anna\0", preset("composition12"), CONTEXT)
    assert found == [
        "password_too_short",
        "password_invalid_characters",
        "password_needs_upper",
        "password_needs_digit",
        "password_needs_symbol",
        "password_contains_context",
    ]
    assert codes("1" * 129, preset("composition8")) == [
        "password_too_long",
        "password_needs_upper",
        "password_needs_lower",
        "password_needs_symbol",
        "password_common",
    ]


@pytest.mark.parametrize(
    "password",
    [
        "qwertyuiop12",
        "1qaz2wsx3edc",
        "password1234",
        "P@ssw0rd2024!",
        "p4ssw0rd!!!!",
        "Summer2025!!!",
        "iloveyousomuch",
        "password1password1",
        "zzzzzzzzzzzz",
        "abcabcabcabc",
        "abcdefghijkl",
        "123456789012",
        "112233445566",
        "987654321098",
        wide("password1234"),
        "Administrator1",
    ],
)
def test_common_passwords_are_refused(password: str) -> None:
    """S-A6: common passwords are refused as wholes, also in another case, spelling or with marks at the ends."""
    assert codes(password) == ["password_common"]


def test_blocklist_can_be_switched_off() -> None:
    """The blocklist and the context are one rule that can be turned off."""
    assert codes("password1234", PasswordRules(blocklist=False), ("password",)) == []


@pytest.mark.parametrize(
    "password",
    [
        "anna.berg@acme.example",
        "anna.berg1234",
        "AnnaBerg2024!",
        "bergannaberg",
        "4nn4b3rg2024",
        "Anna_Berg_84!",
        "ostiary12345",
        "Ostiary-Kx7!",
        "acmeacmeacme",
        "yraitsoyraitso",
        "annapassword123",
        "a.n.n.a.b.e.r.g",
        wide("ANNABERG1234"),
    ],
)
def test_words_of_the_context_are_refused(password: str) -> None:
    """S-A6: what is made of address, name or site is refused, and derivatives of it too."""
    assert "password_contains_context" in codes(password, PasswordRules(), CONTEXT)


@pytest.mark.parametrize(
    "password",
    [
        "my annual bergamot is 17 metres",
        "savanna is wide and the grass high",
        "annavkqzmwtxplrd",
        "acmevkq7zmwtx",
        "iceberg lettuce on a red bicycle",
    ],
)
def test_a_passphrase_may_contain_a_name(password: str) -> None:
    """A word of the context inside a password that does not live on it refuses nothing."""
    assert codes(password, PasswordRules(), CONTEXT) == []


def test_short_and_empty_facts_are_no_context() -> None:
    """A name of one or two letters, or none, forbids nothing."""
    assert codes("liliputanisland", PasswordRules(), ("Li", "", "@", "x@y.z")) == []


def test_words_of_the_site_come_with_the_rules() -> None:
    """`context_words` hold for every account."""
    assert codes("Fjordbank2024!", PasswordRules(context_words=("Fjordbank",))) == [
        "password_contains_context"
    ]


@given(ANY_TEXT)
def test_rules_are_total_and_messages_repeat_nothing(password: str) -> None:
    """Whatever is typed, the rules answer, once per code, with messages known beforehand."""
    found = violations(password, preset("composition12"), CONTEXT)
    assert len({violation.code for violation in found}) == len(found)
    assert len({violation.message for violation in found}) == len(found)


@given(st.text(st.sampled_from("e\u0301\u0323\u1100\u1161\u11a8ᾧω\u0314\u0342\u0345a"), max_size=120))
def test_too_long_agrees_with_counting(password: str) -> None:
    """The short cut for long texts never refuses what counting after NFC would accept."""
    assert is_too_long(password, 16) == (len(normalise(password)) > 16)


def test_normal_form_keeps_everything_else() -> None:
    """S-A4: NFC and nothing more: no trimming, no case folding, no compatibility form, no cutting off."""
    assert normalise(" \uff21bC ﬁ e\u0301 " + "x" * 500) == " \uff21bC ﬁ é " + "x" * 500


def test_blocklist_is_what_the_generator_writes() -> None:
    """The shipped list is generated from patterns in the repository, and nobody edited it by hand."""
    made = runpy.run_path(str(ROOT / "tools" / "generate_blocklist.py"))
    assert made["TARGET"].read_text(encoding="ascii") == made["render"]()
    assert made["TARGET"].stat().st_size < 600_000


def test_blocklist_is_long_enough_to_matter() -> None:
    """S-A6: at least 3000 entries meet the length that each preset asks for, folded and none shorter than 8."""
    listed = common_passwords()
    assert all(len(entry) >= 8 and entry == entry.casefold() for entry in listed)
    assert all(sum(len(entry) >= least for entry in listed) >= 3000 for least in (8, 12, 15))


@pytest.mark.parametrize("password", ["", "a", "é", "\ud800", "\0" * 7])
def test_short_texts_are_no_patterns_by_accident(password: str) -> None:
    """The pattern check takes any text, also an empty one."""
    assert is_common(password) in (True, False)
