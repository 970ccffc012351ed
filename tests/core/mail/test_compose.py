"""A mail is made of trusted templates and untrusted words, and the words stay words."""

from collections.abc import Mapping
from email import message_from_bytes
from email.policy import SMTP, default
from typing import Any

import pytest

from ostiary.core.mail.compose import Composed, Composer
from ostiary.core.mail.settings import MailSettings
from ostiary.core.mail.template import MAILS, MailTemplate
from ostiary.core.mail.words import one_line, person
from ostiary.core.outbox.outbox import Permanent
from ostiary.kernel.errors import Misuse
from ostiary.kernel.settings import Settings
from ostiary.kernel.world import World
from ostiary.testing.clock import TurnedClock

GREETING = MailTemplate(
    "greeting",
    "tests.core.mail",
    "For tests.",
    {"name": "Alice", "link": "https://id.example.org/go", "note": "Hi"},
)
HOSTILE = '<script>alert(1)</script><img src=x onerror="x">'


def composer(**settings: object) -> Composer:
    """Return a composer with the core's templates and one of the tests'."""
    built = Settings([MailSettings], {"mail_from": "Example <no-reply@example.org>", **settings})
    return Composer(
        World(TurnedClock()),
        built.of(MailSettings),
        {"core": MAILS, "tests": (GREETING,)},
        "https://id.example.org/",
        "https://id.example.org/recover",
    )


def greet(name: str = "Alice", to: str = "alice@example.org", note: str = "", **settings: object) -> Composed:
    """Compose the tests' mail."""
    context = {"name": name, "link": "https://id.example.org/go?token=abc&x=1", "note": note}
    return composer(**settings).compose("greeting", to, context, "01hx")


def test_a_mail_has_what_a_mail_needs() -> None:
    """Both parts, the headers that stop automatic answers, and a Message-ID of the sender's domain."""
    mail = greet()
    parsed = message_from_bytes(mail.message.as_bytes(policy=SMTP), policy=default)
    assert parsed["From"] == "Example <no-reply@example.org>"
    assert parsed["To"] == "alice@example.org"
    assert parsed["Message-ID"] == "<01hx@example.org>"
    assert parsed["Auto-Submitted"] == "auto-generated"
    assert parsed["Date"].datetime.tzinfo is not None
    assert [part.get_content_type() for part in parsed.walk()] == [
        "multipart/alternative", "text/plain", "text/html",
    ]  # fmt: skip
    plain = parsed.get_body(("plain",))
    assert plain is not None
    assert plain.get_content().replace("\r\n", "\n") == mail.text
    assert mail.links == ("https://id.example.org/go?token=abc&x=1",)
    assert 'href="https://id.example.org/go?token=abc&amp;x=1"' in mail.html


def test_answers_go_where_they_are_read() -> None:
    """With `mail_reply_to` the header says so, and the mail no longer says that nobody reads answers."""
    silent = greet()
    assert "Reply-To" not in silent.message
    assert "answers to it are not read" in silent.html
    open_ = greet(mail_reply_to="Help Desk <help@example.org>")
    assert open_.message["Reply-To"] == "Help Desk <help@example.org>"
    assert "answers to it" not in open_.html


def test_a_hostile_name_stays_text() -> None:
    """What a user typed is escaped in HTML and left alone in text.  # L26"""
    mail = greet(note=HOSTILE)
    assert "<script" not in mail.html
    assert "<img src=x" not in mail.html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in mail.html
    assert HOSTILE in mail.text


@pytest.mark.parametrize(
    "attack",
    [
        "x\r\nBcc: eve@evil.test",
        "x\nBcc: eve@evil.test",
        "x\rBcc: eve@evil.test",
        "x\u2028Bcc: eve@evil.test",
        "x\x85Bcc: eve@evil.test",
        "x\x0b\x0cBcc: eve@evil.test",
        "x\x00\r\n\r\n<h1>body</h1>",
        "=?utf-8?q?x=0D=0ABcc=3A_eve=40evil.test?=",
        "=?utf-8?b?eA0KQmNjOiBldmVAZXZpbC50ZXN0?=",
        "= ?=\r\n?utf-8?q?x=0D=0ABcc=3A_eve=40evil.test?=",
    ],
)
def test_a_subject_is_one_header(attack: str) -> None:
    """No line break, of any script or encoding, in a name leads to another header.  # header injection"""
    mail = composer().compose(
        "greeting", "alice@example.org", {"name": "A", "link": "l", "note": attack}, "1"
    )
    parsed = message_from_bytes(mail.message.as_bytes(policy=SMTP), policy=default)
    assert len(mail.subject.splitlines()) == 1
    assert parsed["Bcc"] is None
    assert "Bcc" not in parsed
    assert parsed["To"] == "alice@example.org"
    assert sorted(parsed.keys()) == sorted(set(parsed.keys()))


