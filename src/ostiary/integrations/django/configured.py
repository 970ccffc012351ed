"""Owns the one `Ostiary` of a Django project, made from `settings.OSTIARY` when first needed, and the ways to it."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from typing import Any, Final, TypeVar

from django.conf import settings
from django.core.signals import setting_changed
from django.utils.module_loading import import_string

from ostiary.integrations.host import Ostiary
from ostiary.integrations.portal import Portal
from ostiary.kernel.errors import Misuse

SETTING: Final = "OSTIARY"
T = TypeVar("T")


def _made(given: object) -> Ostiary:
    if isinstance(given, str):
        try:
            given = import_string(given)
        except ImportError as error:
            raise Misuse(
                f"{SETTING}: {given!r} cannot be imported ({error}); write settings, or the path of an Ostiary object"
            ) from error
    if isinstance(given, Ostiary):
        return given
    if isinstance(given, Mapping):
        return Ostiary.from_env(**given)
    raise Misuse(
        f'{SETTING}: must be settings such as {{"database": "sqlite:///auth.db", "dev": True}}, an Ostiary object, or '
        f"the dotted path of one; it is {type(given).__name__}"
    )


class _Project:
    """The object and the ways to it, whichever thread asks for them first."""

    def __init__(self) -> None:
        self._making = threading.RLock()  # the module that `OSTIARY` names may ask for the object itself
        self._auth: Ostiary | None = None
        self._portals: dict[Ostiary, Portal] = {}
        self._loops: dict[Ostiary, asyncio.AbstractEventLoop] = {}

    def auth(self) -> Ostiary:
        with self._making:
            if self._auth is None:
                self._auth = _made(getattr(settings, SETTING, {}))
            return self._auth

    def portal(self, auth: Ostiary) -> Portal:
        with self._making:
            if auth not in self._portals:
                self._portals[auth] = Portal(auth)
            return self._portals[auth]

    def served(self, auth: Ostiary, loop: asyncio.AbstractEventLoop | None) -> None:
        with self._making:
            if loop is None:
                self._loops.pop(auth, None)
                return
            if auth in self._portals:
                self._portals[
                    auth
                ].close()  # something called before the server began, such as `AppConfig.ready`
            self._loops[auth] = loop

    def loop(self, auth: Ostiary) -> asyncio.AbstractEventLoop | None:
        found = self._loops.get(auth)
        return found if found is not None and found.is_running() else None

    def forget(self, *, setting: str, **_: Any) -> None:
        """Make another one next time; tests of the host change settings."""
        if setting == SETTING:
            with self._making:
                self._auth = None


_project: Final = _Project()
setting_changed.connect(_project.forget)


def configured() -> Ostiary:
    """The project's ostiary.

    Settings in a dictionary win over those in the environment (``OSTIARY_…``).

    Raises:
        Misuse: the settings do not fit together; the message says what to set.
    """
    return _project.auth()


def portal_of(auth: Ostiary) -> Portal:
    """The way to an ostiary for threads, where no event loop of a server serves it."""
    return _project.portal(auth)


def serves(auth: Ostiary, loop: asyncio.AbstractEventLoop | None) -> None:
    """Note in which event loop a server starts an ostiary, and end its life elsewhere; None when it has stopped."""
    _project.served(auth, loop)


def call(function: Callable[..., Coroutine[Any, Any, T]], *args: Any, **given: Any) -> T:
    """Run an async function of the project's ostiary for synchronous code, in a request or outside of one.

    ``call(configured().grant_role, account_id, "editor", by="shop")``

    Args:
        function: It runs in the event loop that the engine belongs to, which may be a server's or its own.
        args: Its arguments.
        given: Its keyword arguments.

    Raises:
        Misuse: an event loop runs in this thread: await the function instead.
    """
    if in_event_loop():
        raise Misuse("in asynchronous code await the function itself")
    auth = configured()
    work = partial(function, *args, **given)
    loop = _project.loop(auth)
    return (
        portal_of(auth).call(work)
        if loop is None
        else asyncio.run_coroutine_threadsafe(work(), loop).result()
    )


def in_event_loop() -> bool:
    """Whether an event loop runs in this very thread."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
