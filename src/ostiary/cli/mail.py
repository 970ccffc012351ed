"""Owns the commands ``ostiary mail …``: what waits and what is dead, another try, and a test."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, Any

import typer

from ostiary.core.mail import letters
from ostiary.core.mail.letters import KeptMail
from ostiary.core.mail.template import TEST_MAIL
from ostiary.core.outbox.outbox import Permanent, Temporary
from ostiary.core.wiring import Core
from ostiary.engine.engine import Engine
from ostiary.http.commands import DatabaseOption, DataOption, DevOption, JsonOption, Open, say
from ostiary.kernel.errors import Misuse
from ostiary.kernel.origin import Origin

NOT_ACCEPTED = 1
NOT_NOW = 3


def commands(open_core: Open, build: Callable[..., Engine]) -> typer.Typer:
    """The commands.

    Args:
        open_core: Runs a flow on an engine that it opens.
        build: Makes an engine without starting it.
    """
    app = typer.Typer(
        help="Mails that wait, dead ones, and whether mails arrive at all.", no_args_is_help=True
    )

    @app.command("list")
    def list_(
        dead: Annotated[bool, typer.Option("--dead", help="Only those that are not tried any more.")] = False,
        limit: Annotated[
            int, typer.Option(min=1, max=10_000, help="How many of the newest to look at.")
        ] = 100,
        data: DataOption = None,
        database: DatabaseOption = None,
        dev: DevOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """List mails that have not left, the newest first: to whom, which, how often tried, and what went wrong.

        What they say stays sealed: their links and codes sign people in.
        """

        async def work(core: Core) -> list[KeptMail]:
            return await letters.latest(core.database, core.outbox, limit, only_dead=dead)

        mails = open_core(work, data=data, database=database, dev=dev)
        say(as_json, {"mails": [_document(mail) for mail in mails]}, _table(mails, only_dead=dead))

    @app.command()
    def resend(
        letter_id: Annotated[
            str | None, typer.Argument(metavar="ID", help="Of a dead mail, as `ostiary mail list` shows it.")
        ] = None,
        every: Annotated[
            bool, typer.Option("--all", help="Every dead mail whose link has not expired.")
        ] = False,
        data: DataOption = None,
        database: DatabaseOption = None,
        dev: DevOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """Let dead mails be tried again, with all their tries. A running server sends them at once.

        An expired link does not work again by being sent again; only its recipient can ask for a new one. So --all
        leaves such mails out, and one that is named by its id is sent with a warning.
        """
        if (letter_id is None) != every:
            raise Misuse("name one mail by its id, or all of them with --all")

        async def work(core: Core) -> tuple[list[KeptMail], list[KeptMail]]:
            return await (_resend_all(core) if letter_id is None else _resend_one(core, letter_id))

        again, expired = open_core(work, data=data, database=database, dev=dev)
        document = {"resent": [mail.id for mail in again], "expired": [mail.id for mail in expired]}
        say(as_json, document, _told(again, expired, every=every))

    @app.command()
    def test(
        address: Annotated[str, typer.Argument(metavar="ADDRESS", help="Who gets the mail.")],
        language: Annotated[str | None, typer.Option(help="Of the mail, such as de.")] = None,
        data: DataOption = None,
        dev: DevOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """Send one mail right now, past the outbox, and print what the mail server answered."""
        engine = build(data=data, dev=dev)
        accepted, reason, answer, status = asyncio.run(_try(engine, address, language or ""))
        document = {"accepted": accepted, "to": address, "reason": reason, "answer": answer}
        words = f"{address}: {'accepted' if accepted else reason}"
        say(as_json, document, f"{words}\n  {answer}" if answer else words)
        raise typer.Exit(status)

    return app


async def _resend_one(core: Core, letter_id: str) -> tuple[list[KeptMail], list[KeptMail]]:
    mail = await letters.find_dead(core.database, core.outbox, letter_id)
    if mail is None:
        raise Misuse(f"there is no dead mail {letter_id!r}; `ostiary mail list --dead` shows which there are")
    again = await _send_again(core, [mail])
    return again, [mail for mail in again if mail.has_expired(core.world.now())]


async def _resend_all(core: Core) -> tuple[list[KeptMail], list[KeptMail]]:
    again, expired = [], []
    async for page in letters.every_dead(core.database, core.outbox):
        old = [mail for mail in page if mail.has_expired(core.world.now())]
        again += await _send_again(core, [mail for mail in page if mail not in old])
        expired += old
    return again, expired


async def _send_again(core: Core, mails: list[KeptMail]) -> list[KeptMail]:
    async with core.runner.flow(Origin()) as flow:
        return await flow.change(lambda change: letters.send_again(change, mails))


async def _try(engine: Engine, address: str, language: str) -> tuple[bool, str, str, int]:
    """Whether the server took it, why not, what it said, and the exit code."""
    composer, transport = engine.composer, engine.transport
    message_id = engine.core.world.id()
    try:
        mail = composer.compose(TEST_MAIL.name, address, {}, message_id, language)
        return True, "", await transport.deliver(mail), 0
    except Permanent as failure:
        return False, str(failure), failure.said, NOT_ACCEPTED
    except Temporary as failure:
        return False, str(failure), failure.said, NOT_NOW
    finally:
        await transport.close()


def _document(mail: KeptMail) -> dict[str, Any]:
    return {
        "id": mail.id,
        "state": "dead" if mail.is_dead else "waiting",
        "template": mail.template,
        "to": mail.to,
        "language": mail.language,
        "tries": mail.tries,
        "last_error": mail.last_error,
        "created_at": mail.created_at,
        "next_try_at": None if mail.is_dead else mail.at,
        "died_at": mail.at if mail.is_dead else None,
        "expires_at": mail.expires_at,
    }


def _table(mails: Sequence[KeptMail], *, only_dead: bool) -> str:
    if not mails:
        return "no dead mails" if only_dead else "no mail waits and none is dead"
    head = ("ID", "STATE", "TRIES", "NEXT TRY OR DEATH", "MAIL", "TO", "LAST ERROR")
    rows = [
        (
            mail.id,
            "dead" if mail.is_dead else "waiting",
            str(mail.tries),
            _when(mail.at),
            mail.template or "?",
            mail.to or "?",
            mail.last_error or "-",
        )
        for mail in mails
    ]
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (head, *rows)
    )


def _told(again: Sequence[KeptMail], expired: Sequence[KeptMail], *, every: bool) -> str:
    lines = [f"sent again: {mail.id} {mail.template} to {mail.to}" for mail in again] or [
        "nothing to send again"
    ]
    for mail in expired:
        what = "not sent again" if every else "its link does not work any more"
        lines.append(f"{what}: {mail.id} {mail.template} to {mail.to} expired on {_when(mail.expires_at)}")
    return "\n".join(lines)


def _when(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC" if at is not None else "-"
