"""Owns the one `Ostiary` of a Django project, made from `settings.OSTIARY` when it is first needed."""

import threading
from collections.abc import Mapping
from typing import Any, Final

from django.conf import settings
from django.core.signals import setting_changed
from django.utils.module_loading import import_string

from ostiary.integrations.host import Ostiary
from ostiary.kernel.errors import Misuse

SETTING: Final = "OSTIARY"


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
    """The object, whichever thread asks for it first."""

    def __init__(self) -> None:
        self._making = threading.Lock()
        self._auth: Ostiary | None = None

    def auth(self) -> Ostiary:
        with self._making:
            if self._auth is None:
                self._auth = _made(getattr(settings, SETTING, {}))
            return self._auth

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
