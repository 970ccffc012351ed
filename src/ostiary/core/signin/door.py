"""Owns the walk through the door: count the try, prove, decide, and on `Complete` – once – make the session."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final, assert_never

from ostiary.core.accounts import accounts
from ostiary.core.accounts.accounts import INVALID_CREDENTIALS, Account
from ostiary.core.change import Change
from ostiary.core.flow import Flow, Runner
from ostiary.core.keys.ring import Keyring
from ostiary.core.networks.networks import Networks
from ostiary.core.once.once import Once, Use
from ostiary.core.sessions.sessions import Sessions
from ostiary.core.signin import attempt as attempts
from ostiary.core.signin.attempt import Attempt, Begun
from ostiary.core.signin.enrolment import ASKED, NOT_HERE, EnrolmentRequired, Enrolments, Shown
from ostiary.core.signin.entry import Entry, Standing
from ostiary.core.signin.factors import Factors
from ostiary.core.signin.judge import Judge
from ostiary.core.signin.known import KnownBrowsers
from ostiary.core.signin.outcome import FactorRequired, Outcome, SignedIn
from ostiary.core.signin.settings import SigninSettings
from ostiary.core.signin.steps import Ask, Complete, Enrol, Policy, Refuse
from ostiary.core.signin.trust import Trust
from ostiary.core.signin.watch import SUSPICIOUS, Caution, Measure, Seen, Watch
from ostiary.core.signin.ways import NOTHING_TO_ASK, WayIn
from ostiary.core.throttle.limits import Hit, Lockout, Window
from ostiary.core.tokens.settings import COOKIE
from ostiary.core.tokens.tokens import Tokens
from ostiary.kernel.errors import Misuse, Refused, code
from ostiary.kernel.events import EventType, Severity
from ostiary.kernel.origin import Origin
from ostiary.kernel.secret import Secret

ATTEMPT_INVALID: Final = code(
    "attempt_invalid",
    401,
    "This sign-in has expired. Start again.",
    "The attempt is unknown, expired, already used, or was begun in another browser.",
)
SIGNED_IN: Final = EventType(
    "sign_in_succeeded",
    "A sign-in completed.",
    fields=("method", "amr", "session_id", "is_known_browser", "is_trusted_device"),
    words="Signed in with {amr}.",
)
FACTOR_ASKED: Final = EventType(
    "sign_in_factor_asked",
    "A first proof was right; a factor was asked for.",
    fields=("method", "factors"),
    words="A sign-in got past its first step; the second was asked for.",
)
FAILED: Final = EventType(
    "sign_in_failed",
    "A sign-in was refused.",
    Severity.NOTICE,
    ("method", "reason"),
    words="A sign-in failed.",
)
EVENTS: Final = (SIGNED_IN, FACTOR_ASKED, FAILED)
LOCKOUT: Final = Lockout()


class Door:
    """The one place where sessions come from.

    Args:
        ways: Names of the ways in that this engine has; none but these is let near.
        factors: Every factor of this engine.
        policy: What the deployment demands.
        tokens: For sessions that no cookie delivers.
        trust: Which browsers are trusted with the second step.
        networks: From where whose sessions may begin.
        watch: Says what is unusual about a sign-in; None: nothing is.
    """

    def __init__(
        self,
        runner: Runner,
        ring: Keyring,
        once: Once,
        sessions: Sessions,
        settings: SigninSettings,
        ways: frozenset[str],
        factors: Factors,
        policy: Policy,
        tokens: Tokens,
        trust: Trust,
        networks: Networks,
        watch: Watch | None = None,
    ) -> None:
        self.ways: Final = ways
        self._runner = runner
        self._ring = ring
        self._once = once
        self._sessions = sessions
        self._settings = settings
        self.known = KnownBrowsers(runner.world, ring)
        self._factors = factors
        self._enrolments = Enrolments(factors)
        self._judge = Judge(factors, policy, trust, watch)
        self._tokens = tokens
        self.trust: Final = trust
        self._networks = networks
        self._entries = Window("sign-in", settings.signin_failures_per_network, failures_only=True)
        self._answers = factors.window
        self._challenges = Window("challenge", settings.challenges_per_account, by_network=False)
        self._begun = Window("door-enrolments", settings.door_enrolments_per_account, by_network=False)
        self._attempt_use = Use("sign_in_attempt", settings.attempt_lifetime)

    @property
    def demands_proven_address(self) -> bool:
        """Whether nobody gets in before an address is proven; then a registration alone makes no account."""
        return self._judge.policy.require_verified_email

    @property
    def is_watched(self) -> bool:
        """Whether anybody asks what is unusual about a sign-in."""
        return self._judge.watch is not None

    async def enter(self, entry: Entry, way: WayIn, submission: Any) -> Outcome:
        """Begin a sign-in.

        Raises:
            Refused: `invalid_credentials`, `email_not_verified`, `network_refused` or `too_many_attempts`.
            Misuse: no rib of this engine declares this way in.
        """
        if way.name not in self.ways:
            raise Misuse(f"no rib declares the way in {way.name!r}: name it in `ways` of its manifest")
        async with self._runner.flow(entry.origin) as flow:
            if not self.known.is_note(entry.known_browser):
                flow.refuse_full(Hit(self._entries, entry.origin.network))
            candidate = await way.identify(flow.reads, submission)
            flow.concerns(candidate.account_id)
            own = self.known.hit(entry.known_browser, candidate.account_id, candidate.security_epoch)
            await flow.reserve(*self._hits(entry, self._entries, candidate.subject, own))
            candidate = replace(candidate, is_known_browser=own is not None)
            proven = await way.prove(flow.reads, candidate, submission)
            await self._refresh()
            if proven is None or candidate.account_id is None:
                raise self._failed(way.name, "not proven", candidate.account_id)
            standing = Standing(
                entry,
                Attempt(
                    self._runner.world.id(),
                    candidate.account_id,
                    candidate.security_epoch,
                    (),
                    entry.is_remembered,
                    attempts.browser_hash(entry.pre_session),
                    self._runner.world.now() + self._settings.attempt_lifetime,
                    delivery=entry.delivery,
                ),
                (proven,),
                is_resumed=False,
                is_known=own is not None,
                failures=flow.held.failures_before,
            )
            if entry.code is not None:
                standing = await self._answer_along(flow, standing, entry.code, way.name)
            return await self._delivered(
                await flow.change(lambda change: self._decide(change, standing, way.name))
            )

    async def _refresh(self) -> None:
        if self._judge.watch is not None:
            await self._judge.watch.refresh()

    async def _delivered(self, outcome: Outcome) -> Outcome:
        if isinstance(outcome, SignedIn) and outcome.family is not None:
            return replace(outcome, tokens=await self._tokens.pair(outcome.family))
        return outcome

    def _hits(self, entry: Entry, window: Window, subject: str, own: Hit | None) -> tuple[Hit, ...]:
        """What a try counts for: its own counter from a known browser, the account's and the network's otherwise."""
        return (own,) if own is not None else (Hit(window, entry.origin.network), Hit(LOCKOUT, subject))

    def hits_of_a_guess(self, origin: Origin, account_id: str) -> tuple[Hit, Hit]:
        """What a password counts for that is asked for again of somebody who is signed in: the same as at the door.

        From whatever browser it comes: a stolen session may come with everything that its browser knew (L09).
        """
        return Hit(self._entries, origin.network), Hit(LOCKOUT, accounts.subject_of(account_id))

    async def proceed(self, entry: Entry, sealed: str, factor_name: str, answer: Secret) -> Outcome:
        """Go on with a sign-in that waits for a factor, or for the first answer of one that it adds.

        Raises:
            Refused: `attempt_invalid`, `invalid_credentials`, `enrolment_refused`, `network_refused` or
                `too_many_attempts`.
        """
        async with self._runner.flow(entry.origin) as flow:
            attempt = await self._resume(flow, entry, sealed, factor_name)
            own = self.known.hit(entry.known_browser, attempt.account_id, attempt.security_epoch)
            await flow.reserve(
                *self._hits(entry, self._answers, accounts.subject_of(attempt.account_id), own)
            )
            factor = await self._factors.find(flow.reads, attempt.account_id, factor_name)
            # An empty answer never reaches a factor, so that none can take it for a right one (L02).
            asked = factor if answer else None
            proven = await asked.prove(flow.reads, attempt.account_id, answer, attempt.id) if asked else None
            enrolment = None
            if factor is None and answer:
                enrolment = await self._enrolments.prove(flow.reads, attempt, factor_name, answer)
                proven = enrolment.proven if enrolment else None
            if proven is None:
                raise self._failed(factor_name, "not proven", attempt.account_id)
            await self._refresh()
            standing = Standing(
                entry, attempt, (proven,), True, enrolment, own is not None, flow.held.failures_before
            )
            return await self._delivered(
                await flow.change(lambda change: self._decide(change, standing, factor_name))
            )

    async def challenge(self, entry: Entry, sealed: str, factor_name: str) -> Mapping[str, Any]:
        """Ask for what a factor needs before it can be answered, such as a mail with a code.

        Returns:
            What the client needs for its answer.

        Raises:
            Refused: `attempt_invalid`, `nothing_to_ask`, `invalid_credentials` or `too_many_attempts`.
        """
        async with self._runner.flow(entry.origin) as flow:
            attempt = await self._resume(flow, entry, sealed, factor_name)
            await flow.reserve(Hit(self._challenges, accounts.subject_of(attempt.account_id)))
            factor = await self._factors.find(flow.reads, attempt.account_id, factor_name)
            if factor is None or (factor.proves_mailbox and any(proof.mailbox for proof in attempt.proofs)):
                raise Refused(NOTHING_TO_ASK, "not a factor of this sign-in", counted=False)

            async def work(change: Change) -> Mapping[str, Any]:
                account = await self._lock(change, attempt.account_id, attempt.security_epoch, factor_name)
                return await factor.challenge(change, account, attempt.id)

            return await flow.change(work)

    async def begin_enrolment(self, entry: Entry, sealed: str, factor_name: str) -> Shown:
        """Begin to add a factor, for a sign-in that cannot go on without one; its first answer goes to `proceed`.

        Raises:
            Refused: `attempt_invalid`, `enrolment_refused`, `invalid_credentials` or `too_many_attempts`.
        """
        async with self._runner.flow(entry.origin) as flow:
            attempt = await self._resume(flow, entry, sealed, factor_name)
            await flow.reserve(Hit(self._begun, accounts.subject_of(attempt.account_id)))

            async def work(change: Change) -> Begun:
                change.partial()
                account = await self._lock(change, attempt.account_id, attempt.security_epoch, factor_name)
                own = self.known.hit(entry.known_browser, account.id, account.security_epoch)
                seen = Seen(account, entry.origin, attempt.proofs, own is not None, flow.held.failures_before)
                step, _ = await self._judge.step(change, entry, seen)
                if not isinstance(step, Enrol):
                    raise Refused(NOT_HERE, "the sign-in waits for something else", counted=False)
                return self._enrolments.begin(account, factor_name)

            begun = await flow.change(work)
        again = attempts.seal(self._ring, replace(attempt, begun=begun))
        return Shown(again, begun.factor, self._enrolments.show(begun))

    def enrolment(self, entry: Entry, sealed: str) -> Shown | None:
        """What `begin_enrolment` has shown, to be shown again; None when the attempt adds nothing, or is over."""
        attempt = attempts.unseal(
            self._ring, sealed, entry.pre_session, self._runner.world.now(), entry.delivery
        )
        if attempt is None or attempt.begun is None:
            return None
        return Shown(sealed, attempt.begun.factor, self._enrolments.show(attempt.begun))

    async def _resume(self, flow: Flow, entry: Entry, sealed: str, factor_name: str) -> Attempt:
        """The sign-in that waits, if it is ours and this browser's."""
        attempt = attempts.unseal(
            self._ring, sealed, entry.pre_session, self._runner.world.now(), entry.delivery
        )
        if attempt is None:
            await flow.reserve(Hit(self._answers, entry.origin.network))
            raise Refused(
                ATTEMPT_INVALID,
                "not ours, expired or another browser's",
                events=(FAILED(method=factor_name, reason="attempt"),),
            )
        flow.concerns(attempt.account_id)
        return attempt

    async def _answer_along(self, flow: Flow, standing: Standing, answer: Secret, method: str) -> Standing:
        """Try a code that came with the first proof against every enrolled factor, in their order."""
        account_id = standing.attempt.account_id
        names = await self._factors.enrolled(flow.reads, account_id)
        for name in names:
            proven = await self._factors.by_name[name].prove(
                flow.reads, account_id, answer, standing.attempt.id
            )
            if proven is not None:
                return standing.showing(proven)
        if names:
            raise self._failed(method, "wrong code sent along", account_id)
        return standing

    async def _decide(self, change: Change, standing: Standing, method: str) -> Outcome:
        """In the one write transaction: take the proofs, decide on fresh facts, and act on the decision."""
        attempt = standing.attempt
        account = await self._lock(change, attempt.account_id, attempt.security_epoch, method)
        if standing.enrolment is not None:
            await self._enrolments.hold(change, account.id)
        for proven in standing.proven:
            if proven.take is not None and not await proven.take(change):
                raise self._failed(method, "the proof was used before", account.id)
        if any(proven.alters_account for proven in standing.proven):
            account = await self._lock(change, attempt.account_id, None, method)
            attempt = replace(attempt, security_epoch=account.security_epoch)
        proofs = standing.proofs
        seen = Seen(account, standing.entry.origin, proofs, standing.is_known, standing.failures)
        step, caution = await self._judge.step(change, standing.entry, seen)
        match step:
            case Refuse():
                events = [FAILED(account.id, method=method, reason=step.reason)]
                if step.code is SUSPICIOUS:
                    events.append(caution.event(seen, Measure.REFUSE, method))
                raise Refused(step.code, step.reason, counted=step.counted, events=tuple(events))
            case Ask() | Enrol():
                change.partial()
                asked = FACTOR_ASKED if isinstance(step, Ask) else ASKED
                await change.emit(asked(account.id, method=method, factors=list(step.factors)))
                sealed = attempts.seal(self._ring, replace(attempt, proofs=proofs))
                if isinstance(step, Enrol):
                    return EnrolmentRequired(sealed, step.factors)
                return FactorRequired(sealed, step.factors, await self.trust.offer(change, standing))
            case Complete():
                # Only now: who has not proven everything learns nothing about the account (L16).
                await self._networks.admit(change, standing.entry.origin, attempt.account_id)
                return await self._complete(change, standing, seen, step, caution, method)
            case _:
                assert_never(step)

    async def _complete(
        self,
        change: Change,
        standing: Standing,
        seen: Seen,
        step: Complete,
        caution: Caution,
        method: str,
    ) -> SignedIn:
        attempt, account = standing.attempt, seen.account
        is_cookie = attempt.delivery == COOKIE
        if standing.is_resumed and not await self._once.claim(
            change, self._attempt_use, attempt.id, attempt.expires_at
        ):
            raise Refused(
                ATTEMPT_INVALID, "used before", events=(FAILED(account.id, method=method, reason="replay"),)
            )
        replaces = standing.entry.replaces
        if replaces is not None and replaces.session_id:
            await self._sessions.end(change, replaces.account_id, replaces.session_id, "replaced")
        session, token = await self._sessions.start(
            change,
            account,
            step.amr,
            step.acr,
            is_remembered=attempt.is_remembered and is_cookie,
            span=None if is_cookie else self._tokens.span,
            until=step.until,
        )
        done = SIGNED_IN(
            account.id,
            method=method,
            amr=list(step.amr),
            session_id=session.id,
            is_known_browser=standing.is_known,
            is_trusted_device=step.trusted_device is not None,
        )
        await change.emit(done.carrying(account))
        if caution.signals:
            await change.emit(caution.event(seen, caution.measure, method, session.id))
        trusted = await self.trust.follow(change, standing, account, step, session.id)
        enrolment = standing.enrolment
        spares = await self._enrolments.store(change, account.id, enrolment) if enrolment else ()
        along = [issue for proven in standing.proven for issue in proven.spares]
        spares = (*spares, *[secret for issue in along for secret in await issue(change)])
        if is_cookie:
            return SignedIn(account, session, token, spares, trusted=trusted)
        family = await self._tokens.begin(change, session, attempt.delivery)
        return SignedIn(account, session, Secret(""), spares, family, trusted=trusted)

    async def _lock(self, change: Change, account_id: str, epoch: int | None, method: str) -> Account:
        try:
            return await accounts.lock_active(change, account_id, epoch)
        except Refused as refused:
            raise self._failed(method, refused.reason, account_id) from refused

    def _failed(self, method: str, reason: str, account_id: str | None) -> Refused:
        return Refused(
            INVALID_CREDENTIALS, reason, events=(FAILED(account_id, method=method, reason=reason),)
        )
