"""Every mail of the whole engine can be sent, read and translated."""

import re
from datetime import timedelta
from functools import partial
from html.parser import HTMLParser
from pathlib import Path

import pytest

from ostiary.core.mail import sources
from ostiary.core.mail.compose import Composer
from ostiary.core.mail.language import available
from ostiary.core.mail.settings import MailSettings
from ostiary.core.mail.sources import HTML, SUFFIXES, TEXT
from ostiary.engine.features import RIBS
from ostiary.engine.wire import mails
from ostiary.kernel.errors import Misuse
from ostiary.kernel.settings import Settings
from ostiary.kernel.world import World
from ostiary.testing import running
from tests.core.signin.stage import changed
from tests.pages.reading import read

MAILS = {f"{rib}/{mail.name}": mail for rib, declared in mails(RIBS).items() for mail in declared}
SOURCES = sources.read(MAILS, None, ())
_CODE = re.compile(r"{#.*?#}|{%.*?%}|{{.*?}}", re.DOTALL)
_ROUND = pytest.mark.parametrize("contact", [None, "help@example.com"])


def composer(contact: str | None = None, recover_url: str = "") -> Composer:
    """Return the composer of an engine with every rib."""
    given = {"mail_from": "no-reply@example.com", "support_contact": contact, "site_name": "Acme & Söhne"}
    settings = Settings([MailSettings], given).of(MailSettings)
    return Composer(World(), settings, mails(RIBS), "https://auth.example.com", recover_url)


@_ROUND
@pytest.mark.parametrize("recover_url", ["", "https://auth.example.com/recover"])
@pytest.mark.parametrize("language", available())
@pytest.mark.parametrize("path", MAILS)
def test_every_mail_renders(path: str, language: str, recover_url: str, contact: str | None) -> None:
    """With its example, in every language: well-formed HTML that says its language, and text without any markup."""
    said = composer(contact, recover_url).preview(MAILS[path].name, language)
    page = read(said.html)
    assert page.one("html").attributes["lang"] == language
    assert page.one("h1").text == said.subject
    assert "Acme & Söhne" in page.text
    assert len(said.subject.splitlines()) == 1
    for plain in (said.subject, said.text):
        assert not re.search(r"</?[a-z]+[\s>]|&[a-z]+;|&#\d+;|{[{%#]|[%#}]}|%\(", plain), plain
    assert not re.search(r"{[{%#]|[%#}]}|%\(", page.text), page.text
    assert max(len(line) for line in said.text.splitlines() if "://" not in line) <= 76
    assert not re.search(r"\n{4,}|[ \t]\n(?!-- )", said.text.replace("\n-- \n", "\n--\n")), said.text


@pytest.mark.parametrize("path", MAILS)
def test_both_forms_show_the_same(path: str) -> None:
    """Every link of the HTML stands in the text, and neither loads anything from elsewhere."""
    said = composer("help@example.com", "https://auth.example.com/recover").preview(MAILS[path].name, "en")
    page = read(said.html)
    links = {link.attributes["href"] for link in page.all("a")}
    assert {link for link in links if link not in said.text} == set()
    assert not any(word in said.html for word in ("src=", "url(", "@import", "<link", "<script"))
    assert "prefers-color-scheme: dark" in said.html


@pytest.mark.parametrize("path", MAILS)
def test_every_example_is_used(path: str) -> None:
    """What a mail declares for its templates, one of its own templates shows or asks about."""
    words = "".join(SOURCES.ours[f"{path}{suffix}"].text for suffix in SUFFIXES)
    assert [name for name in MAILS[path].example if not re.search(rf"\b{name}\b", words)] == []


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.words = ""
        self._is_style = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._is_style = tag == "style"
        self.words += "".join(f" {value}" for name, value in attrs if name in {"title", "alt", "aria-label"})

    def handle_endtag(self, tag: str) -> None:
        self._is_style = False

    def handle_data(self, data: str) -> None:
        self.words += "" if self._is_style else data


def bare_words(name: str, text: str) -> str:
    """Return what a template says outside of messages."""
    text = _CODE.sub(" ", text)
    if name.endswith(HTML):
        reader = _Text()
        reader.feed(text)
        text = reader.words
    return " ".join(re.findall(r"[^\W\d_]{2,}", text))


@pytest.mark.parametrize("name", SOURCES.ours)
def test_every_word_can_be_translated(name: str) -> None:
    """Templates say nothing outside of `_()` and `ngettext()`; paths of our own pages are no language."""
    assert bare_words(name, SOURCES.ours[name].text.replace("{{ base_url }}/login", "")) == ""


def test_a_bare_word_is_seen() -> None:
    """The test above can fail, in text, in HTML and in what screen readers read."""
    assert bare_words(f"x{TEXT}", '{{ _("Fine") }} Hello {{ name }}!') == "Hello"
    assert (
        bare_words(f"x{HTML}", '<p style="margin:0">{# no #}Hello</p><a title="You" href="/x">')
        == "Hello You"
    )


async def test_a_mail_with_a_lifetime_says_until_when(tmp_path: Path) -> None:
    """Who sends a link or code without `expires_at` hears of it at once: operators would send it again too late."""
    perishable = [mail for mail in MAILS.values() if any(name.endswith("_lifetime") for name in mail.example)]
    assert {"verify_email", "reset_password", "magic_link", "email_code"} <= {
        mail.name for mail in perishable
    }
    async with running(tmp_path) as kit:
        post = kit.engine.core.post
        for mail in perishable:
            send = partial(
                post.send, template=mail.name, to="anna@example.com", context=mail.example, language="en"
            )
            with pytest.raises(Misuse, match="expires_at"):
                await changed(kit, send)
            await changed(kit, partial(send, expires_at=kit.clock.now() + timedelta(hours=1)))
            assert (await kit.mail_to("anna@example.com"))["subject"]
