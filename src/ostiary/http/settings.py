"""Owns what an operator says about the HTTP surface: base URL, proxies, front ends, limits."""

import re
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from ostiary.kernel.errors import Misuse
from ostiary.kernel.settings import setting

_ORIGIN: Final = re.compile(
    r"(https?)://(\[[0-9a-f:.]+\]|[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?)(?::([0-9]{1,5}))?", re.ASCII
)
_VISIBLE: Final = re.compile(r"[!-~]+", re.ASCII)
_DEFAULT_PORT: Final = {"https": 443, "http": 80}
# What `csp_extra` may widen; frame-ancestors, base-uri and object-src stay 'none' whatever an operator writes.
CSP_DIRECTIVES: Final = frozenset({
    "connect-src", "font-src", "form-action", "frame-src", "img-src", "manifest-src", "media-src", "script-src",
    "style-src", "worker-src",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class ParsedBase:
    """An origin that was parsed strictly: scheme, host and port, and nothing else.

    Attributes:
        origin: As browsers serialize it (RFC 6454 section 6.2): lower case, no default port, no trailing slash.
        host: The host alone.
        is_https: Whether cookies are `Secure`, HSTS is sent and http is redirected.
    """

    origin: str
    host: str
    is_https: bool

    @property
    def is_name(self) -> bool:
        """Whether the host is a name; browsers know no passkeys on bare addresses (WebAuthn section 5.1.3)."""
        try:
            ip_address(self.host.strip("[]"))
        except ValueError:
            return True
        return False

    def link(self, path: str) -> str:
        """An absolute URL on this origin; the only way in which links are made (L08)."""
        return self.origin + path


def is_loopback(host: str) -> bool:
    """Whether a host name is this machine by its very name (RFC 6761 section 6.3) or address."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def parse_base_url(url: str) -> ParsedBase:
    """Read an origin such as ``https://auth.example.com``; plain http only on loopback.

    Raises:
        ValueError: it is anything else; the message says what is expected.
    """
    match = _ORIGIN.fullmatch(url.strip().lower().removesuffix("/"))
    if match is None:
        raise ValueError('expected scheme, host and port only, such as "https://auth.example.com"')
    scheme, host, port = match[1], match[2], int(match[3] or _DEFAULT_PORT[match[1]])
    if not 0 < port < 65536:
        raise ValueError("the port is out of range")
    if host.startswith("["):
        host = f"[{ip_address(host[1:-1])}]"
    if scheme == "http" and not is_loopback(host):
        raise ValueError("must be https; plain http is for loopback hosts only")
    origin = f"{scheme}://{host}" + ("" if port == _DEFAULT_PORT[scheme] else f":{port}")
    return ParsedBase(origin, host, scheme == "https")


def check_base_url(url: str, dev: bool) -> ParsedBase:
    """The base URL that an engine may start with: https, or plain http on loopback while developing.

    Raises:
        Misuse: the URL is missing, malformed or not https.
    """
    if not url:
        raise Misuse('base_url: must be given, such as "https://auth.example.com"')
    try:
        base = parse_base_url(url)
    except ValueError as error:
        raise Misuse(f"base_url: {error}") from None
    if not (dev or base.is_https):
        raise Misuse("base_url: must be https; plain http is for development (dev=True) only")
    return base


def check_link_target(name: str, url: str) -> None:
    """Judge a page of the operator's own front end that links in mails lead to (E9).

    Args:
        name: The setting, for the message.
        url: The page; the token is added as ``?token=…``.

    Raises:
        ValueError: it is no absolute https URL, or it has a query or a fragment.
    """
    parts = urlsplit(url)
    if not _VISIBLE.fullmatch(url) or "\\" in url:
        raise ValueError(f"{name}: must be an absolute URL without spaces")
    if parts.query or parts.fragment:
        raise ValueError(f"{name}: without query and fragment; the token is added as ?token=…")
    try:
        parse_base_url(f"{parts.scheme}://{parts.netloc}")
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def _check_destination(url: str) -> None:
    parts = urlsplit(url)
    if not _VISIBLE.fullmatch(url) or "\\" in url or parts.fragment or "@" in parts.netloc:
        raise ValueError("after_sign_in: each is an absolute URL without fragment, user info or spaces")
    try:
        parse_base_url(f"{parts.scheme}://{parts.netloc}")
    except ValueError as error:
        raise ValueError(f"after_sign_in: {error}") from None


def _check_csp(words: str) -> None:
    directive, *sources = words.split()
    if directive not in CSP_DIRECTIVES:
        raise ValueError(f"csp_extra: an entry starts with one of {', '.join(sorted(CSP_DIRECTIVES))}")
    for source in sources:
        weak = "unsafe" in source.lower() or source.startswith("*") or source in {"https:", "http:"}
        if weak or not _VISIBLE.fullmatch(source) or any(c in source for c in ";,\"'"):
            raise ValueError(
                "csp_extra: sources are exact hosts; keywords, unsafe-* and wildcards are refused"
            )
    if not sources:
        raise ValueError("csp_extra: an entry is a directive and its sources")


@dataclass(frozen=True, slots=True)
class HttpSettings:
    """The HTTP surface."""

    base_url: str = setting(
        "", doc="Where browsers reach ostiary; links are made from it and from nothing else."
    )
    trusted_proxies: int = setting(
        0, doc="How many proxies of yours stand in front; 0 trusts no X-Forwarded-*."
    )
    front_end_origins: tuple[str, ...] = setting(
        (), doc="Exact origins of your own front ends: CORS with credentials."
    )
    token_origins: tuple[str, ...] = setting(
        (),
        doc="Of `front_end_origins`, those whose scripts may hold tokens: `delivery: tokens` and one-time codes.",
    )
    token_cookies: bool = setting(
        False,
        doc="Whether a browser may keep a session as two cookies with tokens (`delivery: token_cookies`).",
    )
    body_limit: int = setting(65536, doc="Largest request body in bytes.")
    hsts_preload: bool = setting(False, doc="Add `preload` to Strict-Transport-Security.")
    csp_extra: tuple[str, ...] = setting(
        (), doc='Additions to the pages\' CSP, such as "img-src https://cdn.example".'
    )
    after_sign_in: tuple[str, ...] = setting((), doc="Exact URLs outside ostiary that `next` may lead to.")

    def link(self, path: str) -> str:
        """The absolute address of a path of ours."""
        return self.base_url.rstrip("/") + path

    def __post_init__(self) -> None:
        if not 0 <= self.trusted_proxies <= 10:
            raise ValueError("trusted_proxies: must be 0 to 10")
        if not 1024 <= self.body_limit <= 16_777_216:
            raise ValueError("body_limit: must be 1024 to 16777216 bytes")
        if self.base_url:
            try:
                parse_base_url(self.base_url)
            except ValueError as error:
                raise ValueError(f"base_url: {error}") from None
        for origin in self.front_end_origins:
            try:
                parsed = parse_base_url(origin)
            except ValueError as error:
                raise ValueError(f"front_end_origins: {error}") from None
            if parsed.origin != origin:
                raise ValueError(
                    "front_end_origins: write each as browsers send it: lower case, no slash at the end"
                )
        if strangers := set(self.token_origins) - set(self.front_end_origins):
            raise ValueError(f"token_origins: not in front_end_origins: {', '.join(sorted(strangers))}")
        for url in self.after_sign_in:
            _check_destination(url)
        for words in self.csp_extra:
            _check_csp(words or " ;")