@pytest.mark.parametrize(
    "to",
    [
        "", "alice", "@example.org", "alice@", "a@b@c.test", "alice@example.org,eve@evil.test",
        "alice@example.org\r\nBcc: eve@evil.test", "alice@example.org\n", "<alice@example.org>",
        "Alice <alice@example.org>", '"a b"@example.org', "alice@exa mple.org", "alice@example.org>",
        "alice@[127.0.0.1]", "a..b@example.org", ".a@example.org", "a@-\u202e.org", "x" * 65 + "@example.org",
        "a@" + "x" * 64 + ".org", "a@" + "x." * 130 + "org", "a@example..org", "group:a@example.org;",
        "\u200balice\u2028@example.org", "=?utf-8?q?x=0D=0ABcc=3Aeve?=@example.org",
    ],
)  # fmt: skip
def test_a_recipient_is_exactly_one_plain_address(to: str) -> None:
    """Anything else is refused for good, and the message does not repeat it."""
    with pytest.raises(Permanent) as refused:
        greet(to=to)
    assert not to or to not in str(refused.value)


def test_international_addresses() -> None:
    """A domain goes out in ASCII, a local part as it is."""
    mail = greet(to="jörg@münchen.example")
    assert mail.to == "jörg@xn--mnchen-3ya.example"
    assert greet(to="Alice@EXAMPLE.org").to == "Alice@example.org"


def test_a_missing_value_is_a_defect() -> None:
    """A template that asks for what the context lacks fails instead of sending a hole."""
    with pytest.raises(Exception, match="'name' is undefined"):
        composer().compose("greeting", "alice@example.org", {}, "1")


def test_unknown_and_broken_declarations_are_told_at_start() -> None:
    """A missing file, a name twice, a name that nobody declared: `Misuse` that names it."""
    with pytest.raises(Misuse, match="no mail template 'nothing'"):
        composer().compose("nothing", "alice@example.org", {}, "1")
    world, settings = World(), MailSettings()
    with pytest.raises(Misuse, match=r"has no mail/absent\.subject\.txt"):
        Composer(world, settings, {"tests": [MailTemplate("absent", "tests.core.mail", "", {})]})
    with pytest.raises(Misuse, match="taken"):
        Composer(world, settings, {"tests": [GREETING], "more": [GREETING]})


def test_long_lines_of_text_are_broken_at_spaces() -> None:
    """A paragraph is one line in its template, and none of its lines is longer than 76 characters unless it must be."""
    link = "https://id.example.org/" + "x" * 90
    mail = composer().compose(
        "greeting", "alice@example.org", {"name": "A", "link": link, "note": "  " + "seven77 " * 30}, "1"
    )
    assert link in mail.text.splitlines()
    others = [line for line in mail.text.splitlines() if line != link]
    assert max(map(len, others)) <= 76
    assert mail.text.count("seven77") == 30
    assert mail.links == (link,)


