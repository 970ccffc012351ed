"""The reference pages say what the code declares, and everything declared says what it is."""

import re
from pathlib import Path

import pytest

from ostiary.core.keys.ring import PURPOSES
from ostiary.engine.features import RIBS
from ostiary.engine.settings import groups_of
from ostiary.engine.wire import event_types
from ostiary.kernel.errors import CODES
from ostiary.kernel.settings import declared
from tests.docs.markdown import (
    anchors,
    blocks,
    broken_links,
    markdown_files,
    named_files,
    section,
    without_code,
)
from tests.support.tree import PACKAGE, ROOT, sources
from tools import generate_docs

MAP = ROOT / "docs" / "map.md"
FEWEST_WORDS = 2


def says_nothing(words: str) -> bool:
    """Whether a line of documentation is missing, or no sentence."""
    return len(words.split()) < FEWEST_WORDS or words.rstrip()[-1] not in ".!"


@pytest.mark.parametrize("name", generate_docs.PAGES)
def test_a_generated_page_is_what_the_code_says(name: str) -> None:
    """Whoever changes a setting, a code, an event, a route, a mail, a key or a command also runs `make docs`."""
    generate_docs.import_everything()
    assert (generate_docs.TARGET / name).read_text("utf-8") == generate_docs.PAGES[name](), "run `make docs`"


def test_no_generated_page_is_left_over() -> None:
    """A page that nothing generates any more would stay as it is for ever."""
    assert {path.name for path in generate_docs.TARGET.iterdir()} == set(generate_docs.PAGES)


@pytest.mark.parametrize("words", ["", "Todo.", "No full stop"])
def test_a_missing_line_is_seen(words: str) -> None:
    """The tests below can fail."""
    assert says_nothing(words)


def test_every_setting_is_described() -> None:
    """An operator finds a sentence for every setting."""
    silent = [
        item.name
        for group in groups_of(RIBS)
        for item, _ in declared(group)
        if says_nothing(item.metadata["doc"])
    ]
    assert silent == []


def test_every_error_is_described() -> None:
    """Whoever gets a code finds what caused it and what people read."""
    generate_docs.import_everything()
    silent = [code.name for code in CODES.values() if says_nothing(code.doc) or says_nothing(code.title)]
    assert silent == []


def test_every_event_is_described() -> None:
    """Whoever reads the journal finds what a row means."""
    assert [event.name for event in event_types(RIBS) if says_nothing(event.doc)] == []


def test_every_command_and_option_is_described() -> None:
    """`--help` is never empty."""
    leaves = generate_docs.leaf_commands()
    assert len(leaves) >= 4
    silent = [name for name, command in leaves if says_nothing(command.help or "")]
    silent += [
        f"{name} {option.name}"
        for name, command in leaves
        for option in command.params
        if not getattr(option, "help", "")
    ]
    assert silent == []


def test_every_mail_and_key_is_described() -> None:
    """The one line of each template and of each key purpose is there."""
    silent = [mail.name for mail in generate_docs.all_mails() if says_nothing(mail.doc)]
    silent += [one.name for one in PURPOSES.values() if says_nothing(one.doc)]
    assert silent == []


def test_every_rib_has_its_page() -> None:
    """A feature without a page is a feature that nobody finds."""
    assert [rib.name for rib in RIBS if not (ROOT / "docs" / "features" / f"{rib.name}.md").is_file()] == []


def test_a_rib_page_names_its_routes_settings_and_events() -> None:
    """The page of a feature leaves out nothing that the feature declares."""
    missing = []
    for rib in RIBS:
        page = ROOT / "docs" / "features" / f"{rib.name}.md"
        text = page.read_text("utf-8") if page.is_file() else ""
        names = [
            route.path for part in rib.json_routes for route in part.router.routes if hasattr(route, "path")
        ]
        names += [hot.path for hot in rib.hot_routes]
        names += [item.name for group in rib.settings for item, _ in declared(group)]
        names += [event.name for event in rib.events] + [mail.name for mail in rib.mails]
        missing += [f"{rib.name}: {name}" for name in names if name not in text]
    assert missing == []


