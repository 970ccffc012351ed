"""What holds on every page in every state: structure, names, labels, headers, and nothing inline or from elsewhere."""

import re
from urllib.parse import urlsplit

import pytest

from tests.pages.reading import Element, Page
from tests.pages.tour import PLAIN

AUTOCOMPLETE = {
    "name": "name", "email": "email", "identifier": "username webauthn", "code": "one-time-code",
    "current_password": "current-password", "new_password": "new-password",
}  # fmt: skip


def test_the_tour_sees_every_page(pages: dict[str, Page]) -> None:
    """Nobody is told the wrong thing: each stop of the tour is the page that it should be."""
    assert set(PLAIN) < set(pages)
    assert {name: page.status for name, page in pages.items() if page.status != 200} == {
        "signup wrong": 422, "check wrong": 400, "login wrong": 401, "unverified": 403, "resend wrong": 422,
        "spent": 400, "csrf": 403, "nothing": 404, "factor wrong": 401, "profile wrong": 422, "factor empty": 422,
        "link ask wrong": 422, "link code wrong": 401, "link spent": 400,
        "app new wrong": 422, "app wrong": 422, "mail code wrong": 422,
        "passkey new wrong": 422, "passkey new blamed": 422, "passkey name wrong": 422, "passkey login wrong": 401,
        "password wrong": 401, "password poor": 422, "recover wrong": 422, "reset poor": 422, "reset spent": 400,
        "key new wrong": 422, "people wrong": 422, "person wrong": 422,
        "email add wrong": 422, "email waits wrong": 400, "not me spent": 400,
    }  # fmt: skip


def test_each_page_has_a_title_of_its_own(pages: dict[str, Page]) -> None:
    """Tabs and histories tell pages apart; only the two looks of one page share a title."""
    titles = {name: pages[name].title for name in PLAIN if not name.endswith(" blank")}
    assert len(set(titles.values())) == len(titles), titles
    assert all(title.endswith(" · ostiary") for title in titles.values())


def test_each_page_is_built_the_same(pages: dict[str, Page]) -> None:
    """One h1, one main part that the skip link leads to, a language, unique ids, no heading level left out."""
    for name, page in pages.items():
        tree = page.tree
        assert tree.one("html").attributes["lang"] == "en", name
        assert page.heading, name
        main = tree.one("main")
        assert tree.one("a", class_="skip").attributes["href"] == f"#{main.attributes['id']}", name
        assert tree.one("h1") in list(main.walk()), name
        ids = [one.attributes["id"] for one in tree.walk() if "id" in one.attributes]
        assert len(set(ids)) == len(ids), (name, ids)
        assert len(tree.all("header")) == 1, name
        assert (
            tree.one("meta", name="viewport").attributes["content"] == "width=device-width, initial-scale=1"
        )


def test_every_field_has_its_label_and_says_what_it_wants(pages: dict[str, Page]) -> None:
    """A label each, the autocomplete token that managers look for, numbers for codes; paste is nowhere stopped."""
    seen = set()
    for name, page in pages.items():
        for field in page.tree.all("input"):
            given = field.attributes
            if given["type"] in ("hidden", "checkbox") or "hidden" in given:
                continue
            seen.add(given["name"])
            assert page.tree.one("label", for_=given["id"]).text, name
            wanted = AUTOCOMPLETE.get(given["name"], given["autocomplete"])
            if name.startswith(("app new", "key new", "passkey n", "people")):
                wanted = "off"  # how a thing is called, and somebody else's address, is not one's own
            assert given["autocomplete"] == wanted, name
            assert not {"onpaste", "readonly", "disabled"} & set(given), name
            for word in given.get("aria-describedby", "").split():
                assert page.tree.one(id=word).text, (name, word)
    named = {"name", "email", "password", "identifier", "code", "current_password", "new_password"}
    assert seen == named | {"scopes", "networks", "days", "role"}
    assert pages["signup"].tree.one("input", id="password").attributes["autocomplete"] == "new-password"
    assert pages["login"].tree.one("input", id="password").attributes["autocomplete"] == "current-password"
    assert pages["check"].tree.one("input", id="code").attributes["inputmode"] == "numeric"


