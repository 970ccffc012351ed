"""Owns gunicorn as a program for tests: a master and workers that die with it, as `launch` starts servers."""

import sys
from typing import Final

from tests.support.tree import ROOT

# Python 3.12 and 3.13 count threads that begin after the fork.
FORKS: Final = "ignore:This process:DeprecationWarning"
# `launch` says the port as `--port N`; gunicorn wants to hear it in another way.
_RUN: Final = """
import ctypes, sys
from gunicorn.app.wsgiapp import WSGIApplication

def with_its_master(server, worker):
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(1, 9, 0, 0, 0)  # PR_SET_PDEATHSIG

class Application(WSGIApplication):
    def load_config(self):
        super().load_config()
        self.cfg.set("post_fork", with_its_master)

*arguments, _, port = sys.argv[1:]
sys.argv = ["gunicorn", "--bind", f"127.0.0.1:{port}", *arguments]
Application("%(prog)s").run()
"""


def gunicorn(application: str, *options: str) -> tuple[str, ...]:
    """The program that serves an application of this tree.

    Args:
        application: Such as ``tests.integrations.matrix.apps.in_flask:app``.
        options: Of gunicorn, such as ``--preload``.
    """
    inside = ("--chdir", str(ROOT), "--log-level", "info", "--no-control-socket")
    return (sys.executable, "-W", "error", "-W", FORKS, "-c", _RUN, *inside, *options, application)
