"""Owns the wiring: which part is made from which, in the one order that has no circles."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from functools import partial
from typing import Final

from ostiary.core.access import access, book
from ostiary.core.access.authority import Authority, Declared
from ostiary.core.access.settings import AccessSettings
from ostiary.core.accounts import accounts, profile, services
from ostiary.core.accounts.claims import claims
from ostiary.core.api_keys import keys as key_walk
from ostiary.core.api_keys.keys import ApiKeys
from ostiary.core.api_keys.settings import ApiKeySettings
from ostiary.core.change import Reactions, Subscriber, on
from ostiary.core.device import describe_device
from ostiary.core.flow import Runner
from ostiary.core.kept.store import KEPT as CORE_KEPT
from ostiary.core.keys import rotation as key_rotation
from ostiary.core.keys.ring import Keyring, RingPepper
from ostiary.core.keys.signing import rotation as signing_rotation
from ostiary.core.keys.signing.keys import SigningKeys
from ostiary.core.mail.compose import Composer
from ostiary.core.mail.notices import Notices
from ostiary.core.mail.post import Post
from ostiary.core.mail.settings import MailSettings
from ostiary.core.mail.template import MAILS, MailTemplate
from ostiary.core.networks import networks
from ostiary.core.networks.networks import Networks
from ostiary.core.networks.settings import NetworkSettings
from ostiary.core.once.once import Once
from ostiary.core.outbox import outbox as outboxes
from ostiary.core.outbox.outbox import Outbox
from ostiary.core.outbox.settings import OutboxSettings
from ostiary.core.outbox.worker import Chore, dead_letter_chore
from ostiary.core.outgoing.client import Outgoing
from ostiary.core.outgoing.settings import OutgoingSettings
from ostiary.core.passwords.breaches import check as breaches
from ostiary.core.passwords.breaches.check import Breaches
from ostiary.core.passwords.breaches.settings import BreachSettings
from ostiary.core.passwords.hasher import Passwords
from ostiary.core.passwords.schemes import Scheme
from ostiary.core.passwords.settings import PasswordSettings
from ostiary.core.places import places
from ostiary.core.places.places import Places
from ostiary.core.places.settings import PlaceSettings
from ostiary.core.revocations.feed import Feed
from ostiary.core.revocations.record import Revocations
from ostiary.core.revocations.settings import FeedSettings
from ostiary.core.revocations.waiting import Waiting
from ostiary.core.sessions import sessions
from ostiary.core.sessions.sessions import Sessions
from ostiary.core.sessions.settings import SessionSettings
from ostiary.core.signin import door as doors
from ostiary.core.signin import factors as factor_events
from ostiary.core.signin.disowned import DISOWNED
from ostiary.core.signin.disowned import EVENTS as DISOWNED_EVENTS
from ostiary.core.signin.door import Door
from ostiary.core.signin.enrolment import EVENTS as ENROLMENT_EVENTS
from ostiary.core.signin.factors import Factors
from ostiary.core.signin.requirement import EVENTS as REQUIREMENT_EVENTS
from ostiary.core.signin.requirement import Requirement
from ostiary.core.signin.settings import SigninSettings
from ostiary.core.signin.steps import Policy
from ostiary.core.signin.trust import Trust, TrustedDevices
from ostiary.core.signin.watch import EVENTS as WATCH_EVENTS
from ostiary.core.signin.watch import Watch
from ostiary.core.throttle import limits as throttle_limits
from ostiary.core.throttle.settings import ThrottleSettings
from ostiary.core.throttle.throttle import Throttle
from ostiary.core.tokens import codes as token_codes
from ostiary.core.tokens import tokens as token_walk
from ostiary.core.tokens.access import AccessTokens, Claims
from ostiary.core.tokens.codes import Codes
from ostiary.core.tokens.settings import TokenSettings
from ostiary.core.tokens.tokens import Tokens
from ostiary.core.wiring import Core, Kept, Parts
from ostiary.engine import keys
from ostiary.engine.settings import EngineSettings
from ostiary.http.rib import Rib
from ostiary.http.settings import HttpSettings, parse_base_url
from ostiary.kernel.errors import Misuse
from ostiary.kernel.events import EventType
from ostiary.kernel.settings import Settings
from ostiary.kernel.world import World
from ostiary.storage import guard
from ostiary.storage.connect import database_for
from ostiary.storage.database import Database, Transaction

CORE_EVENTS: Final[tuple[EventType, ...]] = (
    *access.EVENTS,
    *book.EVENTS,
    *key_rotation.EVENTS,
    *signing_rotation.EVENTS,
    *accounts.EVENTS,
    *profile.EVENTS,
    *services.EVENTS,
    *sessions.EVENTS,
    *doors.EVENTS,
    *token_walk.EVENTS,
    *token_codes.EVENTS,
    *key_walk.EVENTS,
    *factor_events.EVENTS,
    *ENROLMENT_EVENTS,
    *REQUIREMENT_EVENTS,
    *DISOWNED_EVENTS,
    *WATCH_EVENTS,
    *throttle_limits.EVENTS,
    *outboxes.EVENTS,
    *breaches.EVENTS,
    *places.EVENTS,
    *networks.EVENTS,
)
Sweep = Callable[[Transaction, int], Awaitable[int]]

_BATCH: Final = 500
_SWEEP_EVERY: Final = timedelta(minutes=10)


def event_types(ribs: Sequence[Rib]) -> tuple[EventType, ...]:
    """Every event type of an engine with these ribs."""
    return CORE_EVENTS + tuple(event for rib in ribs for event in rib.events)


def mails(ribs: Sequence[Rib]) -> dict[str, tuple[MailTemplate, ...]]:
    """Every mail of an engine with these ribs, by the name of its rib; the core's come first."""
    return {"core": MAILS, **{rib.name: rib.mails for rib in ribs}}


