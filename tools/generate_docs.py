"""Owns the reference pages: generates docs/reference/ from what the code declares, so that no page can be out of date.

Settings, error codes, events, routes, mails, key purposes and commands each say in one line what they are; this file
only writes those lines down. Run `make docs` after changing one; a test compares the pages with the code.
"""

import pkgutil
import re
import tempfile
import tomllib
import types
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

import orjson
import typer.main
from fastapi import FastAPI

import ostiary
from ostiary.cli.main import app as commands
from ostiary.core.accounts.profile import ProfileField
from ostiary.core.keys.ring import PURPOSES
from ostiary.core.mail.template import MailTemplate
from ostiary.engine.engine import Engine
from ostiary.engine.features import RIBS
from ostiary.engine.settings import PREFIX, groups_of, load
from ostiary.engine.wire import event_types, mails
from ostiary.http import pages
from ostiary.http.openapi import document
from ostiary.http.routing import Hot
from ostiary.http.table import Declared, plain_path
from ostiary.kernel.errors import CODES
from ostiary.kernel.events import EventType
from ostiary.kernel.secret import Secret
from ostiary.kernel.settings import Rate, declared, format_duration
from ostiary.kernel.world import World
from ostiary.server import health, home

TARGET = Path(__file__).resolve().parent.parent / "docs" / "reference"

_KINDS: dict[Any, str] = {
    bool: "true or false", int: "whole number", float: "number", str: "text", Secret: "secret",
    timedelta: "duration", Rate: "rate", Path: "path", ProfileField: "profile field",
}  # fmt: skip


def import_everything() -> None:
    """Import every module of the package, so that whatever declares something has done so."""
    for module in pkgutil.walk_packages(ostiary.__path__, "ostiary."):
        if ".migrations" not in module.name:  # Alembic alone can run those
            import_module(module.name)


def kind_in_words(kind: Any) -> str:
    """A setting's type as an operator writes it."""
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        return kind_in_words(next(arg for arg in get_args(kind) if arg is not type(None)))
    if origin is Literal:
        return "one of " + ", ".join(f"`{choice}`" for choice in get_args(kind))
    if origin is tuple:
        return f"list of {kind_in_words(get_args(kind)[0])}, separated by commas"
    return _KINDS[kind]


def default_in_words(value: object) -> str:
    """A default as an operator would write it."""
    match value:
        case None | "" | ():
            return "–"
        case bool():
            return f"`{str(value).lower()}`"
        case timedelta():
            return f"`{format_duration(value)}`"
        case _:
            return f"`{value}`"


