"""Looking breached passwords up in files of one's own: real ones, large and small, and those that are none."""

import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from ostiary.core.passwords.breaches.corpus import CorpusFile, CorpusFolder
from ostiary.core.passwords.breaches.source import SourceFailed
from ostiary.kernel.errors import Misuse
from ostiary.protocols.breach_range import fingerprint

LINES = 200_000


def line(digits: str, number: int) -> str:
    return f"{digits}:{number * 7919 % 5_000_000 + 1}"


@pytest.fixture(scope="module")
def digits() -> list[str]:
    """Fingerprints of 200 000 passwords, sorted."""
    return sorted(fingerprint(f"breached {number}") for number in range(LINES))


@pytest.fixture(scope="module")
def corpus(digits: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The corpus as it is published: sorted, counts of any length, lines ended by CR and LF."""
    path = tmp_path_factory.mktemp("corpus") / "pwned-passwords-sha1-ordered-by-hash.txt"
    path.write_bytes("".join(f"{line(one, n)}\r\n" for n, one in enumerate(digits)).encode())
    return path


async def test_a_large_corpus_knows_its_own_and_nobody_else(corpus: Path, digits: list[str]) -> None:
    """First, last, and every 400th line are found; neighbours of them and other passwords are not."""
    source = CorpusFile(corpus)
    source.check()
    for one in [digits[0], digits[-1], *digits[::400]]:
        assert await source.knows(one), one
    known = set(digits)
    for one in digits[::400]:
        neighbour = f"{int(one, 16) ^ 1:040X}"
        assert await source.knows(neighbour) is (neighbour in known)
    for number in range(500):
        assert not await source.knows(fingerprint(f"unheard of {number}"))
    assert not await source.knows("0" * 40)
    assert not await source.knows("F" * 40)


async def test_a_large_corpus_is_not_loaded(corpus: Path, digits: list[str]) -> None:
    """Checking and looking up a file of some 10 MB take less than 200 kB of memory."""
    source = CorpusFile(corpus)
    assert len(digits) == LINES
    tracemalloc.start()
    try:
        source.check()
        await source.knows(digits[1234])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 200_000


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("last_end", [True, False], ids=["ended", "not ended"])
async def test_small_corpora_of_every_length(tmp_path: Path, end: str, last_end: bool) -> None:
    """From one line to forty, each line is found and none between, before and after."""
    path = tmp_path / "corpus"
    for count in range(1, 41):
        known = sorted(fingerprint(f"small {number}") for number in range(count))
        text = end.join(line(one, n) for n, one in enumerate(known)) + (end if last_end else "")
        path.write_text(text, newline="")
        source = CorpusFile(path)
        source.check()
        for one in known:
            assert await source.knows(one)
            assert not await source.knows(f"{int(one, 16) + 1:040X}")
            assert not await source.knows(f"{int(one, 16) - 1:040X}")


async def test_other_ways_to_write_a_corpus(tmp_path: Path) -> None:
    """Lower case, no counts; a count of 0 is padding here, too."""
    path = tmp_path / "corpus"
    path.write_text("1" * 40 + "\n" + "a" * 40 + "\n" + "b" * 40 + ":0\n" + "C" * 40 + ":5\n")
    source = CorpusFile(path)
    source.check()
    assert [await source.knows(one * 40) for one in "1ABC2"] == [True, True, False, True, False]


def by_count(digits: list[str]) -> str:
    return "".join(f"{one}:{LINES - n}\n" for n, one in enumerate(sorted(digits, key=lambda one: one[::-1])))


def swapped(digits: list[str]) -> str:
    halves = digits[: LINES // 2], digits[LINES // 2 :]
    return "".join(f"{one}:1\n" for one in [*halves[1], *halves[0]])


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (by_count, "not sorted"),
        (swapped, "not sorted"),
        (lambda digits: "".join(f"{one}:1\n" for one in reversed(digits)), "not sorted"),
        (lambda digits: f"{digits[0]}:1\n" * 1000, "not sorted"),
        (lambda digits: "", "no corpus"),
        (lambda digits: "\n", "no corpus"),
        (lambda digits: "".join(f"{one[:32]}:1\n" for one in digits), "no corpus"),  # NTLM
        (lambda digits: "password\n123456\nqwerty\n", "no corpus"),
        (lambda digits: "x" * 10_000, "no corpus"),
        (lambda digits: "\x1f\x8b\x08" + "\x00" * 500, "no corpus"),
    ],
    ids=[
        "by count", "swapped", "backwards", "repeated", "empty", "blank", "ntlm", "passwords", "one line", "gzip",
    ],
)  # fmt: skip
def test_files_that_are_no_sorted_corpus_are_misuse(
    content: Callable[[list[str]], str], complaint: str, digits: list[str], tmp_path: Path
) -> None:
    """Told at start, with the setting and the way to mend it."""
    path = tmp_path / "corpus"
    path.write_text(content(digits))
    with pytest.raises(Misuse, match=complaint) as misuse:
        CorpusFile(path).check()
    assert "breach_corpus_file" in str(misuse.value)


async def test_missing_and_broken_files(tmp_path: Path) -> None:
    """Misuse at start; later it is a source that failed, not an exception of the disk."""
    path = tmp_path / "corpus"
    with pytest.raises(Misuse, match="cannot read"):
        CorpusFile(path).check()
    with pytest.raises(SourceFailed, match="unreadable"):
        await CorpusFile(path).knows("A" * 40)
    path.write_bytes(b"\x00\xff" * 5000)
    with pytest.raises(SourceFailed, match="garbled"):
        await CorpusFile(path).knows("A" * 40)


async def test_a_corpus_is_replaced_by_renaming(tmp_path: Path) -> None:
    """The next look-up reads the new one."""
    path, draft = tmp_path / "corpus", tmp_path / "draft"
    path.write_text("A" * 40 + ":1\n")
    source = CorpusFile(path)
    assert await source.knows("A" * 40)
    draft.write_text("B" * 40 + ":1\n")
    draft.rename(path)
    assert not await source.knows("A" * 40)
    assert await source.knows("B" * 40)


@pytest.fixture(params=["", ".txt"], ids=["plain", "txt"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A folder with the ranges that a start looks at, and that of "password"."""
    made = tmp_path / "ranges"
    made.mkdir()
    for number in range(16):
        (made / f"{0xFFFFF * number // 15:05X}{request.param}").write_text("0" * 35 + ":1\r\n")
    digits = fingerprint("password")
    (made / f"{digits[:5]}{request.param}").write_text(f"{'0' * 35}:1\r\n{digits[5:]}:52256179\r\n")
    return made


async def test_a_folder_of_ranges(folder: Path) -> None:
    """One file for each prefix, with or without an ending; a missing one is a source that failed."""
    source = CorpusFolder(folder)
    source.check()
    assert await source.knows(fingerprint("password"))
    assert not await source.knows("00000" + "1" * 35)
    with pytest.raises(SourceFailed, match="missing"):
        await source.knows("00001" + "0" * 35)


async def test_folders_that_are_none(folder: Path) -> None:
    """A missing range and an odd one are misuse at start; a huge one is not read."""
    last = max(folder.iterdir())  # noqa: ASYNC240  # a small folder of our own
    for body, why in (
        (b"rubbish", "garbled"),
        (b"", "garbled"),
        (("0" * 35 + ":1\n").encode() * 40_000, "too_large"),
    ):
        last.write_bytes(body)
        with pytest.raises(Misuse, match=why) as misuse:
            CorpusFolder(folder).check()
        assert "FFFFF" in str(misuse.value)
        with pytest.raises(SourceFailed, match=why):
            await CorpusFolder(folder).knows("F" * 40)
    last.unlink()
    with pytest.raises(Misuse, match="missing"):
        CorpusFolder(folder).check()