def wire(
    settings: Settings,
    ribs: Sequence[Rib],
    world: World,
    scheme: Scheme | None,
    token_claims: Claims | None = None,
    declared: Declared | None = None,
) -> tuple[Core, Composer]:
    """Make everything; nothing is connected or started yet.

    Args:
        scheme: Another password hash than the settings', for the test kit only.
        token_claims: What the host adds to access tokens.
        declared: The host's roles and policies.

    Raises:
        Misuse: the root secret is missing or weak, or the ribs do not fit together.
    """
    engine = settings.of(EngineSettings)
    database = database_for(
        engine.database,
        pool_size=engine.database_pool_size,
        prepared_statements=engine.database_prepared_statements,
    )
    ring = Keyring(world, *keys.roots(engine))
    outgoing = Outgoing(settings.of(OutgoingSettings).reach(dev=engine.dev))
    outbox = Outbox(world, ring, settings.of(OutboxSettings))
    composer = Composer(
        world,
        settings.of(MailSettings),
        mails(ribs),
        settings.of(HttpSettings).base_url,
        _page(settings, ribs, "/recover"),
        _page(settings, ribs, "/login/link/ask"),
    )
    authority = Authority(world, declared or Declared(), settings.of(AccessSettings).default_role)
    known_places = Places(settings.of(PlaceSettings))
    parts = Parts(
        world=world,
        settings=settings,
        database=database,
        authority=authority,
        ring=ring,
        signing=SigningKeys(ring),
        throttle=Throttle(world, ring, settings.of(ThrottleSettings)),
        once=Once(world, ring),
        passwords=Passwords(
            world,
            settings.of(PasswordSettings),
            RingPepper(ring),
            partial(guard.refuse_if_open, "judging or hashing a password"),
            breaches=Breaches.of(settings.of(BreachSettings), world, outgoing),
            scheme=scheme,
        ),
        sessions=Sessions(world, database, settings.of(SessionSettings)),
        outbox=outbox,
        outgoing=outgoing,
        post=Post(outbox, composer),
        places=known_places,
        networks=Networks(world, settings.of(NetworkSettings), known_places, authority),
    )
    signin = settings.of(SigninSettings)
    # Without a rib that proves mailboxes nobody could ever get in.
    can_verify_email = any(rib.proves_mailboxes for rib in ribs)
    policy = Policy(signin.verify_email == "required" and can_verify_email)
    factors = Factors(
        parts.sessions,
        [factor for rib in ribs for factor in rib.factors(parts)],
        [spare for rib in ribs for spare in rib.spares(parts)],
        Requirement(signin, parts.authority),
        signin.factor_failures_per_network,
    )
    trust = Trust(_trusted_devices(parts, ribs), factors.requirement)
    waiting = Waiting(world, database, settings.of(FeedSettings).feed_waiters)
    revocations = Revocations(waiting.wake)
    reactions = Reactions(event_types(ribs), _subscribers(parts, factors, revocations, ribs))
    runner = Runner(world, database, parts.throttle, reactions)
    issuer = parse_base_url(settings.of(HttpSettings).base_url).origin
    token_settings = settings.of(TokenSettings)
    access_tokens = AccessTokens(world, parts.signing, token_settings, issuer, token_claims)
    tokens = Tokens(
        runner,
        ring,
        parts.sessions,
        access_tokens,
        token_settings,
        trust.holds_back,
        parts.networks,
        needs_proof=policy.require_verified_email,
    )
    api_keys = ApiKeys(
        runner,
        factors.requirement,
        settings.of(ApiKeySettings),
        parts.networks,
        is_on=any(rib.takes_api_keys for rib in ribs),
    )
    codes = Codes(runner, parts.once, parts.sessions, tokens, parts.networks)
    door = Door(
        runner,
        ring,
        parts.once,
        parts.sessions,
        signin,
        _ways(ribs),
        factors,
        policy,
        tokens,
        trust,
        parts.networks,
        _watch(parts, ribs),
    )
    plugged = {name: getattr(parts, name) for name in Parts.__dataclass_fields__}
    core = Core(
        **plugged,
        runner=runner,
        factors=factors,
        tokens=tokens,
        codes=codes,
        api_keys=api_keys,
        feed=Feed(world, database, ring, parts.signing, waiting, issuer),
        door=door,
        kept=kept(ribs),
    )
    return core, composer


