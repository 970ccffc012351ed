"""The example of docs/client.md runs as it stands, against an issuer and a service on a real port."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from starlette.responses import JSONResponse

from tests.client.site import serving
from tests.docs.markdown import blocks
from tests.support.tree import ROOT

(PROGRAM,) = blocks((ROOT / "docs" / "client.md").read_text("utf-8"), "python")


def test_the_program_keeps_its_tokens_alive(tmp_path: Path) -> None:
    """Twenty requests with tokens that are over: one refresh, twenty answers, the new pair kept for its owner alone."""
    (tmp_path / "notes.py").write_text(PROGRAM)
    kept = tmp_path / "tokens.json"
    over = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    kept.write_text(json.dumps({"access": "stale", "refresh": "refresh-1", "expires_at": over}))

    def run(url: str) -> str:
        done = subprocess.run(
            [sys.executable, "-W", "error", "notes.py"],
            env=os.environ | {"ISSUER": url, "SERVICE": url}, cwd=tmp_path, capture_output=True, text=True,
            timeout=60, check=True,
        )  # fmt: skip
        return done.stdout

    with serving() as site:
        assert run(site.url) == "[200]\n"
        assert site.refreshes == 1
        assert json.loads(kept.read_text())["refresh"] == "refresh-2"
        assert kept.stat().st_mode & 0o077 == 0
        assert run(site.url) == "[200]\n"
        assert site.refreshes == 1
        kept.write_text(json.dumps({"access": "stale", "refresh": "refresh-0", "expires_at": over}))
        site.answers = [JSONResponse({"code": "unavailable"}, 503)]
        assert run(site.url).startswith("try again later:")
        assert run(site.url) == "sign in again: refresh_token_reused\n"