def escaped(words: str) -> str:
    """Words as Markdown shows them: outside of code nothing becomes a tag, a link or emphasis."""
    parts = words.split("`")
    parts[::2] = [part.replace("<", "\\<").replace("*", "\\*") for part in parts[::2]]
    return "`".join(parts)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(escaped(cell).replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def page(title: str, introduction: str, *parts: str) -> str:
    """A whole page, with a word about where it comes from."""
    head = (
        f"# {title}\n\n<!-- Written by tools/generate_docs.py. Change the code, then run `make docs`. -->\n"
    )
    return "\n".join([head, introduction.strip() + "\n", *parts])


def settings_page() -> str:
    """Every setting of every group."""
    parts = []
    for group in groups_of(RIBS):
        rows = [
            (
                f"`{item.name}`",
                f"`{PREFIX}{item.name.upper()}`",
                kind_in_words(kind),
                default_in_words(item.default),
                item.metadata["doc"],
            )
            for item, kind in declared(group)
        ]
        title = (group.__doc__ or "").strip().rstrip(".")
        parts.append(
            f"## {title}\n\n" + table(("name", "environment", "type", "default", "what it does"), rows)
        )
    return page(
        "Settings",
        """
Give a setting as an environment variable. For a value that lies in a file, such as a secret, name the file in the
variable with `_FILE` at its end. An unknown variable with our prefix stops the start, and so does a value that does
not fit; every mistake is listed at once. Nothing reads the environment later.

Durations are written `90s`, `30m`, `8h`, `7d` or `1d12h`; rates `5/15m` or `30/h`. “–” means: not set.
""",
        *parts,
    )


def errors_page() -> str:
    """Every public error code."""
    rows = [
        (f"`{code.name}`", str(code.status), code.title, code.doc)
        for code in sorted(CODES.values(), key=lambda code: code.name)
    ]
    return page(
        "Error codes",
        """
Errors are problem details (RFC 9457): `application/problem+json` with `type`, `title`, `status`, `code` and
`instance`. Branch on `code`, it is stable. `instance` names the request; the same id stands in the `X-Request-ID`
header and in the server's log. Where it makes sense there are also `retry_after` (seconds, and the `Retry-After`
header), `errors` (each with `loc`, `message`, `type`), `violations` (each with `code`, `message`; passwords only) or
`violated-policies` (names of rate limits).
""",
        table(("code", "status", "title", "cause, and what to do"), rows),
    )


def _traits(event: EventType) -> str:
    names = [
        name
        for name in ("ends_sessions", "ends_trust", "changes_rights", "tell_owner")
        if getattr(event, name)
    ]
    return ", ".join(name.replace("_", " ") for name in names) or "–"


def events_page() -> str:
    """Every type of event."""
    rows = [
        (
            f"`{event.name}`",
            event.severity.value,
            ", ".join(f"`{name}`" for name in event.fields) or "–",
            _traits(event),
            event.doc,
            event.words or "–",
        )
        for event in sorted(event_types(RIBS), key=lambda event: event.name)
    ]
    return page(
        "Events",
        """
Every event is a row in the table `journal`, written in the same transaction as the change that it reports: `at`,
`type`, `severity`, `account_id`, `ip`, `user_agent`, `request_id` and the fields below as JSON in `data`. Secrets are
never among them. *Ends sessions*: all sessions of the account end with it. *Tell owner*: the owner of the account
gets a mail of the same name. The last column is the sentence that the owner reads in the account's activity; where
there is none, the owner does not see the row.
""",
        table(("event", "severity", "fields", "traits", "what happened", "what the owner reads"), rows),
    )


def engine_for(folder: Path, *, dev: bool) -> Engine:
    """An engine that is wired but never started."""
    world = World()
    given: dict[str, object] = {"database": f"sqlite:///{folder / 'ostiary.db'}", "dev": dev}
    given |= {"base_url": "http://127.0.0.1:8000"} if dev else {
        "base_url": "https://auth.example.com", "root_secret": world.token(32),
        "smtp_host": "mail.example.com", "mail_from": "no-reply@example.com",
    }  # fmt: skip
    return Engine(load(RIBS, world, given), RIBS, world, routes=(*health.ROUTES, *home.ROUTES))


def _operations() -> dict[str, Any]:
    """The paths of the OpenAPI document, and what it refers to."""
    api = FastAPI()
    hot: list[Hot] = []
    for rib in RIBS:
        hot += rib.hot_routes
        for part in rib.json_routes:
            api.include_router(part.router)
    whole: dict[str, Any] = orjson.loads(document(api, hot))
    return whole


def _first_paragraph(words: str) -> str:
    return " ".join(words.strip().partition("\n\n")[0].split())


def _body(operation: dict[str, Any], schemas: dict[str, Any]) -> str:
    schema: dict[str, Any] = (
        operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    )
    named = [schema, *schema.get("anyOf", ())]
    found = next((one["$ref"] for one in named if "$ref" in one), None)
    if found is None:
        return "–"
    shape = schemas[found.rpartition("/")[2]]
    required = shape.get("required", ())
    return ", ".join(f"`{name}`" if name in required else f"`{name}`?" for name in shape["properties"])


def http_page() -> str:
    """Every route with who may call it."""
    with tempfile.TemporaryDirectory() as folder:
        live = engine_for(Path(folder), dev=False).app.declared
        dev = engine_for(Path(folder), dev=True)
    development = set(dev.app.declared) - set(live)
    api = _operations()
    schemas = api["components"]["schemas"]
    plain = {
        plain_path(hot.path): hot.endpoint.__doc__ or ""
        for hot in (
            *health.ROUTES,
            *home.ROUTES,
            *pages.ROUTES,
            *dev.development_routes(),
            *(hot for rib in RIBS for hot in rib.hot_routes),
        )
    }
    plain["/auth/openapi.json"] = "The OpenAPI document of the JSON API."

    def row(line: Declared) -> tuple[str, ...]:
        operation = api["paths"].get(line.path, {}).get(line.method.lower(), {})
        words = operation.get("description") or plain.get(line.path) or operation.get("summary", "")
        return (
            f"`{line.method}`",
            f"`{line.path}`",
            line.access,
            _body(operation, schemas),
            _first_paragraph(words),
        )

    head = ("method", "path", "access", "body", "what it does")
    return page(
        "HTTP routes",
        """
*Access* says what stands before a route: `public` lets everybody call it, `session` asks for a live session cookie
first (else 401). Bodies are JSON objects (`Content-Type: application/json`) with exactly the members named here; a
question mark means that one may be left out. `HEAD` and `OPTIONS` are answered wherever a path exists. Unsafe methods
that bring a session cookie need the `X-CSRF-Token` header. The machine-readable form is `/auth/openapi.json`.
""",
        table(head, [row(line) for line in live]),
        "## Only with `--dev`\n\n"
        + table(head, [row(line) for line in sorted(development, key=lambda x: x.path)]),
    )


def all_mails() -> tuple[MailTemplate, ...]:
    """Every mail template."""
    return tuple(mail for declared in mails(RIBS).values() for mail in declared)


def mails_page() -> str:
    """Every mail with its subject."""
    with tempfile.TemporaryDirectory() as folder:
        composer = engine_for(Path(folder), dev=False).composer
    rows = [
        (
            f"`{path}`",
            composer.preview(mail.name, "en").subject,
            mail.doc,
            ", ".join(f"`{name}`" for name in mail.example) or "–",
        )
        for path, mail in sorted(composer.mails.items())
    ]
    return page(
        "Mails",
        """
What each mail is for, and what its templates may use. Everything else about mails, such as replacing a template or
adding a language, is in [mail.md](../mail.md).
""",
        table(("mail", "subject", "when it is sent", "variables"), rows),
    )


def keys_page() -> str:
    """Every purpose of a key."""
    rows = [
        (
            f"`{one.name}`",
            one.doc,
            "by hand" if one.by_hand else "by the schedule",
            "for good" if one.kept_for is None else f"`{format_duration(one.kept_for)}`",
        )
        for one in sorted(PURPOSES.values(), key=lambda one: one.name)
    ]
    return page(
        "Keys",
        """
The keyring is the table `keyring`: random 256-bit keys, one line of them for each purpose, each sealed by a key that
is derived from the root secret. A key of one purpose never serves another. Whatever was made with a key names it, so
an older key stays usable for as long as it is on the ring. The first key of a purpose is made at start. The schedule
(`ring_rotation`) makes the next ones, and `ostiary keys rotate` does by hand. An older key is kept for as long as
something that it made can still be in use; then it is dropped.
""",
        table(("purpose", "what its keys do", "rotated", "kept after its successor took over"), rows),
    )


def leaf_commands(group: Any = None, before: str = "ostiary") -> list[tuple[str, Any]]:
    """Every command that does something, with its whole name."""
    group = group or typer.main.get_command(commands)
    if not hasattr(group, "commands"):
        return [(before, group)]
    return [
        leaf for name, inner in group.commands.items() for leaf in leaf_commands(inner, f"{before} {name}")
    ]


def _option(option: Any) -> tuple[str, str, str]:
    default = "–" if option.default is None or option.default is False else f"`{option.default}`"
    return ", ".join(f"`{name}`" for name in option.opts), default, option.help or ""


def cli_page() -> str:
    """Every command with its options."""
    parts = []
    for name, command in leaf_commands():
        options = [_option(option) for option in command.params if option.name != "help"]
        text = f"## `{name}`\n\n{escaped((command.help or '').strip())}\n"
        parts.append(text + ("\n" + table(("option", "default", "what it does"), options) if options else ""))
    return page(
        "Command line",
        """
Options override the environment. Exit codes: 0 done, 1 refused, 2 misuse (settings or arguments), 3 a database or
another part is unavailable. `--help` after any command says the same as this page.
""",
        *parts,
    )


def dependencies() -> list[str]:
    """The distribution names in pyproject.toml: what users install, with extras, and what developers do."""
    project = tomllib.loads((TARGET.parents[1] / "pyproject.toml").read_text())
    groups = [project["project"]["dependencies"], *project["project"]["optional-dependencies"].values()]
    groups += project["dependency-groups"].values()
    lines = [line for group in groups for line in group if isinstance(line, str)]
    return sorted({re.split(r"[\[<>=]", line)[0] for line in lines})


PAGES: dict[str, Callable[[], str]] = {
    "settings.md": settings_page,
    "errors.md": errors_page,
    "events.md": events_page,
    "http.md": http_page,
    "mails.md": mails_page,
    "keys.md": keys_page,
    "cli.md": cli_page,
}


def main() -> None:
    """Write the pages."""
    TARGET.mkdir(parents=True, exist_ok=True)
    import_everything()
    for name, text_of in PAGES.items():
        (TARGET / name).write_text(text_of(), encoding="utf-8")
        print(f"docs/reference/{name}")


if __name__ == "__main__":
    main()
