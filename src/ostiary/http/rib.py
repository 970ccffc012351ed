"""Owns `Rib`: what a feature plugs into the engine. Its manifest makes one; nothing else of a rib is known outside."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ostiary.core.change import Subscriber
from ostiary.core.mail.compose import MailTemplate
from ostiary.core.outbox.worker import Chore
from ostiary.core.signin.ways import Factor
from ostiary.core.wiring import Parts
from ostiary.http.routing import Hot, JsonRoutes
from ostiary.kernel.events import EventType


def _nothing(parts: Parts) -> tuple[Any, ...]:
    return ()


@dataclass(frozen=True, slots=True)
class Rib:
    """A feature.

    Attributes:
        name: Its folder's name.
        settings: Its settings groups.
        events: Every event type that it emits and core does not declare.
        mails: Its mail templates.
        subscribers: Makes its reactions to events, in their order.
        factors: Makes the factors that it provides.
        chores: Makes its housekeeping for the worker.
        json_routes: Its part of the typed JSON API.
        hot_routes: Routes that are worth answering without FastAPI.
        proves_mailboxes: Accounts can verify an address through it.
    """

    name: str
    settings: tuple[type[Any], ...] = ()
    events: tuple[EventType, ...] = ()
    mails: tuple[MailTemplate, ...] = ()
    subscribers: Callable[[Parts], Sequence[Subscriber]] = field(default=_nothing)
    factors: Callable[[Parts], Sequence[Factor]] = field(default=_nothing)
    chores: Callable[[Parts], Sequence[Chore]] = field(default=_nothing)
    json_routes: tuple[JsonRoutes, ...] = ()
    hot_routes: tuple[Hot, ...] = ()
    proves_mailboxes: bool = False
