"""Owns `manage.py ostiary …`: the commands of ostiary on the project's own settings."""

import argparse
from collections.abc import Sequence
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from ostiary.integrations import commands
from ostiary.integrations.django.configured import configured, portal_of


class Command(BaseCommand):
    """Passes everything behind its name on."""

    help = "The commands of ostiary on this project's accounts: manage.py ostiary --help"
    requires_system_checks: tuple[str, ...] = ()  # what is wrong with the settings ostiary says itself

    def run_from_argv(self, argv: list[str]) -> None:
        """Run what was typed; options are ostiary's, `--help` too."""
        _run(argv[2:], f"{argv[0]} {argv[1]}")

    def add_arguments(self, parser: CommandParser) -> None:
        """For `call_command("ostiary", "users", "list")`."""
        parser.add_argument("arguments", nargs=argparse.REMAINDER)

    def handle(self, *args: Any, **options: Any) -> None:
        """Run a command; it ends with `SystemExit`, whose code is 0 if all went well."""
        _run(options["arguments"], "manage.py ostiary")


def _run(arguments: Sequence[str], name: str) -> None:
    auth = configured()
    portal_of(auth).close()  # a command opens the engine in a loop of its own
    commands.run(auth.engine, arguments, name)
