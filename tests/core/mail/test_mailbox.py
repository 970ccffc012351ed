"""The development mailbox keeps mails for people and tests to look at, and only for the owner of the file."""

from pathlib import Path

from ostiary.core.mail.mailbox import Mailbox
from tests.core.mail.test_compose import greet


async def test_it_keeps_what_was_sent(tmp_path: Path) -> None:
    """Recipient, subject, both parts, links and time, the newest last; also after a restart."""
    path = tmp_path / "mailbox.jsonl"
    said: list[str] = []
    mailbox = Mailbox(path, echo=said.append)
    await mailbox.deliver(greet("Alice"))
    await mailbox.deliver(greet("Bob", to="bob@example.org"))
    first, second = mailbox.messages()
    assert set(first) == {"id", "to", "subject", "language", "text", "html", "links", "at"}
    assert (first["to"], second["to"]) == ("alice@example.org", "bob@example.org")
    assert first["links"] == ["https://id.example.org/go?token=abc&x=1"]
    assert said[1] == "mail to bob@example.org: Hello Bob\n  https://id.example.org/go?token=abc&x=1"
    assert path.stat().st_mode & 0o777 == 0o600
    assert Mailbox(path).messages() == [first, second]
    assert path.stat().st_mode & 0o777 == 0o600


async def test_a_torn_line_harms_nobody(tmp_path: Path) -> None:
    """A crash while writing costs at most the mail that was being written."""
    path = tmp_path / "mailbox.jsonl"
    mailbox = Mailbox(path)
    await mailbox.deliver(greet("Alice"))
    with path.open("ab") as file:
        file.write(b'{"to": "bob@exa')
    again = Mailbox(path)
    await again.deliver(greet("Carol"))
    assert [mail["subject"] for mail in Mailbox(path).messages()] == ["Hello Alice", "Hello Carol"]


async def test_memory_is_bounded() -> None:
    """The oldest of more than a thousand mails are forgotten."""
    mailbox = Mailbox()
    mail = greet()
    for _ in range(1003):
        await mailbox.deliver(mail)
    assert len(mailbox.messages()) == 1000
