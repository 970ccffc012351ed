"""What an operator may choose about passwords, and what is refused at start."""

from datetime import timedelta

import pytest

from ostiary.core.passwords.calibration import FLOOR, calibrate
from ostiary.core.passwords.schemes import Argon2id, Bcrypt, Pbkdf2Sha256, Scheme, Scrypt
from ostiary.core.passwords.settings import PasswordSettings
from ostiary.kernel.errors import Misuse
from ostiary.kernel.settings import Settings
from ostiary.kernel.world import World


def built(**given: object) -> PasswordSettings:
    return Settings([PasswordSettings], given).of(PasswordSettings)


@pytest.mark.parametrize(
    ("given", "scheme"),
    [
        ({}, Argon2id(19456, 2, 1)),
        ({"hash_profile": "strong"}, Argon2id(65536, 3, 4)),
        ({"hash_scheme": "bcrypt"}, Bcrypt(12)),
        ({"hash_scheme": "scrypt"}, Scrypt(17, 8, 1)),
        ({"hash_scheme": "pbkdf2-sha256"}, Pbkdf2Sha256(600_000)),
        ({"argon2_memory_kib": "47104", "argon2_time": "1"}, Argon2id(47104, 1, 1)),
        ({"argon2_memory_kib": 12288, "argon2_time": 3}, Argon2id(12288, 3, 1)),
        ({"argon2_memory_kib": 9216, "argon2_time": 4}, Argon2id(9216, 4, 1)),
        ({"argon2_memory_kib": 7168, "argon2_time": 5}, Argon2id(7168, 5, 1)),
    ],
)
def test_schemes_and_profiles(given: dict[str, object], scheme: Scheme) -> None:
    """The scheme, the profile and single costs give the costs they name, at OWASP's equivalents too."""
    assert built(**given).scheme == scheme


@pytest.mark.parametrize(
    ("given", "floor"),
    [
        ({"argon2_memory_kib": 19455}, "19456 KiB with time 2"),
        ({"argon2_time": 1}, "47104 KiB with time 1"),
        ({"argon2_memory_kib": 7167, "argon2_time": 9}, "7168 KiB with time 5"),
        ({"bcrypt_cost": 11}, "which is 12"),
        ({"scrypt_log2_n": 16}, "which is 17"),
        ({"pbkdf2_iterations": 599_999}, "which is 600000"),
    ],
)
def test_costs_below_the_floor_are_refused(given: dict[str, object], floor: str) -> None:
    """S-A11: no setting gets below OWASP's floor, and the refusal says what the floor is."""
    with pytest.raises(Misuse, match=floor):
        built(**given)


@pytest.mark.parametrize(
    "given",
    [
        {"bcrypt_cost": 17},
        {"scrypt_log2_n": 23},
        {"argon2_memory_kib": 2_000_000},
        {"argon2_time": 1000},
        {"argon2_parallelism": 0},
        {"pbkdf2_iterations": 20_000_000},
        {"hash_workers": 0},
        {"hash_queue": 0},
        {"hash_niceness": 20},
        {"hash_niceness": -1},
        {"password_min_length": 7},
        {"password_max_length": 63},
        {"password_max_length": 1025},
        {"password_min_length": 129},
        {"hash_scheme": "md5"},
        {"password_preset": "none"},
    ],
)
def test_absurd_values_are_refused(given: dict[str, object]) -> None:
    """What could not be verified later, or weakens the rules below every standard, is refused at start."""
    with pytest.raises(Misuse, match=next(iter(given)).split("_", maxsplit=1)[0]):
        built(**given)


def test_every_single_rule_overrides_the_preset() -> None:
    """Each rule can be set on its own; what is not set comes from the preset."""
    rules = built(
        password_preset="composition12",
        password_min_length=20,
        password_max_length=200,
        password_require_digit=False,
        password_blocklist="no",
        password_context_words="Fjordbank, Fjord",
    ).rules()
    assert (rules.min_length, rules.max_length, rules.require_digit, rules.blocklist) == (
        20,
        200,
        False,
        False,
    )
    assert (rules.require_upper, rules.context_words) == (True, ("Fjordbank", "Fjord"))


def test_second_factor_reaches_the_preset() -> None:
    """`nist63b4` asks for 8 where a second factor is enforced, and for 15 otherwise."""
    settings = built(password_preset="nist63b4")
    assert (settings.rules().min_length, settings.rules(second_factor_enforced=True).min_length) == (15, 8)


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (10, FLOOR),
        (20, FLOOR),
        (48, Argon2id(44032, 2, 1)),
        (270, Argon2id(262144, 2, 1)),
        (405, Argon2id(262144, 3, 1)),
    ],
)
def test_calibration_grows_memory_first_and_stays_above_the_floor(target: int, expected: Argon2id) -> None:
    """Calibrating suggests the dearest costs within the target, memory before passes, never less than the floor."""

    def measure(scheme: Argon2id) -> timedelta:
        return timedelta(milliseconds=20) * (scheme.m * scheme.t / (FLOOR.m * FLOOR.t))

    result = calibrate(timedelta(milliseconds=target), World(), measure=measure)
    assert result.within_target == (result.took <= timedelta(milliseconds=target))
    assert built(**result.settings).scheme == result.scheme
    assert result.scheme == expected


def test_calibration_measures_by_the_worlds_clock() -> None:
    """Without a measure of the test's own, calibration hashes and times it."""
    result = calibrate(timedelta(microseconds=1), World())
    assert result.took > timedelta(0)
    assert (result.within_target, result.scheme) == (False, FLOOR)
