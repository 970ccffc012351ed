"""Owns the eight cookies: their names and flags, how they are written, and a strict reader."""

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from ostiary.http.settings import ParsedBase
from ostiary.kernel.errors import Misuse
from ostiary.kernel.secret import Secret

Header = tuple[bytes, bytes]

_VALUE: Final = re.compile(rb"[A-Za-z0-9._~-]{1,3800}")  # browsers keep 4096 bytes of name, value and flags
_STEM: Final = b"ostiary"
_LONGEST: Final = 32_768
REFRESH_PATH: Final = "/auth"
LONGEST_AGE: Final = timedelta(days=400)  # RFC 6265bis section 5.5: browsers keep no cookie longer


@dataclass(frozen=True, slots=True)
class Presented:
    """What a request brought.

    Attributes:
        session: The session cookie's value, or None.
        csrf: The CSRF cookie's value, or None.
        pre: The pre-session cookie's value, or None.
        known: The known-browser cookie's value, or None.
        note: What one page told the next, sealed, or None.
        access: An access token, which may have expired, or None; sent with every request.
        refresh: ``session id.refresh token``, or None; sent to the JSON API alone.
        trust: The value of the cookie of a browser that is trusted with the second step, or None.
        is_unusable: A cookie of ours was there twice, or garbled. Whoever can plant cookies (a sibling domain, plain
            http) must not choose which of two counts, so none does.
    """

    session: str | None = None
    csrf: str | None = None
    pre: str | None = None
    known: str | None = None
    note: str | None = None
    access: str | None = None
    refresh: str | None = None
    trust: str | None = None
    is_unusable: bool = False


NOTHING: Final = Presented()
_UNUSABLE: Final = Presented(is_unusable=True)


