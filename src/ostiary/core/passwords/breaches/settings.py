"""Owns what an operator says about breached passwords."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final, Literal

from ostiary.kernel.settings import setting

_SHORTEST: Final = timedelta(milliseconds=100)
_LONGEST: Final = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class BreachSettings:
    """Breached passwords."""

    breached_passwords: Literal["off", "range", "file"] = setting(
        "off",
        doc="Refuse new passwords that are known from breaches: ask a service by `range`, look into a `file` of yours.",
    )
    breach_range_url: str = setting(
        "https://api.pwnedpasswords.com/range/",
        doc="The service that `range` asks; five hex digits are put at its end.",
    )
    breach_range_timeout: timedelta = setting(
        timedelta(seconds=1), doc="The longest wait for that service; the password then passes this check."
    )
    breach_corpus_file: Path | None = setting(
        None, doc="What `file` looks into: the corpus sorted by hash, or a folder of range files."
    )

    def __post_init__(self) -> None:
        if not _SHORTEST <= self.breach_range_timeout <= _LONGEST:
            raise ValueError("breach_range_timeout: must be 100ms to 10s")
        if not self.breach_range_url.endswith("/"):
            raise ValueError("breach_range_url: must end with a slash")
        if self.breached_passwords == "file" and self.breach_corpus_file is None:
            raise ValueError(
                'breach_corpus_file: must be given when breached_passwords is "file"; docs/operations.md says '
                "where to get one"
            )
