"""A rib can be left out: the engine builds and serves without it, and nothing else in the package knows it."""

import re
from pathlib import Path

import pytest

from ostiary.engine.engine import Engine
from ostiary.engine.features import RIBS
from ostiary.engine.settings import load
from ostiary.http.rib import Rib
from ostiary.kernel.errors import Misuse
from ostiary.kernel.world import World
from ostiary.testing import running
from tests.support.tree import PACKAGE, sources

NAMES = sorted(path.name for path in (PACKAGE / "features").iterdir() if (path / "manifest.py").is_file())


def test_every_folder_is_in_the_list() -> None:
    """The list of ribs and the folders are the same."""
    assert sorted(rib.name for rib in RIBS) == NAMES


def test_a_rib_is_listed_once(tmp_path: Path) -> None:
    """Two ribs of one name are a mistake of whoever put the list together."""
    with pytest.raises(Misuse, match="same name"):
        running_with(tmp_path, (*RIBS, Rib(name=RIBS[0].name)))


def running_with(folder: Path, ribs: tuple[Rib, ...]) -> None:
    """Build an engine with other ribs."""
    world = World()
    Engine(load(ribs, world, {"dev": True, "data": folder}), ribs, world)


@pytest.mark.parametrize("left_out", RIBS, ids=lambda rib: rib.name)
async def test_the_engine_serves_without(left_out: Rib, tmp_path: Path) -> None:
    """Its routes are gone, every other route of before is there, and the other ribs' routes answer."""
    ribs = tuple(rib for rib in RIBS if rib is not left_out)
    async with running(tmp_path, ribs=RIBS) as whole:
        before = {(line.method, line.path) for line in whole.engine.app.declared}
    (tmp_path / "less").mkdir()
    async with running(tmp_path / "less", ribs=ribs) as kit:
        after = {(line.method, line.path) for line in kit.engine.app.declared}
        assert after <= before
        if left_out.hot_routes or left_out.json_routes:
            assert after != before
        browser = kit.browser()
        for method, path in sorted(before):
            answer = await browser.request(method, re.sub(r"{\w+}", "x", path), json={})
            assert answer.status_code < 500, (method, path, answer.text)
            if (method, path) not in after:
                assert answer.status_code in {404, 405}, (method, path)
            elif "{" not in path:
                assert answer.status_code != 404, (method, path)


async def test_without_any_rib(tmp_path: Path) -> None:
    """The bare engine starts, serves its description, and knows nothing else."""
    async with running(tmp_path, ribs=()) as kit:
        browser = kit.browser()
        assert (await browser.get("/auth/openapi.json")).status_code == 200
        assert (await browser.post("/auth/login", json={})).status_code == 404


@pytest.mark.parametrize("name", NAMES)
def test_nobody_else_mentions_it(name: str) -> None:
    """Deleting a rib means its folders and its lines in engine/features.py: no other file names its package."""
    mentions = [
        str(path.relative_to(PACKAGE))
        for path in sources()
        if not path.is_relative_to(PACKAGE / "features" / name)
        and re.search(rf"ostiary\.features(\.| import (.*\b)?){name}\b", path.read_text())
    ]
    assert mentions == ["engine/features.py"]
    listed = (PACKAGE / "engine" / "features.py").read_text().splitlines()
    assert len([line for line in listed if re.search(rf"\b{name}\b", line)]) == 2, (
        "one import, one place in the list"
    )
