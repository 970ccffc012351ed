"""What `manage.py check` says about mistakes in a project's settings; each mistake has an id and a way to mend it."""

import re
from pathlib import Path
from typing import Any

import pytest
from django.core.checks import CheckMessage, run_checks
from django.http import HttpRequest, HttpResponse
from django.urls import include, path, re_path

from ostiary.integrations.django import Ostiary, configured
from ostiary.integrations.django import checks as django_checks
from ostiary.kernel.errors import Misuse
from tests.support.django_project import MIDDLEWARE, project
from tests.support.server import production
from tests.support.tree import ROOT

GUARD = "ostiary.integrations.django.RequireSignIn"
CACHES = [
    "django.middleware.cache.UpdateCacheMiddleware", MIDDLEWARE, "django.middleware.cache.FetchFromCacheMiddleware"
]  # fmt: skip
HTTPS = ("HTTP_X_FORWARDED_PROTO", "https")


def view(request: HttpRequest) -> HttpResponse:
    return HttpResponse()


def said(*urls: Any, deploy: bool = False, **changed: Any) -> list[CheckMessage]:
    """What the system checks say of ostiary in a project with these settings."""
    with project(*urls, **changed):
        found = run_checks(include_deployment_checks=deploy)
    return [one for one in found if str(one.id).startswith("ostiary.")]


@pytest.fixture
def sound(tmp_path: Path) -> dict[str, Any]:
    """Settings with which nothing is wrong."""
    return {
        "OSTIARY": production() | {"database": f"sqlite:///{tmp_path / 'ostiary.db'}"},
        "ALLOWED_HOSTS": ["auth.example.test"],
    }


def test_a_sound_project_has_nothing_to_be_told(sound: dict[str, Any]) -> None:
    """Beside includes, patterns and a cache in the right order no check speaks, nor when deploying."""
    urls = [
        path("", view), path("notes/<int:pk>/", view), re_path(r"^page/(?P<slug>[-\w]+)\.html$", view),
        path("loginx", view), path("back/", include([path("login/", view), path("<path:rest>", view)])),
    ]  # fmt: skip
    assert said(*urls, **sound) == said(*urls, deploy=True, middleware=[*CACHES, GUARD], **sound) == []


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"base_url": ""}, "base_url (OSTIARY_BASE_URL): "),
        ({"root_secret": None}, "root_secret (OSTIARY_ROOT_SECRET): "),
        ({"smtp_host": None}, "smtp_host (OSTIARY_SMTP_HOST): "),
        ({"no_such": 1}, "no_such"),
    ],
)
def test_settings_that_do_not_fit(sound: dict[str, Any], wrong: dict[str, Any], words: str) -> None:
    """E001 has the very words with which ostiary refuses to start, and no other check stumbles over them."""
    (found,) = said(**sound | {"OSTIARY": sound["OSTIARY"] | wrong})
    assert (found.id, words in found.msg, bool(found.hint)) == ("ostiary.E001", True, True)


def test_the_setting_may_be_a_path_or_an_object(sound: dict[str, Any], tmp_path: Path) -> None:
    """`OSTIARY` is settings, the dotted path of an object, or the object; anything else says what it must be."""
    with project(**sound):
        auth = configured()
        assert configured() is auth
        assert isinstance(auth, Ostiary)
    with project(OSTIARY=auth):
        assert configured() is auth
    for wrong, words in (
        ("nowhere.auth", "cannot be imported"),
        (7, "it is int"),
        (f"{__name__}.view", "function"),
    ):
        with project(OSTIARY=wrong), pytest.raises(Misuse, match=words):
            configured()
        assert [one.id for one in said(OSTIARY=wrong)] == ["ostiary.E001"]


