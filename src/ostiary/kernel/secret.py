"""Owns `Secret`: a value that cannot be printed, logged, pickled or compared with ``==``.

It refuses to be convenient: the only ways out are `reveal` and `matches`.
"""

import hmac
from typing import Final, NoReturn

_MASK: Final = "Secret(***)"


class Secret:
    """A password, token, code or key on its way through the program (L34).

    Args:
        value: Text is kept as UTF-8 bytes; bytes are kept as they are.
    """

    __slots__ = ("_value",)
    __hash__ = None  # type: ignore[assignment]  # a hash would allow dict lookups, which compare with ==

    def __init__(self, value: str | bytes) -> None:
        self._value = value.encode() if isinstance(value, str) else bytes(value)

    def reveal(self) -> str:
        """The text, for the one place that must hand it on (a cookie, a mail, a driver)."""
        return self._value.decode()

    def reveal_bytes(self) -> bytes:
        """The bytes, for hashing and sealing."""
        return self._value

    def matches(self, other: "Secret | bytes | str") -> bool:
        """Whether both hold the same bytes, in time that does not depend on where they differ."""
        if isinstance(other, Secret):
            other = other._value
        elif isinstance(other, str):
            other = other.encode(errors="surrogatepass")
        return hmac.compare_digest(self._value, other)

    def __len__(self) -> int:
        return len(self._value)

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> NoReturn:
        raise TypeError("compare secrets with Secret.matches, never with == (L34)")

    def __ne__(self, other: object) -> NoReturn:
        raise TypeError("compare secrets with Secret.matches, never with != (L34)")

    def __repr__(self) -> str:
        return _MASK

    def __format__(self, spec: str) -> str:
        return _MASK

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is never pickled or copied out of the process")
