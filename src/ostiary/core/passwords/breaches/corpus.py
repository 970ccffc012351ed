"""Owns looking into a corpus on disk: one file sorted by fingerprint, or a folder with a file for each prefix.

Neither is loaded or kept open. A look-up opens it anew, so an operator replaces it by renaming a new one into place.
"""

import asyncio
import os
from itertools import pairwise
from pathlib import Path
from typing import Final

from ostiary.core.passwords.breaches.source import SourceFailed
from ostiary.kernel.errors import Misuse
from ostiary.protocols.breach_range import DIGITS, PREFIX, is_listed, read_line, read_range

# Fingerprint, colon, a count of at most 18 digits, CR and LF.
_LONGEST_LINE: Final = DIGITS + 1 + 18 + 2
_LARGEST_RANGE: Final = 1_048_576
_SAMPLED_LINES: Final = 64
_SAMPLED_RANGES: Final = 16
_MEND: Final = "give the SHA-1 corpus ordered by hash, or the folder of its range files (docs/operations.md)"


class _Malformed(Exception):
    """It is no corpus."""


class CorpusFile:
    """One file of lines "fingerprint:count", sorted by fingerprint; found by binary search.

    Args:
        path: The file.
    """

    name: Final = "file"

    def __init__(self, path: Path) -> None:
        self._path = path

    def check(self) -> None:
        """Look at some places of the file.

        Raises:
            Misuse: it is missing, empty, of another form, or not sorted where it was looked at.
        """
        try:
            with self._path.open("rb", buffering=0) as file:
                size = os.fstat(file.fileno()).st_size
                places = {size * number // _SAMPLED_LINES for number in range(_SAMPLED_LINES)}
                places.add(max(0, size - 1))
                lines = dict(_line_at(file.fileno(), place)[:2] for place in places)
        except OSError as error:
            raise Misuse(f"breach_corpus_file: cannot read {self._path}: {error.strerror}") from None
        except _Malformed:
            raise Misuse(f"breach_corpus_file: {self._path} is no corpus; {_MEND}") from None
        seen = [lines[begin] for begin in sorted(lines)]
        if any(before >= after for before, after in pairwise(seen)):
            raise Misuse(f"breach_corpus_file: {self._path} is not sorted by hash; {_MEND}")

    async def knows(self, digits: str) -> bool:
        """Whether the file lists a fingerprint; some 35 short reads in the largest one there is.

        Raises:
            SourceFailed: the file cannot be read, or is no corpus where it was looked at.
        """
        return await asyncio.to_thread(self._search, digits)

    def _search(self, digits: str) -> bool:
        try:
            with self._path.open("rb", buffering=0) as file:
                low, high = 0, os.fstat(file.fileno()).st_size
                # The line, if there is one, begins at `low` or later and ends at `high` or earlier.
                while low < high:
                    begin, found, is_counted, end = _line_at(file.fileno(), (low + high) // 2)
                    if found == digits:
                        return is_counted
                    low, high = (end, high) if found < digits else (low, begin)
        except OSError:
            raise SourceFailed("unreadable") from None
        except _Malformed:
            raise SourceFailed("garbled") from None
        return False


def _line_at(file: int, place: int) -> tuple[int, str, bool, int]:
    """The line that holds the byte at a place: where it begins, its fingerprint, whether it counts, where it ends."""
    start = max(0, place - _LONGEST_LINE)
    block = os.pread(file, 2 * _LONGEST_LINE, start)
    begin = block.rfind(b"\n", 0, place - start) + 1
    if not begin and start:
        raise _Malformed
    end = block.find(b"\n", place - start)
    if end < 0:
        if len(block) == 2 * _LONGEST_LINE:
            raise _Malformed
        end = len(block) - 1  # the last line needs no line end
    try:
        found, is_counted = read_line(block[begin : end + 1].decode("ascii").rstrip("\r\n"))
    except ValueError:
        raise _Malformed from None
    return start + begin, found, is_counted, start + end + 1


class CorpusFolder:
    """A folder of range answers, one file for each prefix: "0A1B2" or "0A1B2.txt".

    Args:
        path: The folder.
    """

    name: Final = "file"

    def __init__(self, path: Path) -> None:
        self._path = path

    def check(self) -> None:
        """Look at some of the files.

        Raises:
            Misuse: one of them is missing or of another form.
        """
        highest = 16**PREFIX - 1
        for number in range(_SAMPLED_RANGES):
            prefix = f"{highest * number // (_SAMPLED_RANGES - 1):0{PREFIX}X}"
            try:
                self._read(prefix)
            except SourceFailed as failed:
                raise Misuse(
                    f"breach_corpus_file: range {prefix} in {self._path} is {failed.why}; {_MEND}"
                ) from None

    async def knows(self, digits: str) -> bool:
        """Whether the file of the fingerprint's prefix lists it.

        Raises:
            SourceFailed: there is no such file, or it is no range.
        """
        return is_listed(digits, await asyncio.to_thread(self._read, digits[:PREFIX]))

    def _read(self, prefix: str) -> str:
        for name in (prefix, f"{prefix}.txt"):
            try:
                with (self._path / name).open("rb") as file:
                    body = file.read(_LARGEST_RANGE + 1)
            except FileNotFoundError:
                continue
            except OSError:
                raise SourceFailed("unreadable") from None
            if len(body) > _LARGEST_RANGE:
                raise SourceFailed("too_large")
            try:
                return read_range(body)
            except ValueError:
                raise SourceFailed("garbled") from None
        raise SourceFailed("missing")
