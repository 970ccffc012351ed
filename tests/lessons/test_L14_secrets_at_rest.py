"""Elsewhere session and reset tokens lay in clear text in the database: whoever read a backup could sign in (L14).

The same check runs after every test that uses the `kit` fixture; here its canaries are known one by one.
"""

import hashlib
import logging
from collections.abc import AsyncIterator, Callable
from email.message import EmailMessage
from pathlib import Path

import pytest
import sqlalchemy as sa

from ostiary.core.journal.store import journal
from ostiary.core.mail.compose import Composed
from ostiary.engine.settings import EngineSettings
from ostiary.storage.statement import command
from ostiary.testing import Kit, running
from tests.features.password.stage import link
from tests.support.secrets import Secrets, Watch, dump_of, nothing_leaks

PASSWORD = "canary of the first lighthouse 11"
SECOND = "canary of the second lighthouse 22"
TYPO = "canary of the mistyped lighthouse 33"
THIRD = "canary of the fourth lighthouse 44"
FOURTH = "canary of the fifth lighthouse 55"
OURS = ("ostiary", "uvicorn", "fastapi", "asyncpg", "aiosmtplib", "sqlalchemy", "alembic")


async def test_a_journey_with_known_canaries_leaves_none_behind(
    kit: Kit, caplog: pytest.LogCaptureFixture
) -> None:
    """Passwords right and wrong, cookies, links, codes, root secret and keys: none is in database, log or mails."""
    caplog.set_level(logging.DEBUG)
    canaries = await _journey(kit)
    issued = Secrets()
    for value in canaries:
        issued.add_code(value, value) if len(value) == 6 else issued.add(value, value)
    ring = kit.engine.core.ring._by_id.values()
    assert len(ring) >= 5
    for key in ring:
        issued.add(key.secret.reveal_bytes(), "key")
    engine = kit.engine.settings.of(EngineSettings)
    assert engine.root_secret is not None
    issued.add(engine.root_secret.reveal(), "root secret")

    dump = dump_of(engine.database)
    assert b"anna@example.com" in dump, "the dump is empty"
    assert issued.found_in(dump) == []
    log = "\n".join(record.getMessage() for record in caplog.records if record.name.startswith(OURS))
    assert issued.found_in(log.encode()) == []
    mails = "\n".join(mail["subject"] + mail["text"] + mail["html"] for mail in kit.mailbox.messages())
    typed = Secrets()
    for password in (PASSWORD, SECOND, TYPO, THIRD, FOURTH):
        typed.add(password, password)
    assert typed.found_in(mails.encode()) == []


async def _journey(kit: Kit) -> set[str]:
    """Use everything that there is; return every secret that was typed or given out."""
    browser = await kit.signed_up("anna@example.com", PASSWORD)
    canaries = {PASSWORD, SECOND, TYPO, *await kit.verification("anna@example.com")}
    # Waiting for their proof: an address registered twice, and one that asked for another mail.
    for password in (PASSWORD, SECOND):
        await browser.post("/auth/register", json={"email": "bert@example.com", "password": password})
        canaries |= {*await kit.verification("bert@example.com", count=1 if password == PASSWORD else 2)}
    await browser.post("/auth/email/resend", json={"email": "bert@example.com"})
    canaries |= {*await kit.verification("bert@example.com", count=3)}
    await browser.post("/auth/register", json={"email": "anna@example.com", "password": SECOND})
    wrong = await browser.post("/auth/login", json={"identifier": "anna@example.com", "password": TYPO})
    assert wrong.status_code == 401
    for remember in (False, True):
        answer = await browser.post(
            "/auth/login",
            json={"identifier": "anna@example.com", "password": PASSWORD, "remember": remember},
        )
        assert answer.status_code == 200
        canaries |= {value.rpartition(".")[2] for value in browser.cookies.values()}
    assert (await browser.get("/auth/session")).status_code == 200
    # A password changed, and changed again by a link.
    body = {"current_password": PASSWORD, "new_password": THIRD}
    assert (await browser.post("/auth/password/change", json=body)).status_code == 200
    canaries |= {THIRD, *(value.rpartition(".")[2] for value in browser.cookies.values())}
    token = await link(kit, "anna@example.com")
    reset = await kit.browser().post("/auth/password/reset", json={"token": token, "new_password": FOURTH})
    assert reset.status_code == 200
    return canaries | {token, FOURTH}