class Cookies:
    """Names, writers and reader of the cookies.

    Args:
        base: The configured base URL; the `__Host-` prefix follows it and never the request.
        with_tokens: Sessions may be kept as two cookies with tokens, so they are cleared with the others.
    """

    def __init__(self, base: ParsedBase, *, with_tokens: bool = False) -> None:
        prefix = "__Host-" if base.is_https else ""
        self.session: Final = f"{prefix}ostiary"
        self.csrf: Final = f"{prefix}ostiary-csrf"
        self.pre: Final = f"{prefix}ostiary-pre"
        self.known: Final = f"{prefix}ostiary-known"
        self.note: Final = f"{prefix}ostiary-note"
        self.trust: Final = f"{prefix}ostiary-trust"
        self.access: Final = f"{prefix}ostiary-access"
        # A path of its own forbids `__Host-`. No page and no host's route ever gets to see it.
        self.refresh: Final = f"{'__Secure-' if base.is_https else ''}ostiary-refresh"
        secure = "; Secure" if base.is_https else ""
        self._shut = f"; Path=/{secure}; HttpOnly; SameSite=Lax"
        # Scripts read this one: they send it back as X-CSRF-Token.
        self._open = f"; Path=/{secure}; SameSite=Lax"
        self._narrow = f"; Path={REFRESH_PATH}{secure}; HttpOnly; SameSite=Strict"
        names = (
            self.session,
            self.csrf,
            self.pre,
            self.known,
            self.note,
            self.access,
            self.refresh,
            self.trust,
        )
        self._names = tuple(name.encode() for name in names)
        self._clearing = {
            name: (b"set-cookie", f"{name}=; Max-Age=0{flags}".encode())
            for name, flags in (
                (self.session, self._shut),
                (self.csrf, self._open),
                (self.pre, self._shut),
                (self.access, self._shut),
                (self.refresh, self._narrow),
            )
        }
        self._cleared = (
            self.session,
            self.csrf,
            *((self.access, self.refresh) if with_tokens else ()),
        )
        self._starts = (f"{self.session}=".encode(), f"{self.access}=".encode())

    def set_session(self, token: Secret, keep_for: timedelta | None = None) -> Header:
        """The header that hands out a session.

        Args:
            token: `id.secret`.
            keep_for: For remembered sessions, how long browsers keep it; otherwise it ends with the browser.
        """
        return self._write(self.session, token.reveal(), self._shut, keep_for)

    def set_tokens(self, access: Secret, refresh: Secret, keep_for: timedelta) -> list[Header]:
        """The headers that hand out a session as an access and a refresh cookie.

        Args:
            access: The access token. Its cookie outlives it: pages are not sent the other one, and must know whose
                session a browser still holds to end it.
            refresh: ``session id.refresh token``.
            keep_for: How long that is good.
        """
        return [
            self._write(self.access, access.reveal(), self._shut, keep_for),
            self._write(self.refresh, refresh.reveal(), self._narrow, keep_for),
        ]

    def set_csrf(self, token: str, keep_for: timedelta | None = None) -> Header:
        """The header that hands out the CSRF token; it lives as long as the session cookie."""
        return self._write(self.csrf, token, self._open, keep_for)

    def set_pre(self, value: str, keep_for: timedelta | None = None) -> Header:
        """The header that binds a sign-in in progress to this browser."""
        return self._write(self.pre, value, self._shut, keep_for)

    def set_known(self, note: Secret, keep_for: timedelta) -> Header:
        """The header that lets a browser be recognised at its next sign-in."""
        return self._write(self.known, note.reveal(), self._shut, keep_for)

    def set_trust(self, value: Secret, keep_for: timedelta) -> Header:
        """The header that lets a browser be spared the second step."""
        return self._write(self.trust, value.reveal(), self._shut, keep_for)

    def set_note(self, sealed: str, keep_for: timedelta) -> Header:
        """The header that carries what one page has to tell the next across a redirect."""
        return self._write(self.note, sealed, self._shut, keep_for)

    def _write(self, name: str, value: str, flags: str, keep_for: timedelta | None) -> Header:
        if not _VALUE.fullmatch(value.encode()):
            raise Misuse(
                f"the value for cookie {name} has characters outside A-Z a-z 0-9 . _ ~ - or is too long"
            )
        age = ""
        if keep_for is not None:
            age = f"; Max-Age={max(0, min(keep_for, LONGEST_AGE) // timedelta(seconds=1))}"
        return b"set-cookie", f"{name}={value}{age}{flags}".encode()

    def clear_session(self) -> list[Header]:
        """The headers that take back whatever keeps a session, and the CSRF token."""
        return [self._clearing[name] for name in self._cleared]

    def clear_other(self, found: Presented, *, has_tokens: bool) -> list[Header]:
        """The headers that take back what kept a session in the other way than the one that now begins."""
        if has_tokens:
            return [self._clearing[self.session]] if found.session is not None else []
        names = [self.access, self.refresh] if found.access is not None or found.refresh is not None else []
        return [self._clearing[name] for name in names]

    def clear_pre(self) -> Header:
        """The header that ends the binding of a sign-in in progress."""
        return self._clearing[self.pre]

    def sets_session(self, header: Header) -> bool:
        """Whether a response header hands out or takes back what keeps a session."""
        return header[0] == b"set-cookie" and header[1].startswith(self._starts)

    def read(self, header: bytes | None) -> Presented:
        """What a Cookie header holds of ours (RFC 6265bis section 5.8.3); foreign cookies are skipped unparsed."""
        if header is None or _STEM not in header:
            return NOTHING
        if len(header) > _LONGEST:
            return _UNUSABLE
        found: dict[bytes, str] = {}
        for pair in header.split(b";"):
            name, equals, value = pair.strip(b" \t").partition(b"=")
            if name not in self._names:
                continue
            if not equals or name in found or not _VALUE.fullmatch(value):
                return _UNUSABLE
            found[name] = value.decode()
        session, csrf, pre, known, note, access, refresh, trust = (found.get(name) for name in self._names)
        return Presented(session, csrf, pre, known, note, access, refresh, trust)