CASES: dict[str, tuple[dict[str, Any], str, str]] = {
    "no middleware": ({"middleware": []}, "ostiary.E002", "not in MIDDLEWARE"),
    "twice": ({"middleware": [MIDDLEWARE, MIDDLEWARE]}, "ostiary.E003", "2 times"),
    "cache inside": ({"middleware": [CACHES[1], CACHES[0], CACHES[2]]}, "ostiary.E003", "for all"),
    "guard outside": ({"middleware": [GUARD, MIDDLEWARE]}, "ostiary.E003", "who asks"),
    "public path": ({"OSTIARY_PUBLIC_PATHS": ["about*"]}, "ostiary.E007", "'about*'"),
    "public text": ({"OSTIARY_PUBLIC_PATHS": "/about"}, "ostiary.E007", "list"),
    "header": ({"OSTIARY_SECURITY_HEADERS": {"csp": "a\nb"}}, "ostiary.E008", "its value is none"),
    "header's setting": ({"OSTIARY_SECURITY_HEADERS": {"cps": ""}}, "ostiary.E008", "cps"),
    "session cookie": ({"SESSION_COOKIE_NAME": "__Host-ostiary"}, "ostiary.E006", "SESSION_COOKIE_NAME"),
    "csrf cookie": ({"CSRF_COOKIE_NAME": "__Host-ostiary-csrf"}, "ostiary.E006", "CSRF_COOKIE_NAME"),
    "csrf header": ({"CSRF_HEADER_NAME": "HTTP_X_CSRF_TOKEN"}, "ostiary.E006", "CSRF_HEADER_NAME"),
    "proxy for Django alone": ({"SECURE_PROXY_SSL_HEADER": HTTPS}, "ostiary.W002", "trusted_proxies is 0"),
    "foreign host": ({"ALLOWED_HOSTS": ["www.example.test"]}, "ostiary.W003", "'auth.example.test'"),
}


@pytest.mark.parametrize("name", CASES)
def test_a_mistake_is_named(sound: dict[str, Any], name: str) -> None:
    """Each mistake gives its id, one message with what is wrong, and a hint."""
    changed, identity, words = CASES[name]
    (found,) = said(**sound | changed)
    assert (found.id, words in found.msg, bool(found.hint)) == (identity, True, True)


def test_paths_that_are_ours(sound: dict[str, Any]) -> None:
    """E004 names every path of the project that ostiary serves, W001 those that miss one by a slash."""
    urls = [
        path("login", view), re_path(r"^auth/sessions/(?P<key>\w+)$", view),
        path("account/", include([path("security", view), path("<str:any>/edit", view)])), path("signup/", view),
    ]  # fmt: skip
    error, warning = said(*urls, **sound)
    assert (error.id, warning.id) == ("ostiary.E004", "ostiary.W001")
    assert error.msg.endswith("reached: /account/security, /auth/sessions/1, /login.")
    assert warning.msg.endswith("alone: /signup/.")


def test_proxies_for_ostiary_alone(sound: dict[str, Any]) -> None:
    """W002 speaks, too, when only ostiary knows of the proxies."""
    proxied = sound | {"OSTIARY": sound["OSTIARY"] | {"trusted_proxies": 1}}
    assert [one.id for one in said(**proxied)] == ["ostiary.W002"]
    assert said(**proxied, SECURE_PROXY_SSL_HEADER=HTTPS) == []


def test_development_does_not_go_live(tmp_path: Path) -> None:
    """E005 speaks when deploying; while developing nothing is wrong with it, and DEBUG allows this machine."""
    developing: dict[str, Any] = {
        "OSTIARY": {"database": f"sqlite:///{tmp_path / 'ostiary.db'}", "dev": True}
    }
    assert said(**developing, DEBUG=True, ALLOWED_HOSTS=[]) == []
    assert [one.id for one in said(deploy=True, **developing)] == ["ostiary.E005"]


def test_every_check_is_documented() -> None:
    """The ids in the code, in the list at its top and on the page are the same."""
    code = Path(django_checks.__file__).read_text("utf-8")
    page = (ROOT / "docs" / "integrations" / "django.md").read_text("utf-8")
    used = set(re.findall(r'id="(ostiary\.[EW]\d{3})"', code))
    listed, explained = (
        set(re.findall(r"ostiary\.[EW]\d{3}", text)) for text in (str(django_checks.__doc__), page)
    )
    assert used == listed == explained
