"""Owns which RSA keys are strong enough (RFC 7518 section 3.3), and the fingerprint of ROCA."""

from functools import cache
from typing import Final

from ostiary.protocols.jose.refusals import InvalidKey

FEWEST_BITS: Final = 2048
_MOST_BITS: Final = 8192  # a longer key makes every check of a signature a small denial of service
_SMALLEST_EXPONENT: Final = 65537
# Keys of 2048 bits were made with the product of the primes up to 701, longer ones with more primes than these.
_LARGEST_PRIME: Final = 701


def check_public(modulus: int, exponent: int) -> None:
    """Refuse a weak RSA public key.

    Raises:
        InvalidKey: Fewer than 2048 or more than 8192 bits, an even number, an exponent below 65537, or a modulus
            with the fingerprint of ROCA (CVE-2017-15361).
    """
    bits = modulus.bit_length()
    if bits < FEWEST_BITS:
        raise InvalidKey(f"an RSA key needs at least {FEWEST_BITS} bits, this one has {bits}")
    if bits > _MOST_BITS:
        raise InvalidKey(f"an RSA key may have at most {_MOST_BITS} bits, this one has {bits}")
    if exponent < _SMALLEST_EXPONENT or exponent.bit_length() > 64:
        raise InvalidKey("the exponent of an RSA key must be 65537 or greater, within 64 bits")
    if not modulus % 2 or not exponent % 2:
        raise InvalidKey("modulus and exponent of an RSA key are odd")
    if is_roca(modulus):
        raise InvalidKey("this RSA key was made by a generator known to be broken (ROCA)")


def is_roca(modulus: int) -> bool:
    """Whether a modulus looks like one of the generator of CVE-2017-15361.

    Its primes were of the form ``k·M + (65537^a mod M)`` with M a product of small primes, so modulo each of those the
    product of two is a power of 65537, too. A sound modulus passes for one with a probability below 2**-100.
    """
    # The powers of 65537 modulo a prime are exactly the numbers whose power with its order is 1: the group is cyclic.
    return all(pow(modulus, order, prime) == 1 for prime, order in _orders())


@cache
def _orders() -> tuple[tuple[int, int], ...]:
    """Each small prime with the order of 65537 modulo it."""
    primes = [n for n in range(3, _LARGEST_PRIME + 1, 2) if all(n % d for d in range(3, int(n**0.5) + 1, 2))]
    found = []
    for prime in primes:
        power, order = _SMALLEST_EXPONENT % prime, 1
        while power != 1:
            power = power * _SMALLEST_EXPONENT % prime
            order += 1
        found.append((prime, order))
    return tuple(found)
