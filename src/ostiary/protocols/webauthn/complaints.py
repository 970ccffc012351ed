"""Owns what becomes of whatever the library trips over in a stranger's CBOR, key or certificate: a wrong answer."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

from ostiary.protocols.webauthn.client_data import InvalidAnswerError

_TRIPS: Final = (
    ArithmeticError,
    AttributeError,
    InvalidSignature,
    LookupError,
    RecursionError,
    TypeError,
    UnsupportedAlgorithm,
    ValueError,
    x509.DuplicateExtension,
    x509.ExtensionNotFound,
    x509.InvalidVersion,
)


@contextmanager
def complaints() -> Iterator[None]:
    """Around every call of the library.

    Raises:
        InvalidAnswerError: It complained.
    """
    from webauthn.helpers.exceptions import WebAuthnException  # slow to import, and seldom needed

    try:
        yield
    except InvalidAnswerError:
        raise
    except (WebAuthnException, *_TRIPS) as error:
        # Where the library quotes, it quotes the stranger.
        said = str(error).partition('"')[0]
        raise InvalidAnswerError(f"{type(error).__name__}: {said}"[:200]) from error