def kept(ribs: Sequence[Rib]) -> tuple[Kept, ...]:
    """What an engine with these ribs tells owners of what it keeps about them; the core's own comes first.

    Raises:
        Misuse: two parts give it the same name.
    """
    told = (*CORE_KEPT, *(one for rib in ribs for one in rib.kept))
    if len({one.name for one in told}) < len(told):
        raise Misuse("two parts tell what they keep about an account under the same name")
    return told


def _page(settings: Settings, ribs: Sequence[Rib], path: str) -> str:
    """The URL of a page if some rib has it; a mail never links to nothing."""
    has = any(route.path == path for rib in ribs for route in rib.hot_routes)
    return settings.of(HttpSettings).link(path) if has else ""


def _ways(ribs: Sequence[Rib]) -> frozenset[str]:
    names = [way for rib in ribs for way in rib.ways]
    if len(set(names)) < len(names):
        raise Misuse("two ways in have the same name")
    return frozenset(names)


def _watch(parts: Parts, ribs: Sequence[Rib]) -> Watch | None:
    made = [rib.watch(parts) for rib in ribs if rib.watch is not None]
    if len(made) > 1:
        raise Misuse("two ribs watch the door; one of them decides")
    return made[0] if made else None


def _trusted_devices(parts: Parts, ribs: Sequence[Rib]) -> TrustedDevices | None:
    made = [rib.trust(parts) for rib in ribs if rib.trust is not None]
    if len(made) > 1:
        raise Misuse("two ribs keep trusted devices")
    return made[0] if made else None


def _subscribers(
    parts: Parts, factors: Factors, revocations: Revocations, ribs: Sequence[Rib]
) -> list[Subscriber]:
    """Reactions in their order: what must end ends first, then the ribs, and people are told last."""
    names = [rib.name for rib in ribs]
    if len(set(names)) < len(names):
        raise Misuse("two ribs have the same name")
    return [
        Subscriber(lambda event_type: event_type.ends_sessions, parts.sessions.react),
        on(sessions.ENDED, revocations.session_ended),
        on(key_rotation.KEY_RETIRED, revocations.key_retired),
        Subscriber(lambda event_type: event_type.changes_rights, revocations.rights_changed),
        on(accounts.CREDENTIALS_VOIDED, factors.void),
        on(accounts.EMAIL_VERIFIED, factors.join),
        on(throttle_limits.PASSWORD_DISABLED, accounts.disable_password),
        on(throttle_limits.PASSWORD_STAYS_DISABLED, accounts.disable_password),
        on(DISOWNED, accounts.disable_password),
        *(subscriber for rib in ribs for subscriber in rib.subscribers(parts)),
        Notices(parts.post, accounts.recipients, describe_device).subscriber(),
    ]


def chores(parts: Core, ribs: Sequence[Rib]) -> list[Chore]:
    """The worker's housekeeping: bounded batches, so that nobody waits for it."""
    return [
        _sweep("expired secrets", parts.once.sweep),
        _sweep("expired claims", lambda tx, batch: claims.sweep(tx, parts.world.micros(), batch)),
        _sweep("expired counters", parts.throttle.sweep),
        _sweep("old sessions", parts.sessions.sweep),
        _sweep("old API keys", parts.api_keys.sweep),
        _sweep("old revocations", parts.feed.sweep),
        dead_letter_chore(parts.settings.of(OutboxSettings)),
        *keys.chores(parts),
        *(chore for rib in ribs for chore in rib.chores(parts)),
    ]


def _sweep(name: str, batch: Sweep) -> Chore:
    async def run(database: Database, world: World) -> int:
        async with database.transaction() as tx:
            return await batch(tx, _BATCH)

    return Chore(name, _SWEEP_EVERY, run)
