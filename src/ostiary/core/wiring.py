"""Owns the shapes in which the core is handed around: `Parts` for what ribs plug in, `Core` for their flows.

And `Kept`, by which every part says what it keeps about an account.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ostiary.core.access.authority import Authority
from ostiary.core.api_keys.keys import ApiKeys
from ostiary.core.flow import Runner
from ostiary.core.keys.ring import Keyring
from ostiary.core.keys.signing.keys import SigningKeys
from ostiary.core.mail.post import Post
from ostiary.core.networks.networks import Networks
from ostiary.core.once.once import Once
from ostiary.core.outbox.outbox import Outbox
from ostiary.core.outgoing.client import Outgoing
from ostiary.core.passwords.hasher import Passwords
from ostiary.core.places.places import Places
from ostiary.core.revocations.feed import Feed
from ostiary.core.sessions.sessions import Sessions
from ostiary.core.signin.door import Door
from ostiary.core.signin.factors import Factors
from ostiary.core.throttle.throttle import Throttle
from ostiary.core.tokens.codes import Codes
from ostiary.core.tokens.tokens import Tokens
from ostiary.kernel.settings import Settings
from ostiary.kernel.world import World
from ostiary.storage.database import Database


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything that subscribers, factors and chores may use; they are built from it, before the door."""

    world: World
    settings: Settings
    database: Database
    authority: Authority
    ring: Keyring
    signing: SigningKeys
    throttle: Throttle
    once: Once
    passwords: Passwords
    sessions: Sessions
    outbox: Outbox
    outgoing: Outgoing
    post: Post
    places: Places
    networks: Networks


@dataclass(frozen=True, slots=True)
class Core(Parts):
    """The whole core, as flows use it."""

    runner: Runner
    factors: Factors
    tokens: Tokens
    codes: Codes
    api_keys: ApiKeys
    feed: Feed
    door: Door
    kept: tuple["Kept", ...]


@dataclass(frozen=True, slots=True)
class Kept:
    """What one part of ostiary keeps about an account, as its owner may read it.

    Attributes:
        name: Of the member of the document; unique.
        tables: Whose rows it tells of. A test demands that each table with rows about accounts is told by somebody.
        read: What there is about an account; it never yields a secret, its hash or its sealed form.
        is_one: It yields one row at most, so the member is an object or null, and no list.
    """

    name: str
    tables: tuple[str, ...]
    read: Callable[[Core, str], AsyncIterator[Mapping[str, Any]]]
    is_one: bool = False
