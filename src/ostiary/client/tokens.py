"""Owns a user's pair of tokens, and what the issuer's answer to a refresh means. Pure: `now` is an argument."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from ostiary.kernel.errors import SESSION_ENDED, Misuse, Refused, Unavailable
from ostiary.kernel.secret import Secret
from ostiary.protocols import strict_json

MOST_BYTES: Final = 65_536
_TOKEN: Final = re.compile(r"[!-~]{1,16384}", re.ASCII)
_CODE: Final = re.compile(r"[a-z_]{1,64}", re.ASCII)
_WHOLE: Final = re.compile(r"\d{1,6}", re.ASCII)
_LONGEST_LIFE: Final = 400 * 86_400
# Codes about this one try, not about the tokens: trying again later makes sense.
_FOR_NOW: Final = frozenset({408, 425, 429})


class SessionOver(Refused):
    """The issuer gives no new tokens for these: the user has to sign in again.

    Attributes:
        told: The issuer's code, such as ``refresh_token_expired``, ``refresh_token_reused`` or ``session_ended``.
    """

    def __init__(self, told: str) -> None:
        super().__init__(SESSION_ENDED, told)
        self.told = told


@dataclass(frozen=True, slots=True)
class Tokens:
    """A pair of tokens.

    Attributes:
        access_token: Sent with requests.
        refresh_token: Good for one refresh.
        expires_at: When the access token expires, aware; None when that is not known.
    """

    access_token: Secret
    refresh_token: Secret
    expires_at: datetime | None = None

    def __post_init__(self) -> None:
        if self.expires_at is not None and self.expires_at.tzinfo is None:
            raise Misuse("tokens: expires_at needs a time zone, such as UTC")

    @classmethod
    def read(cls, members: Mapping[str, Any], now: datetime) -> "Tokens":
        """The pair in an answer of the issuer, of a sign-in (``delivery: tokens``) or a refresh.

        Args:
            members: The answer's JSON object.
            now: When it came.

        Raises:
            ValueError: it has no pair of bearer tokens; the message repeats nothing of it.
        """
        access, refresh, lasts = (
            members.get(name) for name in ("access_token", "refresh_token", "expires_in")
        )
        if not _is_token(access) or not _is_token(refresh):
            raise ValueError("the answer has no pair of tokens")
        if str(members.get("token_type", "")).lower() != "bearer":
            raise ValueError("the answer's token_type is not Bearer")
        if type(lasts) is not int or not 0 < lasts <= _LONGEST_LIFE:
            raise ValueError("the answer does not say how long the access token lasts")
        return cls(Secret(str(access)), Secret(str(refresh)), now + timedelta(seconds=lasts))


def _is_token(value: object) -> bool:
    return isinstance(value, str) and _TOKEN.fullmatch(value) is not None


def read_answer(status: int, body: bytes, retry_after: str, now: datetime) -> Tokens:
    """What the answer to ``POST /auth/refresh`` means.

    Args:
        status: Of the answer.
        body: Of the answer.
        retry_after: Its header of that name; "" without one.
        now: When it came.

    Raises:
        SessionOver: there will be no new tokens.
        Unavailable: there are none now.
    """
    members = _members(body)
    if status == 200:
        try:
            return Tokens.read(members, now)
        except ValueError as error:
            raise Unavailable(f"refreshing: {error}") from None
    code = members.get("code")
    # Only the issuer itself can end a session: a page of some proxy between, whatever its status, does not.
    if 400 <= status < 500 and status not in _FOR_NOW and isinstance(code, str) and _CODE.fullmatch(code):
        raise SessionOver(code)
    pause = int(retry_after) if _WHOLE.fullmatch(retry_after) else 5
    raise Unavailable(f"refreshing: the issuer answers {status}", timedelta(seconds=pause))


def asks_for_refresh(body: bytes) -> bool:
    """Whether an answer 401 says that new tokens would help: its `code` is `token_expired` or `token_stale`."""
    return _members(body).get("code") in ("token_expired", "token_stale")


def _members(body: bytes) -> dict[str, Any]:
    if len(body) > MOST_BYTES:
        return {}
    try:
        parsed = strict_json.parse(body)
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}
