"""Owns `Ostiary` for hosts that have threads and no event loop: the same methods, which wait for their answer.

There is no second implementation: every method is the asynchronous one of `ostiary.integrations.host`, called through
the portal.
"""

from collections.abc import Awaitable, Callable, Coroutine
from functools import partial, wraps
from typing import Any, Concatenate, Final, ParamSpec, Self, TypeVar, cast

from ostiary.engine.engine import Engine
from ostiary.http.csrf import SAFE_METHODS
from ostiary.integrations import host
from ostiary.integrations.demands import Fields, HostVisit
from ostiary.integrations.portal import Portal
from ostiary.integrations.wsgi import Bridge

P = ParamSpec("P")
T = TypeVar("T")


def _waiting(
    method: Callable[Concatenate[host.Ostiary, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate["Ostiary", P], T]:
    @wraps(method)
    def call(self: "Ostiary", *args: P.args, **kwargs: P.kwargs) -> T:
        real_args = [self.real(one) for one in args]
        real_kwargs = {name: self.real(one) for name, one in kwargs.items()}
        return self.portal.call(partial(method, self.asynchronous, *real_args, **real_kwargs))

    return cast(Callable[Concatenate["Ostiary", P], T], call)


class Ostiary:
    """ostiary inside a synchronous application.

    Its engine lives in one background event loop per process, which the first call or request starts, which ends with
    the process, and which no fork carries over.

    Args:
        made: What exists already and does not run, such as a test's engine; otherwise it is made from the settings.
        given: As for `ostiary.integrations.host.Ostiary`: ``ribs``, ``roles``, ``policies``, ``kinds``, ``pages``,
            ``token_claims``, and the settings.

    Raises:
        Misuse: the settings do not fit together; the message says what to set.
    """

    def __init__(self, made: Engine | host.Ostiary | None = None, **given: Any) -> None:
        self.asynchronous: Final = made if isinstance(made, host.Ostiary) else host.Ostiary(made, **given)
        self.portal: Final = Portal(self.asynchronous)
        self.bridge: Final = Bridge(self.portal)

    @classmethod
    def from_env(cls, **given: Any) -> Self:
        """The same with settings from the environment (``OSTIARY_…``), overridden by those given here."""
        return cls(host.Ostiary.from_env(**given))

    @property
    def engine(self) -> Engine:
        """What this object stands for."""
        return self.asynchronous.engine

    profile = _waiting(host.Ostiary.profile)
    set_profile = _waiting(host.Ostiary.set_profile)
    standing = _waiting(host.Ostiary.standing)
    grant_role = _waiting(host.Ostiary.grant_role)
    revoke_role = _waiting(host.Ostiary.revoke_role)

    def start(self) -> None:
        """Start now instead of with the first call; what is wrong is told here."""
        self.portal.start()

    def stop(self) -> None:
        """Finish deliveries and give every connection back; the next call starts again."""
        self.portal.close()

    def real(self, value: Any) -> Any:
        """What stands behind a value that means something in the caller's thread alone."""
        return value

    def ask(
        self, visit: HostVisit, read_form: Callable[[], Fields], question: Callable[[HostVisit], Awaitable[T]]
    ) -> T:
        """Answer a question about a request, such as a demand.

        Args:
            visit: The request.
            read_form: Reads its form, here in the caller's thread: the loop must not wait for a slow client.
            question: Asked in the engine's loop.

        Raises:
            Refused: the question's.
            Unavailable: the engine cannot answer.
        """
        if visit.scope["method"] not in SAFE_METHODS and self.portal.call(visit.wants_form):
            visit.form = read_form()

        async def answer() -> T:
            return await question(visit)

        return self.portal.call(answer)
