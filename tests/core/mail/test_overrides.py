"""An operator replaces single files of mails, in all languages or in one, and hears of every mistake at start."""

import logging
from collections.abc import Mapping
from pathlib import Path

import pytest

from ostiary.core.mail.compose import Composer
from ostiary.kernel.errors import Misuse
from tests.core.mail.test_compose import HOSTILE, composer, greet

OURS = '{% extends "layout.html" %}{% block content %}OURS {{ note }}{% endblock %}'


def written(folder: Path, files: Mapping[str, str]) -> Path:
    """Write an operator's folder."""
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    return folder


def refusal(folder: Path, files: Mapping[str, str]) -> str:
    """Return what a start with these files says."""
    with pytest.raises(Misuse) as refused:
        composer(mail_templates=written(folder, files))
    return str(refused.value)


def test_single_files_are_replaced(tmp_path: Path) -> None:
    """One form of one mail, and the shared layout, come from the folder; the rest stays, and so does escaping."""
    written(
        tmp_path, {"tests/greeting.html": OURS, "layout.txt": "{% block content %}{% endblock %}\nACME\n"}
    )
    mail = greet(note=HOSTILE, mail_templates=tmp_path)
    assert "OURS &lt;script&gt;" in mail.html
    assert "<script" not in mail.html
    assert mail.text.endswith("ACME\n")
    assert "Hello Alice" in mail.text
    assert mail.subject.startswith("Hello Alice")


def test_a_subject_by_itself(tmp_path: Path) -> None:
    """It is one header whatever the file holds, and heads the HTML as ours does."""
    written(tmp_path, {"tests/greeting.subject.txt": "Welcome,\n  {{ name }}!\n\n"})
    mail = greet(mail_templates=tmp_path)
    assert mail.subject == "Welcome, Alice!"
    assert ">Welcome, Alice!</h1>" in mail.html


def test_a_replacement_can_extend_what_it_replaces(tmp_path: Path) -> None:
    """`ostiary/` before a name means our own file."""
    written(tmp_path, {
        "layout.html": '{% extends "ostiary/layout.html" %}{% block footer %}ACME{% endblock %}',
    })  # fmt: skip
    assert "ACME" in greet(mail_templates=tmp_path).html


def test_a_link_to_a_folder_is_followed(tmp_path: Path) -> None:
    """As Kubernetes mounts a ConfigMap: links to files in a folder whose name begins with a dot."""
    written(tmp_path, {"..data/greeting.html": OURS})
    (tmp_path / "tests").symlink_to("..data")
    assert "OURS" in greet(mail_templates=tmp_path).html


@pytest.mark.parametrize(
    "name", ["greeting.txt", "tests/greting.txt", "tests/greeting.md", "tests/greeting.xx.txt", "other/greeting.txt",
             "layout.css", "README.md", "tests/layout.html"],
)  # fmt: skip
def test_a_file_that_replaces_nothing_stops_the_start(tmp_path: Path, name: str) -> None:
    """The message names the file and everything that could be replaced."""
    said = refusal(tmp_path, {name: "x"})
    assert str(tmp_path / name) in said
    for allowed in ("layout.html", "tests/greeting", "core/account_locked", ".subject.txt"):
        assert allowed in said


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("\n{% if %}", "line 2: Expected an expression"),
        ("{{ nme }}", "uses nme, which it has not; it may use base_url, language, link, mail_sign_in_url, name"),
        ("{% if never %}{{ x }}{% endif %}", "uses never, x, which"),
        ("{{ name|shout }}", "line 1: No filter named 'shout'"),
        ("{{ name }}\n{{ name.nothing }}", "line 2, cannot be rendered (en): UndefinedError"),
        ("{{ 1 + name }}", "line 1, cannot be rendered (en): TypeError"),
        ('{% include "elsewhere.txt" %}', "cannot be rendered (en): TemplateNotFound: elsewhere.txt"),
        ("{% include note %}", "cannot be rendered (en): TemplateNotFound"),
        ("{{ name.__class__.__mro__ }}", "line 1, cannot be rendered (en): SecurityError"),
        ("{{ ''.__class__ }}", "line 1, cannot be rendered (en): SecurityError"),
        ("{{ _.__globals__ }}", "line 1, cannot be rendered (en): SecurityError"),
        ("{{ '{0.__class__.__init__.__globals__}'.format(name) }}", "line 1, cannot be rendered (en): SecurityError"),
        ("{{ range(10**9)|list }}", "line 1, cannot be rendered (en): OverflowError"),
    ],
)  # fmt: skip
def test_a_broken_template_stops_the_start(tmp_path: Path, text: str, complaint: str) -> None:
    """The message names file, line and cause; the sandbox lets a template reach nothing but its context."""
    said = refusal(tmp_path, {"tests/greeting.txt": text})
    assert str(tmp_path / "tests" / "greeting.txt") in said
    assert complaint in said


def test_a_broken_layout_is_named(tmp_path: Path) -> None:
    """A mistake in what all mails share is told with its own file, though each mail would show it."""
    said = refusal(tmp_path, {"layout.txt": "{% block content %}{% endblock %}\n{{ site_name.nothing }}"})
    assert f"{tmp_path / 'layout.txt'}, line 2," in said


def test_a_file_that_is_no_text_stops_the_start(tmp_path: Path) -> None:
    """Neither bytes that are no UTF-8 nor a folder in a folder nor a very large file is read."""
    written(tmp_path, {"tests/greeting.txt": ""})
    (tmp_path / "tests" / "greeting.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(Misuse, match=r"cannot read .*greeting\.txt"):
        composer(mail_templates=tmp_path)
    assert "larger than" in refusal(tmp_path, {"tests/greeting.txt": "x" * 300_000})
    (tmp_path / "tests" / "greeting.txt").unlink()
    (tmp_path / "tests" / "greeting.txt").mkdir()
    with pytest.raises(Misuse, match=r"cannot read .*greeting\.txt"):
        composer(mail_templates=tmp_path)


def test_one_form_alone_is_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A mail whose two forms come from two authors may contradict itself; the start says so, once for each."""
    written(tmp_path, {"tests/greeting.txt": "Hello"})
    with caplog.at_level(logging.WARNING):
        composer(mail_templates=tmp_path)
    (said,) = [record.getMessage() for record in caplog.records]
    assert said.startswith(f"mail_templates: {tmp_path / 'tests' / 'greeting.txt'} replaces one form")
    assert said.endswith("tests/greeting.html, which most people read, is still ours")
    caplog.clear()
    written(tmp_path, {"tests/greeting.html": "Hello"})
    made: Composer = composer(mail_templates=tmp_path)
    assert made.preview("greeting", "en").html == "Hello"
    assert caplog.records == []
