"""Owns `Rib`: what a feature plugs into the engine. Its manifest makes one; nothing else of a rib is known outside."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import typer

from ostiary.core.change import Subscriber
from ostiary.core.mail.template import MailTemplate
from ostiary.core.outbox.worker import Chore
from ostiary.core.signin.trust import TrustedDevices
from ostiary.core.signin.watch import Watch
from ostiary.core.signin.ways import Factor, Spare
from ostiary.core.wiring import Core, Kept, Parts
from ostiary.http.commands import Open
from ostiary.http.routing import Hot, JsonRoutes
from ostiary.http.shell import AccountSection, FactorPage
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
        ways: Names of its ways in; the door takes no other.
        factors: Makes the factors that it provides.
        spares: Makes those that only stand in for a lost one; they are offered last.
        watch: Makes what says how unusual a sign-in is; one rib of an engine at most.
        trust: Makes what keeps the browsers that are trusted with the second step; one rib at most.
        chores: Makes its housekeeping for the worker.
        json_routes: Its part of the typed JSON API.
        hot_routes: Routes that are worth answering without FastAPI, and pages.
        account_sections: Its pages in the account's navigation.
        factor_pages: How pages speak of the factors that it provides.
        takes_api_keys: Owners see and revoke their API keys in it; without it no key counts.
        proves_mailboxes: Accounts can verify an address through it.
        greeting: Lines that a start of the server prints.
        kept: What it keeps about an account, as the account's owner may read it.
        commands: Makes its commands of the command line.
    """

    name: str
    settings: tuple[type[Any], ...] = ()
    events: tuple[EventType, ...] = ()
    mails: tuple[MailTemplate, ...] = ()
    subscribers: Callable[[Parts], Sequence[Subscriber]] = field(default=_nothing)
    ways: tuple[str, ...] = ()
    factors: Callable[[Parts], Sequence[Factor]] = field(default=_nothing)
    spares: Callable[[Parts], Sequence[Spare]] = field(default=_nothing)
    watch: Callable[[Parts], Watch] | None = None
    trust: Callable[[Parts], TrustedDevices | None] | None = None
    chores: Callable[[Core], Sequence[Chore]] = field(default=_nothing)
    json_routes: tuple[JsonRoutes, ...] = ()
    hot_routes: tuple[Hot, ...] = ()
    account_sections: tuple[AccountSection, ...] = ()
    factor_pages: tuple[FactorPage, ...] = ()
    proves_mailboxes: bool = False
    takes_api_keys: bool = False
    greeting: Callable[[Core], Awaitable[list[str]]] | None = None
    kept: tuple[Kept, ...] = ()
    commands: Callable[[Open], typer.Typer] | None = None
