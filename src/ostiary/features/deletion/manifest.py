"""Owns what the deletion of accounts plugs into the engine."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from ostiary.core.change import Subscriber, on
from ostiary.core.mail.template import ORIGIN_EXAMPLE, MailTemplate
from ostiary.core.outbox.worker import Chore
from ostiary.core.signin.door import SIGNED_IN
from ostiary.core.wiring import Core, Parts
from ostiary.features.deletion import flow
from ostiary.features.deletion.api import router
from ostiary.features.deletion.cli import commands
from ostiary.features.deletion.pages import PAGES
from ostiary.features.deletion.settings import DeletionSettings
from ostiary.http.access import SESSION
from ostiary.http.rib import Rib
from ostiary.http.routing import JsonRoutes
from ostiary.kernel.world import World
from ostiary.storage.database import Database

_EVERY: Final = timedelta(minutes=10)


def _subscribers(parts: Parts) -> Sequence[Subscriber]:
    return (on(SIGNED_IN, flow.undo),)


def _chores(core: Core) -> Sequence[Chore]:
    async def delete(database: Database, world: World) -> int:
        return await flow.delete_due(core)

    async def clean(database: Database, world: World) -> int:
        return await flow.clean_journals(core)

    return (Chore("accounts to delete", _EVERY, delete), Chore("journals of deleted accounts", _EVERY, clean))


RIB = Rib(
    name="deletion",
    settings=(DeletionSettings,),
    events=flow.EVENTS,
    mails=(
        MailTemplate(
            flow.REQUESTED.name,
            __package__,
            "To every address: the account will be deleted, and how to undo that.",
            {"due_at": datetime(2026, 12, 5, 13, 30, tzinfo=UTC), "by": "owner", **ORIGIN_EXAMPLE},
        ),
        MailTemplate(
            flow.UNDONE.name,
            __package__,
            "To every address: somebody signed in, so the account stays.",
            ORIGIN_EXAMPLE,
        ),
        MailTemplate(flow.DELETED.name, __package__, "To every address: the account is deleted.", {}),
    ),
    subscribers=_subscribers,
    chores=_chores,
    json_routes=(JsonRoutes(router, SESSION),),
    hot_routes=PAGES,
    commands=commands,
)
