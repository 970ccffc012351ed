"""Owns an RSA modulus of the shape that the generator of CVE-2017-15361 made, built from its published description."""

from functools import cache
from math import prod

# The primes up to 701 for keys below 3072 bits, those up to 1427 for keys of 3968 bits and more; see section 2 of
# "The Return of Coppersmith's Attack" (Nemec, Sys, Svenda, Klinec, Matyas; 2017).
_LAST_PRIME = 701


@cache
def roca_modulus(bits: int) -> int:
    """A product of two primes k·M + (65537^a mod M)."""
    small = [n for n in range(2, _LAST_PRIME + 1) if all(n % d for d in range(2, n))]
    product = prod(small)
    first = _prime(bits // 2, product, 3)
    return first * _prime(bits // 2, product, 5, above=(1 << bits) // (2 * first))


def _prime(bits: int, product: int, power: int, above: int = 0) -> int:
    rest = pow(65537, power, product)
    candidate = max(3 << (bits - 2), above) // product * product + product + rest
    while pow(2, candidate - 1, candidate) != 1:
        candidate += product
    return candidate
