"""Owns the server for “sign-in beyond the hash”: `ostiary serve`, but with an argon2id that costs next to nothing.

Why not the whole sign-in minus one hash measured alone: a hash costs twenty times what is asked for, and under load
its own cost varies by more than the answer. With 8 KiB and one pass everything around the hash stays in the figure:
the pool, its threads, the pre-hash with the pepper.
"""

import logging
import os
import sys

import uvicorn

from bench.yardsticks import config
from ostiary.core.passwords.schemes import Argon2id
from ostiary.engine.engine import Engine
from ostiary.engine.features import RIBS
from ostiary.engine.settings import from_environment, groups_of, load
from ostiary.kernel.world import World
from ostiary.server.serve import Served

SCHEME = Argon2id(8, 1, 1)


def main(port: int, environment: dict[str, str]) -> None:
    """Serve until told to stop."""
    logging.basicConfig(level=logging.INFO)
    world = World()
    given = from_environment(groups_of(RIBS), environment)
    given["base_url"] = f"http://127.0.0.1:{port}"
    engine = Engine(load(RIBS, world, given), RIBS, world, scheme=SCHEME)
    uvicorn.Server(config(Served(engine, "ready"), port, lifespan=True)).run()


if __name__ == "__main__":
    main(int(sys.argv[1]), dict(os.environ))
