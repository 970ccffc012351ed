"""Owns how tests read a page and fill in its forms: by what stands in the HTML, as a browser without scripts."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

import httpx2

from ostiary.testing.kit import Browser, Kit

VOID = {"meta", "link", "input", "br", "hr", "img", "path", "circle", "rect"}
# What a browser sends with a form of a page that has `Referrer-Policy: no-referrer` (Fetch section 3.2).
OWN_FORM = {"origin": "null", "sec-fetch-site": "same-origin", "sec-fetch-mode": "navigate"}


@dataclass
class Element:
    """One element with what is inside."""

    tag: str
    attributes: dict[str, str]
    children: list["Element | str"] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The words inside, white space folded."""
        words = "".join(one if isinstance(one, str) else f" {one.text} " for one in self.children)
        return " ".join(words.split())

    def all(self, tag: str = "", **attributes: str) -> list["Element"]:
        """Every element below with this tag and these attributes (`for_` is `for`)."""
        wanted = {name.rstrip("_").replace("_", "-"): value for name, value in attributes.items()}
        return [
            one
            for one in self.walk()
            if tag in ("", one.tag) and all(one.attributes.get(k) == v for k, v in wanted.items())
        ]

    def one(self, tag: str = "", **attributes: str) -> "Element":
        """The only one of them."""
        found = self.all(tag, **attributes)
        assert len(found) == 1, f"{len(found)} of {tag} {attributes}"
        return found[0]

    def walk(self) -> Iterator["Element"]:
        """Every element below."""
        for child in self.children:
            if isinstance(child, Element):
                yield child
                yield from child.walk()


class _Builder(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Element("#document", {})
        self._open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({name for name, _ in attrs}) == len(attrs), f"{tag}: an attribute stands twice"
        made = Element(tag, {name: value or "" for name, value in attrs})
        self._open[-1].children.append(made)
        if tag not in VOID:
            self._open.append(made)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open[-1].tag == tag, f"</{tag}> closes <{self._open[-1].tag}>"
        self._open.pop()

    def handle_data(self, data: str) -> None:
        self._open[-1].children.append(data)


def read(html: str) -> Element:
    """The tree of a page; every element must be closed where it should be."""
    builder = _Builder()
    builder.feed(html)
    builder.close()
    assert builder._open == [builder.root], f"never closed: {builder._open[-1].tag}"
    return builder.root


class Page:
    """A response that is a page.

    Attributes:
        answer: The response.
        tree: What is in it.
    """

    def __init__(self, answer: httpx2.Response) -> None:
        assert answer.headers["content-type"] == "text/html; charset=utf-8", answer.text
        self.answer = answer
        self.status = answer.status_code
        self.tree = read(answer.text)

    @property
    def heading(self) -> str:
        """The only h1."""
        return self.tree.one("h1").text

    @property
    def title(self) -> str:
        """The title."""
        return self.tree.one("title").text

    @property
    def text(self) -> str:
        """The words of the page."""
        return self.tree.one("body").text

    def form(self, action: str) -> Element:
        """The form in the main part that is sent there."""
        return self.tree.one("main").one("form", action=action)

    def problem(self, name: str) -> str:
        """What stands next to a field, as the field itself refers to it."""
        given = self.tree.one("input", id=name).attributes
        assert given["aria-invalid"] == "true"
        assert f"{name}-problem" in given["aria-describedby"].split()
        return self.tree.one("ul", id=f"{name}-problem").text


class Visitor:
    """Somebody with a browser that runs no scripts.

    Args:
        browser: Its cookies; it never sends the CSRF header by itself.
    """

    def __init__(self, browser: Browser) -> None:
        self.browser = browser

    async def open(self, path: str) -> Page:
        """A page, after at most five redirects; all of them stay here."""
        answer = await self.browser.get(path)
        for _ in range(5):
            if answer.status_code != 303:
                break
            assert answer.headers["location"].startswith("/"), answer.headers["location"]
            answer = await self.browser.get(answer.headers["location"])
        return Page(answer)

    async def send(self, page: Page, action: str, **typed: str) -> httpx2.Response:
        """Send a form of a page with what it holds and what is typed into its fields."""
        form = page.form(action)
        assert form.attributes["method"] == "post"
        fields: dict[str, Any] = {}
        for one in form.all("input"):
            name, is_box = one.attributes["name"], one.attributes["type"] == "checkbox"
            if not is_box or "checked" in one.attributes:
                fields[name] = one.attributes.get("value", "")
            if name in typed:
                fields[name] = typed.pop(name)
        for one in form.all("button"):  # the one that is pressed
            name = one.attributes.get("name", "")
            if name in typed and one.attributes["value"] == typed[name]:
                fields[name] = typed.pop(name)
        assert not typed, f"the form has no field {sorted(typed)}"
        return await self.browser.post(action, data=fields, headers=OWN_FORM)

    async def submit(self, page: Page, action: str, **typed: str) -> Page:
        """Send a form, and look where it leads."""
        answer = await self.send(page, action, **typed)
        return await self.open(answer.headers["location"]) if answer.status_code == 303 else Page(answer)


def visitor(kit: Kit, **given: Any) -> Visitor:
    """A new visitor."""
    return Visitor(kit.browser(sends_csrf=False, **given))


def session_cookie(kit: Kit, who: Visitor) -> str | None:
    """The session that a visitor's browser holds."""
    found: str | None = who.browser.cookies.get(kit.engine.app.edge.cookies.session)
    return found