async def test_the_watch_sees_every_kind_of_secret(kit: Kit) -> None:
    """What the check after every test looks for are all kinds of secrets that there are, not a few of them."""
    with nothing_leaks(kit) as watch:
        await _journey(kit)
    kinds = {origin.partition(" ")[0] for origin in watch.issued.origins | watch.rest.origins}
    assert kinds == {"password", "new_password", "cookie", "link", "code", "root", "key"}
    assert {
        "cookie __Host-ostiary",
        "cookie __Host-ostiary-csrf",
        "password typed at /auth/register",
    } <= watch.issued.origins


_PLANT = command(
    "test.plant", sa.insert(journal).values(**{c.name: sa.bindparam(c.name) for c in journal.columns})
)


async def _plant(kit: Kit, words: str) -> None:
    async with kit.engine.core.database.transaction() as tx:
        await tx.run(
            _PLANT, id=kit.engine.core.world.id(), at=1, type="test", severity="info", account_id=None, ip="",
            user_agent="", request_id="", data=words,
        )  # fmt: skip


def _plain(value: str) -> str:
    return f"reset for {value}"


def _hex(value: str) -> str:
    return value.encode().hex()


@pytest.fixture
async def watched(database_url: str, tmp_path: Path) -> AsyncIterator[tuple[Kit, Watch]]:
    """A kit that may show secrets: the check of the `kit` fixture is not run on it."""
    async with running(tmp_path, database=database_url) as kit:
        watch = Watch(kit)
        yield kit, watch
        watch.close()


@pytest.mark.parametrize(
    ("kind", "disguise"),
    [(kind, _plain) for kind in ("password", "cookie", "link", "code")] + [("cookie", _hex), ("link", _hex)],
)
async def test_a_secret_in_the_database_is_found(
    watched: tuple[Kit, Watch], kind: str, disguise: Callable[[str], str]
) -> None:
    """The check fails for a password, a session secret, a link or a code that somebody wrote down."""
    kit, watch = watched
    browser = await kit.signed_in("anna@example.com", PASSWORD)
    token, code = await kit.verification("anna@example.com")
    cookie = browser.cookies["__Host-ostiary"].rpartition(".")[2]
    value = {"password": PASSWORD, "cookie": cookie, "link": token, "code": code}[kind]
    watch.judge()
    await _plant(kit, disguise(value))
    with pytest.raises(AssertionError, match="the database shows") as complaint:
        watch.judge()
    words = str(complaint.value).splitlines()[0]
    assert kind in words
    assert value not in words, "the complaint itself tells the secret"


async def test_a_password_in_a_log_is_found(watched: tuple[Kit, Watch]) -> None:
    """The check fails for a password that is logged."""
    kit, watch = watched
    await kit.signed_up("anna@example.com", PASSWORD)
    logging.getLogger("ostiary.somewhere").warning("tried %s", PASSWORD)
    with pytest.raises(AssertionError, match="the log shows"):
        watch.judge()


async def test_a_password_in_a_mail_is_found(watched: tuple[Kit, Watch]) -> None:
    """The check fails for a password that is mailed."""
    kit, watch = watched
    await kit.signed_up("anna@example.com", PASSWORD)
    await kit.mailbox.deliver(
        Composed(
            "1",
            "someone@example.com",
            "x@z.test",
            "en",
            "Hello",
            PASSWORD,
            "",
            (),
            kit.clock.now(),
            EmailMessage(),
        )
    )
    with pytest.raises(AssertionError, match="a mail shows"):
        watch.judge()


def test_a_hash_is_no_secret() -> None:
    """What is kept, the SHA-256 of a token, is not mistaken for the token."""
    issued = Secrets()
    issued.add("Zm9vYmFyYmF6cXV4cXV1eGNvcmdlZ3JhdWx0Z2FycGw", "link token")
    assert issued.found_in(hashlib.sha256(b"Zm9vYmFyYmF6cXV4cXV1eGNvcmdlZ3JhdWx0Z2FycGw").digest()) == []
    assert issued.found_in(b"foobarbazquxquuxcorgegraultgarpl") == ["link token"], (
        "its bytes are the token, too"
    )
