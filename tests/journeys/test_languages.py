"""Everybody reads mails in a language of his own: the account's, else the browser's, else the site's."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy import bindparam

from ostiary.core.accounts.store import account, identifier
from ostiary.storage.statement import Query, command
from ostiary.testing import Kit, running
from ostiary.testing.kit import PASSWORD

ANNA = "anna@example.com"
GERMAN = {"accept-language": "de-AT,de;q=0.9,en;q=0.5"}
ENGLISH = {"accept-language": "en-US,en;q=0.9"}
_LOCALE = Query(
    "test.locale",
    sa.select(sa.func.coalesce(account.c.locale, "none"))
    .select_from(account.join(identifier))
    .where(identifier.c.normal == bindparam("normal")),
    str,
)
_FORGET = command("test.forget_locale", sa.update(account).values(locale=sa.null()))


@pytest.fixture
async def kit(database_url: str, tmp_path: Path) -> AsyncIterator[Kit]:
    """A running engine on each database."""
    async with running(tmp_path, database=database_url) as kit:
        yield kit


async def register(kit: Kit, headers: dict[str, str], address: str = ANNA) -> None:
    """Register, from a browser with these headers."""
    body = {"email": address, "password": PASSWORD}
    (await kit.browser().post("/auth/register", json=body, headers=headers)).raise_for_status()


async def prove(kit: Kit, headers: dict[str, str], address: str = ANNA) -> None:
    """Prove the address, from a browser with these headers."""
    token, _ = await kit.verification(address)
    (
        await kit.browser().post("/auth/email/verify", json={"token": token}, headers=headers)
    ).raise_for_status()


async def locale_of(kit: Kit, address: str = ANNA) -> str | None:
    """Return what is stored with the account."""
    return await kit.engine.core.database.one(_LOCALE, normal=address)


async def test_an_account_keeps_the_language_of_its_registration(kit: Kit) -> None:
    """The first mail is in the browser's language, and the account in that of the registration, not of the proof."""
    await register(kit, GERMAN)
    mail = await kit.mail_to(ANNA)
    assert mail["subject"] == "Bestätigen Sie Ihre E-Mail-Adresse für ostiary"
    assert mail["language"] == "de"
    assert '<html lang="de"' in mail["html"]
    await prove(kit, ENGLISH)
    assert await locale_of(kit) == "de"


async def test_a_strangers_language_reaches_no_owner(kit: Kit) -> None:
    """Registering a taken address again, and locking the account, tell the owner in the owner's language."""
    await register(kit, GERMAN)
    await prove(kit, GERMAN)
    await register(kit, ENGLISH)
    assert (await kit.mail_to(ANNA, count=2))["subject"] == "Sie haben schon ein Konto bei ostiary"
    for _ in range(5):
        body = {"identifier": ANNA, "password": "certainly wrong"}
        await kit.browser().post("/auth/login", json=body, headers=ENGLISH)
    assert (await kit.mail_to(ANNA, count=3))["subject"] == "Ihr Konto bei ostiary ist vorübergehend gesperrt"


async def test_links_that_anybody_can_ask_for_are_in_the_owners_language(kit: Kit) -> None:
    """A link for a new password, and one to sign in with: strangers choose neither words nor language of a mail."""
    await register(kit, GERMAN)
    await prove(kit, GERMAN)
    for number, path in enumerate(("/auth/password/forgot", "/auth/magic-link")):
        (await kit.browser().post(path, json={"email": ANNA}, headers=ENGLISH)).raise_for_status()
        assert (await kit.mail_to(ANNA, count=2 + number))["language"] == "de"


async def test_a_resent_mail_stays_in_its_language(kit: Kit) -> None:
    """Whoever asks for it again."""
    await register(kit, GERMAN)
    await kit.mail_to(ANNA)
    await kit.browser().post("/auth/email/resend", json={"email": ANNA}, headers=ENGLISH)
    assert (await kit.mail_to(ANNA, count=2))["language"] == "de"


async def test_an_account_from_before_reads_the_sites_language(kit: Kit) -> None:
    """Accounts without a language (from before there was one) get the site's, not a stranger's."""
    await register(kit, GERMAN)
    await prove(kit, GERMAN)
    async with kit.engine.core.database.transaction() as tx:
        await tx.run(_FORGET)
    await register(kit, GERMAN)
    assert (await kit.mail_to(ANNA, count=2))["language"] == "en"


@pytest.mark.parametrize(
    "header",
    [{}, {"accept-language": ""}, {"accept-language": "fr"}, {"accept-language": "x" * 50_000},
     {"accept-language": "de;q=0"}, {"accept-language": "\x7f,;;=,*"}],
)  # fmt: skip
async def test_whoever_asks_for_nothing_we_have_gets_the_sites_language(
    tmp_path: Path, header: dict[str, str]
) -> None:
    """Nonsense and very long headers included; what is stored is one of our own tags."""
    async with running(tmp_path, default_locale="de") as kit:
        await register(kit, header)
        assert (await kit.mail_to(ANNA))["language"] == "de"
        await prove(kit, {})
        assert await locale_of(kit) == "de"


async def test_a_site_can_speak_one_language(tmp_path: Path) -> None:
    """`locales` leaves the others out, whatever a browser asks for."""
    async with running(tmp_path, locales="de") as kit:
        await register(kit, ENGLISH)
        assert (await kit.mail_to(ANNA))["language"] == "de"
