"""Owns the engine's life: what happens at start, what runs meanwhile, and the orderly end.

An engine belongs to one event loop and one process. `start` is idempotent, so a host's lifespan and a first request may
both call it; after `stop` it may start again, in another loop, too.
"""

import asyncio
import contextlib
import logging
import os
from collections.abc import Sequence
from datetime import timedelta
from typing import Final, Self

from ostiary.core.access.authority import Declared
from ostiary.core.device import read_device
from ostiary.core.mail.mailbox import Mailbox
from ostiary.core.mail.post import KIND, Transport, mail_deliverer
from ostiary.core.mail.settings import MailSettings
from ostiary.core.mail.smtp import SmtpTransport
from ostiary.core.outbox.worker import Worker
from ostiary.core.passwords.schemes import Scheme
from ostiary.core.places.watch import watch_places
from ostiary.core.tokens.access import Claims
from ostiary.engine.features import RIBS
from ostiary.engine.keys import open_keys
from ostiary.engine.settings import EngineSettings, development_path
from ostiary.engine.wire import chores, wire
from ostiary.http import mail_previews, mailbox, pages
from ostiary.http.assembly import App, assemble
from ostiary.http.assets import PageSettings, load_assets
from ostiary.http.rib import Rib
from ostiary.http.routing import Hot
from ostiary.http.shell import Shell
from ostiary.kernel.errors import Misuse
from ostiary.kernel.settings import Settings
from ostiary.kernel.world import World
from ostiary.storage import migrate
from ostiary.storage.connect import sqlite_path
from ostiary.storage.statement import compile_all

_PARTING: Final = timedelta(seconds=10)
_log: Final = logging.getLogger("ostiary.engine")