def not_in_the_code(page: str) -> list[str]:
    """What a feature's page tells of events, and the code neither has as a value nor as a setting."""
    told = re.findall(r"`(\w+)`", section(page, "Events")) if "\n## Events\n" in page else []
    code = "".join(path.read_text("utf-8") for path in sources())
    settings = {item.name for group in groups_of(RIBS) for item, _ in declared(group)}
    return [word for word in told if f'"{word}"' not in code and word not in settings]


def test_a_page_names_no_outcome_that_there_is_not() -> None:
    """Events, their fields and the values of these, as a page tells them, are in the code."""
    pages = sorted((ROOT / "docs" / "features").glob("*.md"))
    assert {page.stem: wrong for page in pages if (wrong := not_in_the_code(page.read_text("utf-8")))} == {}
    assert not_in_the_code("\n## Events\n\n`password_reset`: `outcome` is `mailed` or `forgiven`\n") == [
        "forgiven"
    ]


def test_every_package_stands_in_the_map() -> None:
    """Whoever looks for a concept finds the folder that owns it."""
    text = MAP.read_text("utf-8")
    folders = [
        path.parent.relative_to(ROOT).as_posix() + "/" for path in sorted(PACKAGE.rglob("__init__.py"))
    ]
    assert [folder for folder in folders if f"`{folder}`" not in text] == []


@pytest.mark.parametrize("path", markdown_files(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_page_names_a_file_that_is_not_there(path: Path) -> None:
    """What a page names can be opened."""
    assert [name for name in named_files(path.read_text("utf-8")) if not (ROOT / name).exists()] == []


def test_the_map_names_many_files() -> None:
    """The test above reads the map at all."""
    assert len(named_files(MAP.read_text("utf-8"))) > 60


@pytest.mark.parametrize("path", markdown_files(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_link_is_broken(path: Path) -> None:
    """A relative link leads to a file, and to a heading in it."""
    assert broken_links(path, path.read_text("utf-8")) == []


def test_a_broken_link_is_seen() -> None:
    """The link checker can fail: for a file, for a heading, and not for what stands in code."""
    text = "# One & two\n[a](nowhere.md) [b](#three) [c](#one--two) [d](https://x.example)\n```\n[e](gone.md)\n```\n"
    assert broken_links(ROOT / "README.md", text) == ["nowhere.md", "#three"]
    assert anchors(text) == {"one--two"}


def test_the_reader_of_markdown_tells_code_from_text() -> None:
    """A comment in a shell block is no heading, and a section ends where the next one begins."""
    text = "## One\nwords\n```sh\n# no heading\nls\n```\n## Two\n`src/gone.py`\n"
    assert blocks(section(text, "One"), "sh") == ["# no heading\nls\n"]
    assert named_files(text) == ["src/gone.py"]
    assert "no heading" not in without_code(text)


def test_a_decision_is_called_by_its_number() -> None:
    """Where a page says which decision it means, its link leads there."""
    named = [
        (page.name, int(number), int(file))
        for page in (ROOT / "docs").rglob("*.md")
        for number, file in re.findall(
            r"\[decision (\d+)\]\([./]*(?:decisions/)?(\d{4})-", page.read_text("utf-8"), re.IGNORECASE
        )
    ]
    assert len(named) > 10
    assert [one for one in named if one[1] != one[2]] == []


def test_every_decision_is_one_page_of_the_same_form() -> None:
    """A record says context, decision, consequences, and how it was checked; numbers have no gaps."""
    records = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))
    assert [int(path.name[:4]) for path in records] == list(range(1, len(records) + 1))
    index = (ROOT / "docs" / "decisions" / "README.md").read_text("utf-8")
    for path in records:
        text = path.read_text("utf-8")
        titles = [line.removeprefix("## ") for line in text.splitlines() if line.startswith("## ")]
        assert titles == ["Context", "Decision", "Consequences", "How it was checked"], path.name
        assert text.startswith(f"# {path.name[:4]} "), path.name
        assert len(text.splitlines()) <= 80, path.name
        assert f"({path.name})" in index, path.name


def test_every_dependency_says_why() -> None:
    """Nothing is depended on without a sentence (docs/decisions/0010-dependencies.md)."""
    text = (ROOT / "docs" / "decisions" / "0010-dependencies.md").read_text("utf-8")
    assert [name for name in generate_docs.dependencies() if f"`{name}`" not in text] == []
