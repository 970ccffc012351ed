"""Owns what an operator chooses about passwords: the scheme and its costs, the rules, the pool."""

from dataclasses import dataclass, replace
from typing import Final, Literal

from ostiary.core.passwords.schemes import Argon2id, Bcrypt, Pbkdf2Sha256, Scheme, Scrypt
from ostiary.kernel.settings import setting
from ostiary.protocols.password_rules import PasswordRules, Preset, preset

HashScheme = Literal["argon2id", "bcrypt", "scrypt", "pbkdf2-sha256"]
HashProfile = Literal["default", "strong"]

# argon2id memory, time, lanes; bcrypt cost; scrypt log2 N; PBKDF2 iterations.
_PROFILES: Final[dict[str, tuple[tuple[int, int, int], int, int, int]]] = {
    "default": ((19456, 2, 1), 12, 17, 600_000),
    "strong": ((65536, 3, 4), 13, 18, 1_200_000),
}
_SHORTEST_MINIMUM: Final = 8
_LEAST_MAXIMUM: Final = 64
_MOST_MAXIMUM: Final = 1024
_MOST_WORKERS: Final = 64
_MOST_QUEUE: Final = 10_000
_MOST_NICENESS: Final = 19


@dataclass(frozen=True)
class PasswordSettings:
    """Passwords: hashing, rules and the hashing pool."""

    hash_scheme: HashScheme = setting(
        "argon2id", doc="How new passwords are hashed; the other three still verify."
    )
    hash_profile: HashProfile = setting("default", doc="Costs: `default` is OWASP's least, `strong` more.")
    argon2_memory_kib: int | None = setting(None, doc="Argon2id memory in KiB, instead of the profile's.")
    argon2_time: int | None = setting(None, doc="Argon2id passes, instead of the profile's.")
    argon2_parallelism: int | None = setting(None, doc="Argon2id lanes, instead of the profile's.")
    bcrypt_cost: int | None = setting(
        None, doc="bcrypt cost (log2 of rounds), instead of the profile's; at least 12."
    )
    scrypt_log2_n: int | None = setting(None, doc="scrypt log2 of N, instead of the profile's; at least 17.")
    pbkdf2_iterations: int | None = setting(
        None, doc="PBKDF2 rounds, instead of the profile's; at least 600000."
    )
    password_pepper: bool = setting(
        True, doc="Mix a key from the keyring into hashes; only argon2id can do without."
    )
    password_preset: Preset = setting(
        "default", doc="Rules for new passwords; single rules below override it."
    )
    password_min_length: int | None = setting(
        None, doc="Fewest characters, instead of the preset's; at least 8."
    )
    password_max_length: int = setting(128, doc="Most characters; longer ones are refused before hashing.")
    password_require_upper: bool | None = setting(
        None, doc="Ask for an upper-case letter, instead of the preset's."
    )
    password_require_lower: bool | None = setting(
        None, doc="Ask for a lower-case letter, instead of the preset's."
    )
    password_require_digit: bool | None = setting(None, doc="Ask for a digit, instead of the preset's.")
    password_require_symbol: bool | None = setting(None, doc="Ask for a symbol, instead of the preset's.")
    password_blocklist: bool = setting(True, doc="Refuse common passwords and words of the context.")
    password_context_words: tuple[str, ...] = setting(
        (), doc="Names of site and company; no password is made of them."
    )
    hash_workers: int | None = setting(None, doc="Hashing threads; one per processor but one unless set.")
    hash_queue: int | None = setting(
        None, doc="Waiting hashes before 503; about two seconds of work unless set."
    )
    hash_niceness: int = setting(5, doc="How much hashing threads yield to others (Linux only), 0 to 19.")

    def __post_init__(self) -> None:
        mistakes = [self._scheme_mistake(name) for name in ("argon2id", "bcrypt", "scrypt", "pbkdf2-sha256")]
        mistakes += self._rule_mistakes()
        for name, value, least, most in (
            ("hash_workers", self.hash_workers, 1, _MOST_WORKERS),
            ("hash_queue", self.hash_queue, 1, _MOST_QUEUE),
            ("hash_niceness", self.hash_niceness, 0, _MOST_NICENESS),
        ):
            if value is not None and not least <= value <= most:
                mistakes.append(f"{name}: must be {least} to {most}")
        if found := [mistake for mistake in mistakes if mistake]:
            raise ValueError("; ".join(found))

    def _scheme_mistake(self, name: str) -> str:
        try:
            return self._scheme(name).mistake()
        except ValueError as error:
            return str(error)

    def _rule_mistakes(self) -> list[str]:
        found = []
        if not _LEAST_MAXIMUM <= self.password_max_length <= _MOST_MAXIMUM:
            found.append(f"password_max_length: must be {_LEAST_MAXIMUM} to {_MOST_MAXIMUM}")
        least = self.password_min_length
        if least is not None and not _SHORTEST_MINIMUM <= least <= self.password_max_length:
            found.append(f"password_min_length: must be {_SHORTEST_MINIMUM} to password_max_length")
        return found

    def _scheme(self, name: str) -> Scheme:
        (memory, passes, lanes), cost, log2_n, iterations = _PROFILES[self.hash_profile]
        if name == "bcrypt":
            return Bcrypt(_first(self.bcrypt_cost, cost))
        if name == "scrypt":
            return Scrypt(_first(self.scrypt_log2_n, log2_n))
        if name == "pbkdf2-sha256":
            return Pbkdf2Sha256(_first(self.pbkdf2_iterations, iterations))
        return Argon2id(
            _first(self.argon2_memory_kib, memory),
            _first(self.argon2_time, passes),
            _first(self.argon2_parallelism, lanes),
        )

    @property
    def scheme(self) -> Scheme:
        """What new passwords are hashed with."""
        return self._scheme(self.hash_scheme)

    def rules(self, *, second_factor_enforced: bool = False) -> PasswordRules:
        """What a new password must be: the preset with every single rule that is set.

        Args:
            second_factor_enforced: No account signs in by password alone, which the `nist63b4` preset honours.
        """
        given: dict[str, bool | int | None] = {
            "min_length": self.password_min_length,
            "require_upper": self.password_require_upper,
            "require_lower": self.password_require_lower,
            "require_digit": self.password_require_digit,
            "require_symbol": self.password_require_symbol,
        }
        chosen = preset(self.password_preset, second_factor_enforced=second_factor_enforced)
        return replace(
            chosen,
            max_length=self.password_max_length,
            blocklist=self.password_blocklist,
            context_words=self.password_context_words,
            **{name: value for name, value in given.items() if value is not None},  # type: ignore[arg-type]
        )


def _first(given: int | None, profile: int) -> int:
    return profile if given is None else given
