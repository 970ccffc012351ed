"""Owns `Shell`: what pages know about the engine around them. Ribs link to one another by path, never by import."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from ostiary.core.sessions.sessions import Resolved
from ostiary.core.wiring import Core
from ostiary.http.assets import Asset

HOME: Final = "/account"

# One line for the overview, such as "2 sessions".
Summary = Callable[[Core, Resolved], Awaitable[str]]


@dataclass(frozen=True, slots=True)
class AccountSection:
    """A page of the account that a rib contributes: its place in the navigation, and its line on the overview.

    Attributes:
        name: Unique; a page says with it which section is the current one.
        title: In the navigation.
        order: The smallest comes first.
        path: Where the page is; the rib declares the route itself, with `SESSION`.
        about: One sentence for the overview; "" keeps the section off it.
        summary: What the overview says about this account, if anything.
    """

    name: str
    title: str
    order: int
    path: str
    about: str = ""
    summary: Summary | None = None


@dataclass(frozen=True, slots=True)
class FactorPage:
    """How pages speak of a kind of second factor, and where it is added and removed; the rib declares the routes.

    Attributes:
        name: Of the factor.
        title: What one of it is called that has no name of its own.
        adding: The words of the button that leads to `path`.
        path: Where one is added, or where all of it is made anew.
        remove: Where one is removed, with `{id}` for its own; "" where that is no page.
        rename: Where one gets another name, with `{id}`; "" where that is no page.
        is_single: An account has it once.
        is_spare: It only stands in for another one, and is made anew rather than added.
        is_open: Whether the deployment lets people add it.
    """

    name: str
    title: str
    adding: str
    path: str
    remove: str = ""
    rename: str = ""
    is_single: bool = False
    is_spare: bool = False
    is_open: Callable[[Core], bool] = lambda core: True

    def removal_of(self, factor_id: str) -> str:
        """Where this one is removed."""
        return self.remove.replace("{id}", factor_id)

    def renaming_of(self, factor_id: str) -> str:
        """Where this one gets another name."""
        return self.rename.replace("{id}", factor_id)


@dataclass(frozen=True, slots=True)
class Shell:
    """The surroundings of every page of one engine.

    Attributes:
        assets: The files that pages load, by plain name.
        sections: Of the account, in their order.
        factor_pages: Of the kinds of second factors, in the order of the ribs.
        paths: Every hot route's path.
    """

    assets: Mapping[str, Asset] = field(default_factory=dict)
    sections: tuple[AccountSection, ...] = ()
    factor_pages: tuple[FactorPage, ...] = ()
    paths: frozenset[str] = frozenset()

    def has(self, path: str) -> bool:
        """Whether this engine has a page there."""
        return path in self.paths

    @property
    def home(self) -> str:
        """Where a sign-in leads that was not on the way to anywhere."""
        return HOME if self.has(HOME) else "/"

    def asset(self, name: str) -> str | None:
        """Where a file is served; None when there is none, as for a theme that is not set."""
        found = self.assets.get(name)
        return None if found is None else found.path