class Engine:
    """Everything, wired.

    Args:
        settings: Checked, see `ostiary.engine.settings.load`.
        ribs: The features of this engine.
        world: Clock and chance.
        transport: Where mails go; unless given, the mail server of the settings, or in development a mailbox.
        scheme: Another password hash than the settings', for the test kit only.
        token_claims: What is added to access tokens, beside the claims of our own.
        declared: Roles and policies of the program.
        routes: More routes than the ribs', such as a server's probes.

    Raises:
        Misuse: the settings or the ribs do not fit together.
    """

    def __init__(
        self,
        settings: Settings,
        ribs: Sequence[Rib] = RIBS,
        world: World | None = None,
        transport: Transport | None = None,
        scheme: Scheme | None = None,
        routes: Sequence[Hot] = (),
        token_claims: Claims | None = None,
        declared: Declared | None = None,
    ) -> None:
        self.settings = settings
        self.ribs = tuple(ribs)
        self._engine = settings.of(EngineSettings)
        self._working: asyncio.Task[None] | None = None
        self._watching: list[asyncio.Task[None]] = []
        self._starting = asyncio.Lock()
        self._process = 0
        self.core, self.composer = wire(settings, self.ribs, world or World(), scheme, token_claims, declared)
        self.transport = transport or self._transport()
        self.app: App = assemble(
            self.core,
            [
                *routes,
                *pages.ROUTES,
                *self.development_routes(),
                *(route for rib in self.ribs for route in rib.hot_routes),
            ],
            [routes for rib in self.ribs for routes in rib.json_routes],
            shell=self._shell(),
        )
        self._deliverers = {KIND: mail_deliverer(self.composer, self.transport)}
        self.worker: Worker  # made by each start, since one that was told to stop stays stopped

    def _new_worker(self) -> Worker:
        core = self.core
        return Worker(
            core.world,
            core.database,
            core.outbox,
            self._deliverers,
            chores(core, self.ribs),
            core.runner.reactions,
        )

    def _shell(self) -> Shell:
        sections = sorted(
            (section for rib in self.ribs for section in rib.account_sections),
            key=lambda section: section.order,
        )
        pages = tuple(one for rib in self.ribs for one in rib.factor_pages)
        return Shell(load_assets(self.settings.of(PageSettings)), tuple(sections), pages)

    def development_routes(self) -> Sequence[Hot]:
        """Pages that show mails. Production has none of them, whatever transport it was given."""
        if not self._engine.dev or self.mailbox is None:
            return ()
        return (*mailbox.routes(self.mailbox), *mail_previews.routes(self.composer))

    def _transport(self) -> Transport:
        mail = self.settings.of(MailSettings)
        if self._engine.dev and mail.smtp_host is None:
            return Mailbox(development_path(self._engine, "mailbox.jsonl"), echo=_log.info)
        return SmtpTransport(mail, self.core.world)

    @property
    def mailbox(self) -> Mailbox | None:
        """The development mailbox, if mails go there."""
        return self.transport if isinstance(self.transport, Mailbox) else None

    async def start(self, *, worker: bool = True) -> None:
        """Migrate or check the schema, connect, open the keyring, and begin to work the outbox.

        Args:
            worker: Whether this process sends mails and keeps house; another one must if it does not.

        Raises:
            Misuse: the schema or the root secret does not fit; the message says how to mend it. Or this process was
                forked from one in which the engine ran.
            Unavailable: the database cannot be reached.
        """
        if self._working is not None and self._process != os.getpid():
            # Its connections, locks and threads are the other process's: whatever is done with them disturbs that one.
            raise Misuse(
                "ostiary had started before this process was forked; start it after the fork: make `Ostiary(…)` when "
                "the application is loaded, and let the first request or the lifespan start it"
            )
        async with self._starting:
            if self._working is not None:
                return
            self.core.outbox.begin()
            await asyncio.to_thread(self.core.passwords.check_breaches)
            await asyncio.to_thread(self.core.places.open)
            await asyncio.to_thread(self._prepare_schema)
            await asyncio.to_thread(read_device, "warm-up")  # its tables take a tenth of a second to load
            compile_all(self.core.database.dialect)
            await self.core.database.open()
            try:
                watch = await open_keys(self.core)
                book = await self.core.authority.book.now(
                    self.core.database
                )  # roles that do not fit stop the start
            except BaseException:
                await self.core.database.close()
                raise
            for role in self.core.networks.unknown_roles(book):
                _log.warning("role_networks: there is no role %r, so its rules concern nobody yet", role)
            self.core.passwords.open()
            self.core.feed.waiting.open()
            self.worker = self._new_worker()
            looks = (watch.run(), watch_places(self.core.places, self.core.runner))
            self._watching = [asyncio.create_task(look) for look in looks]
            self._working = asyncio.create_task(self.worker.run() if worker else _idle())
            self._process = os.getpid()

    def _prepare_schema(self) -> None:
        url = self._engine.database
        automatic = self._engine.auto_migrate
        if automatic is None:
            automatic = self._engine.dev or sqlite_path(url) is not None
        if automatic:
            before, after = migrate.upgrade(url)
            if before != after:
                _log.info("database migrated from %s to %s", before or "nothing", after)
        else:
            migrate.check(url)

    async def stop(self) -> None:
        """Finish the deliveries under way, then give connections and threads back."""
        if self._process != os.getpid():
            return  # never started, or started by the process from which this one was forked
        working, self._working = self._working, None
        if working is None:
            return
        self._starting = asyncio.Lock()
        self.core.feed.waiting.close()
        try:
            self.worker.stop()
            _, late = await asyncio.wait([working], timeout=_PARTING.total_seconds())
            if late:
                working.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await working
        finally:
            await _ended(self._watching)
            self.core.passwords.close()
            self.core.outgoing.close()
            await self.core.database.close()
            await self.transport.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.stop()


async def _ended(tasks: list[asyncio.Task[None]]) -> None:
    """Cancel tasks and wait for their end."""
    for task in tasks:
        task.cancel()
    for task in tasks:
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _idle() -> None:
    """In place of a worker."""
