"""Owns the commands ``ostiary keys …``."""

from pathlib import Path
from typing import Annotated

import typer

from ostiary.core.keys.signing.rotation import SIGNING
from ostiary.core.wiring import Core
from ostiary.features.keys import flow
from ostiary.features.keys.flow import KeyView
from ostiary.http.commands import DatabaseOption, DataOption, DevOption, JsonOption, Open, group, say
from ostiary.kernel.errors import Misuse
from ostiary.kernel.secret import Secret


def commands(open_core: Open) -> typer.Typer:
    """The commands, on an engine that `open_core` opens."""
    app, keys = group("keys", "Keys: list, rotate, retire, import, reseal.")

    @keys.command("list")
    def list_keys(
        data: DataOption = None,
        database: DatabaseOption = None,
        dev: DevOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """Which keys there are, and which of them is in force. No key is shown, only its name."""
        found = open_core(flow.listing, data=data, database=database, dev=dev)
        say(as_json, {"keys": [_view(key) for key in found]}, "\n".join(_line(key) for key in found))

    @keys.command()
    def rotate(
        purpose: Annotated[
            str, typer.Argument(help="What the key is for, as in `ostiary keys list`.")
        ] = SIGNING,
        data: DataOption = None,
        database: DatabaseOption = None,
        dev: DevOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """Let the next key of a purpose take over: a signing key at once, a key of the ring in ten seconds.

        What the key before made stays good.
        """

        async def work(core: Core) -> str:
            return await flow.rotate(core, purpose)

        key_id = open_core(work, data=data, database=database, dev=dev)
        say(as_json, {"key_id": key_id, "purpose": purpose}, f"key {key_id} takes over for {purpose}")

    @keys.command()
    def retire(
        key_id: Annotated[str, typer.Argument(help="As in `ostiary keys list`.")],
        data: DataOption = None,
        database: DatabaseOption = None,
        dev: DevOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """End a key at once: what was made with it is worth nothing. For a key that others may have seen."""

        async def work(core: Core) -> str:
            return await flow.retire(core, key_id)

        purpose = open_core(work, data=data, database=database, dev=dev)
        say(as_json, {"key_id": key_id, "purpose": purpose}, f"key {key_id} for {purpose} is retired")

    @keys.command("import")
    def import_key(
        file: Annotated[Path, typer.Argument(help="A private key as PEM, not encrypted.")],
        data: DataOption = None,
        database: DatabaseOption = None,
        dev: DevOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """Let a signing key of your own be the next one. The schedule or `ostiary keys rotate` lets it take over."""
        pem = _read(file)

        async def work(core: Core) -> tuple[str, bool]:
            return await flow.take_in(core, pem)

        kid, is_new = open_core(work, data=data, database=database, dev=dev)
        words = f"key {kid} is the next one to sign" if is_new else f"key {kid} is known already"
        say(as_json, {"key_id": kid, "imported": is_new}, words)

    @keys.command()
    def reseal(
        data: DataOption = None,
        database: DatabaseOption = None,
        dev: DevOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """Seal every key with root_secret instead of root_secret_previous. Every process must know both by then."""
        count = open_core(flow.reseal, data=data, database=database, dev=dev)
        words = f"{count} keys are sealed by root_secret now; root_secret_previous is not needed any more"
        say(as_json, {"resealed": count}, words if count else "root_secret seals every key already")

    return app


def _read(file: Path) -> Secret:
    try:
        return Secret(file.read_bytes())
    except OSError as error:
        raise Misuse(f"cannot read {file}: {error.strerror}") from None


def _view(key: KeyView) -> dict[str, object]:
    return {
        "id": key.id,
        "purpose": key.purpose,
        "state": key.state,
        "since": key.since,
        "created_at": key.created_at,
        "algorithm": key.algorithm,
    }


def _line(key: KeyView) -> str:
    kind = f"  {key.algorithm}" if key.algorithm else ""
    return f"{key.purpose:16} {key.state:9} since {key.since:%Y-%m-%d %H:%M:%S} UTC  {key.id}{kind}"