@pytest.mark.parametrize(
    ("template", "example"), [(mail.name, mail.example) for mail in MAILS if "at" in mail.example]
)
def test_the_cores_own_mails(template: str, example: Mapping[str, Any]) -> None:
    """They say when, from where and what to do, load nothing from elsewhere, and read well in the dark."""
    context = {
        **example,
        "at": "2026-11-21T00:05:00+00:00",
        "ip": "203.0.113.7",
        "device": "Firefox on Windows",
    }
    mail = composer(support_contact="help@example.org").compose(template, "alice@example.org", context, "1")
    for part in (mail.text, mail.html):
        assert "21 November 2026, 00:05 UTC" in part
        assert "203.0.113.7" in part
        assert "Firefox on Windows" in part
        assert "https://id.example.org/recover" in part
        assert "help@example.org" in part
    assert mail.links == ("https://id.example.org/recover",)
    assert "prefers-color-scheme: dark" in mail.html
    assert not any(word in mail.html for word in ("src=", "url(", "@import", "<link", "<script"))
    bare = composer().compose(template, "alice@example.org", {**context, "ip": "", "device": ""}, "1")
    assert "From" not in bare.text
    assert "Device" not in bare.html


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("Alice", "Alice"), ("Jean-Luc O’Neill Jr.", "Jean-Luc O’Neill Jr."), ("李小龍", "李小龍"), (None, ""),
        ("win at evil.test", ""), ("https://evil.test", ""), ("www.evil.test/x", ""), ("call 1@2", ""),
        ("a\r\nb", "a b"), ("x" * 61, ""), (" Dr. Who ", "Dr. Who"),
    ],
)  # fmt: skip
def test_a_name_cannot_become_a_link(given: str | None, shown: str) -> None:
    """Whoever registers somebody else's address cannot make our mail carry his advertisement."""
    assert person(given) == shown


def test_a_line_is_one_line() -> None:
    """Every kind of break and control character becomes a space, and the length has a limit."""
    assert one_line("a\u2029b\tc   d", 5) == "a b c"


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"smtp_host": "mail.example.org"}, "mail_from"),
        ({"mail_from": "nobody"}, "mail_from"),
        ({"mail_from": "a@example.org, b@example.org"}, "mail_from"),
        ({"mail_from": "=?utf-8?q?x=0D=0AX=3Ay?= <a@example.org>"}, "mail_from"),
        ({"smtp_user": "x"}, "smtp_password"),
        ({"smtp_port": 0}, "smtp_port"),
        ({"site_name": "a\nBcc: x"}, "site_name"),
        ({"mail_from": "a@b.test", "smtp_host": "10.0.0.1", "smtp_security": "none"}, "smtp_security"),
        (
            {"mail_from": "a@b.test", "smtp_host": "localhost.evil.test", "smtp_security": "none"},
            "smtp_security",
        ),
        ({"mail_templates": "/nowhere/at/all"}, "mail_templates"),
        ({"mail_from": "a@b.test", "smtp_host": "relay", "smtp_security": "opportunistic"}, "smtp_security"),
        (
            {
                "mail_from": "a@b.test",
                "smtp_host": "relay",
                "smtp_security": "none",
                "smtp_clear_text_ok": "yes",
                "smtp_user": "u",
                "smtp_password": "p",
            },
            "smtp_security: .*smtp_password as clear text",
        ),
        ({"smtp_helo_name": "two words"}, "smtp_helo_name"),
        ({"smtp_helo_name": "mail.test\r\nMAIL FROM:<eve@evil.test>"}, "smtp_helo_name"),
        ({"mail_reply_to": "nobody"}, "mail_reply_to"),
        ({"mail_reply_to": "jörg@example.org"}, "mail_reply_to"),
        ({"mail_reply_to": "a@example.org\r\nBcc: eve@evil.test"}, "mail_reply_to"),
    ],
)
def test_settings_that_cannot_work_are_refused(given: dict[str, object], complaint: str) -> None:
    """Each mistake is named at start."""
    with pytest.raises(Misuse, match=complaint):
        Settings([MailSettings], given)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1"])
def test_clear_text_is_for_this_machine(host: str) -> None:
    """Or for networks the operator vouches for."""
    given = {"mail_from": "a@b.test", "smtp_security": "none"}
    assert Settings([MailSettings], {**given, "smtp_host": host}).of(MailSettings).port == 25
    Settings([MailSettings], {**given, "smtp_host": "relay", "smtp_clear_text_ok": "yes"})


def test_ports_follow_the_security() -> None:
    """587, 465 and 25, unless given."""
    assert MailSettings().port == 587
    assert MailSettings(smtp_security="tls").port == 465
    assert MailSettings(smtp_port=2525).port == 2525
    assert str(MailSettings(site_name="Acme, Inc.").sender) == '"Acme, Inc." <no-reply@localhost>'
