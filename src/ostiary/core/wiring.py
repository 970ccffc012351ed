"""Owns the two shapes in which the core is handed around: `Parts` for what ribs plug in, `Core` for their flows."""

from dataclasses import dataclass

from ostiary.core.flow import Runner
from ostiary.core.keys.ring import Keyring
from ostiary.core.keys.signing.keys import SigningKeys
from ostiary.core.mail.post import Post
from ostiary.core.once.once import Once
from ostiary.core.outbox.outbox import Outbox
from ostiary.core.outgoing.client import Outgoing
from ostiary.core.passwords.hasher import Passwords
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
    ring: Keyring
    signing: SigningKeys
    throttle: Throttle
    once: Once
    passwords: Passwords
    sessions: Sessions
    outbox: Outbox
    outgoing: Outgoing
    post: Post


@dataclass(frozen=True, slots=True)
class Core(Parts):
    """The whole core, as flows use it."""

    runner: Runner
    factors: Factors
    tokens: Tokens
    codes: Codes
    door: Door