def test_every_mistake_has_a_summary(pages: dict[str, Page]) -> None:
    """Where a form was wrong, an alert says so, takes the focus and links to fields that exist."""
    for name in (
        "signup wrong",
        "check wrong",
        "login wrong",
        "resend wrong",
        "factor wrong",
        "factor empty",
        "password wrong",
        "password poor",
        "recover wrong",
        "reset poor",
    ):
        page = pages[name]
        assert page.title.startswith("Error: ")
        summary = page.tree.one(role="alert")
        assert {"autofocus", "tabindex"} <= set(summary.attributes)
        for link in summary.all("a"):
            assert page.tree.one("input", id=link.attributes["href"][1:]).attributes["aria-invalid"] == "true"


def test_nothing_inline_and_nothing_from_elsewhere(pages: dict[str, Page]) -> None:
    """Style and script are files of ours with this response's nonce; the policy knows no unsafe word (E4)."""
    for name, page in pages.items():
        policy = page.answer.headers["content-security-policy"]
        nonce = re.search(r"script-src 'nonce-([\w-]+)'", policy)
        assert nonce, name
        assert "unsafe" not in policy, name
        loaded = [one for one in page.tree.walk() if one.tag in ("script", "link", "style", "img", "iframe")]
        for one in loaded:
            address = one.attributes.get("src") or one.attributes["href"]
            assert re.fullmatch(r"/assets/[a-z]+\.[0-9a-f]{16}\.(css|js|svg)", address), name
            assert one.tag != "style", name
            if one.attributes.get("rel") != "icon":
                assert one.attributes["nonce"] == nonce[1], name
            assert one.text == "", name
        assert {one.tag for one in loaded} == {"script", "link"}
        for one in page.tree.walk():
            assert not [word for word in one.attributes if word.startswith("on") or word == "style"], name
    nonces = {one.answer.headers["content-security-policy"] for one in pages.values()}
    assert len(nonces) == len(pages)


def test_every_address_stays_here(pages: dict[str, Page]) -> None:
    """Links and forms are paths on our own origin (L08); the others write to the support contact, open an
    authenticator app, or hold a file themselves."""
    for name, page in pages.items():
        for one in page.tree.walk():
            for attribute in ("href", "src", "action", "formaction"):
                target = one.attributes.get(attribute, "/")
                parts = urlsplit(target)
                is_ours = not parts.scheme and not parts.netloc and target[0] in "/#"
                is_app = name.startswith("app") and target.startswith("otpauth://totp/ostiary:")
                is_file = name.startswith("codes") and target.startswith("data:text/plain;charset=utf-8,")
                assert is_ours or is_app or is_file or target == "mailto:help@example.com", (name, target)


def test_nothing_is_kept_by_caches(pages: dict[str, Page]) -> None:
    """Pages are not stored, tell no referrer and are framed by nobody."""
    for name, page in pages.items():
        headers = page.answer.headers
        assert headers["cache-control"] == "no-store", name
        assert headers["referrer-policy"] == "no-referrer", name
        assert headers["x-frame-options"] == "DENY", name


def test_whom_to_ask_stands_on_every_page(pages: dict[str, Page]) -> None:
    """Nobody is left alone (A10)."""
    for name, page in pages.items():
        assert "Need help? help@example.com" in page.tree.one("footer").text, name


def test_every_form_of_the_signed_in_has_a_token(pages: dict[str, Page]) -> None:
    """A form that is sent with a live session carries the token (E3); the one that is tested is not empty."""
    forms = [
        (name, form)
        for name in ("account", "profile", "security", "password", "sessions", "end", "end others", "logout")
        for form in pages[name].tree.all("form")
    ]
    assert len(forms) >= 8
    for name, form in forms:
        assert form.one("input", name="csrf_token").attributes["value"], name


@pytest.mark.parametrize("name", PLAIN)
def test_no_page_is_a_dead_end(pages: dict[str, Page], name: str) -> None:
    """Each has a way on: a form or a link in its main part."""
    main: Element = pages[name].tree.one("main")
    assert main.all("form") or main.all("a")
