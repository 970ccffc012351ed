"""Owns how figures are shown: one Markdown text, printed, and kept in RESULTS.md when asked to."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bench.gauges import Machine, middle
from bench.statements import Count

RESULTS: Final = Path(__file__).parent / "RESULTS.md"
# Sections that runs of their own write.
STALLED: Final = "## Asking for a new password while the mail server stalls"
REVOKING: Final = "## Refreshing, and the revocation feed"
GUARDS: Final = "## Guards, and who may do what"
APART: Final = (STALLED, REVOKING, GUARDS)


def spread(values: Sequence[float], digits: int = 0) -> str:
    """``median (least–most)`` of the rounds."""
    ordered = sorted(values)
    if not ordered:
        return "–"
    shown = f"{middle(ordered):.{digits}f}"
    return shown if len(ordered) == 1 else f"{shown} ({ordered[0]:.{digits}f}–{ordered[-1]:.{digits}f})"


def placed(held: str, text: str, title: str = "") -> str:
    """The results with a text in place of what stood there.

    Args:
        held: The results so far.
        text: The whole of what a run says, without the sections of other runs.
        title: The section that it is; unless given, everything but the sections in `APART`.
    """
    parts = dict.fromkeys(("", *APART), "")
    for part in re.split(r"(?m)^(?=## )", held):
        name = part.partition("\n")[0]
        parts[name if name in APART else ""] += part
    parts[title] = text
    return "\n".join(part.strip("\n") + "\n" for part in parts.values() if part)


def keep(text: str, title: str = "") -> None:
    """Write a text into the results; see `placed`."""
    held = RESULTS.read_text("utf-8") if RESULTS.exists() else ""
    RESULTS.write_text(placed(held, text, title), encoding="utf-8")


@dataclass(slots=True)
class Route:
    """What was measured of one kind of request, a value per round.

    Attributes:
        target: Most CPU microseconds per request.
        against: Compared round by round with the yardstick of this name.
    """

    name: str
    server: str
    target: float | None = None
    cpu: list[float] = field(default_factory=list)
    rate: list[float] = field(default_factory=list)
    p99: list[float] = field(default_factory=list)
    busy: list[float] = field(default_factory=list)


@dataclass(slots=True)
class Flood:
    """p99 of one server's answers while nobody signs in, and while everybody does."""

    name: str
    idle: list[float] = field(default_factory=list)
    flooded: list[float] = field(default_factory=list)
    idle_half: list[float] = field(default_factory=list)
    flooded_half: list[float] = field(default_factory=list)
    target: float | None = None

    @property
    def times(self) -> list[float]:
        """By how much p99 grew, round by round."""
        return [hot / cold for cold, hot in zip(self.idle, self.flooded, strict=True)]


@dataclass(slots=True)
class Report:
    """Everything of one run."""

    machine: Machine
    date: str
    command: str
    rounds: int
    crowd: int
    routes: list[Route] = field(default_factory=list)
    floods: list[Flood] = field(default_factory=list)
    sign_ins: list[float] = field(default_factory=list)
    counts: list[Count] = field(default_factory=list)
    single: list[tuple[str, str]] = field(default_factory=list)
    others: float = 0.0

    def text(self) -> str:
        """As Markdown."""
        parts = [*self._head(), *self._routes()]
        if self.floods:
            parts += self._floods()
        return "\n".join([*parts, *self._counts(), *self._single()]) + "\n"

    def _head(self) -> list[str]:
        machine = self.machine
        return [
            "# What ostiary costs",
            "",
            (
                f"Measured {self.date} by `{self.command}`: {self.rounds} interleaved round(s) after a warm-up each;"
                " shown are the median and, in brackets, the least and the most of the rounds."
            ),
            "",
            f"- Machine: {machine.cores} cores, {machine.processor}; {machine.system}",
            f"- Interpreter: {machine.interpreter}; uvicorn with uvloop and httptools, one process",
            (
                f"- Other programs kept {self.others:.2f} of {machine.cores} cores busy meanwhile"
                f"{' – a busy machine: trust the ratios more than the figures' if self.others > 0.15 else ''}."
            ),
            "",
        ]

    def _routes(self) -> list[str]:
        yardstick = {route.server: route for route in self.routes}["fastapi"].cpu
        lines = [
            "## CPU per request",
            "",
            (
                "CPU is that of the server's process with all its threads (PostgreSQL's own is not in it), divided by"
                " the requests. Eight connections ask as fast as they are answered; client, server and database share"
                " the cores, so the rates and p99 are those of a full machine."
            ),
            "",
            "| request | CPU µs | × bare FastAPI | target µs | | requests/s | p99 ms |",
            "|---|---:|---:|---:|---|---:|---:|",
        ]
        for route in self.routes:
            times = [cpu / least for cpu, least in zip(route.cpu, yardstick, strict=True)]
            target = f"≤ {route.target:.0f}" if route.target else ""
            verdict = _verdict(middle(route.cpu), route.target)
            lines.append(
                f"| {route.name} | {spread(route.cpu)} | {spread(times, 1)} | {target} | {verdict} "
                f"| {spread(route.rate)} | {spread(route.p99, 1)} |"
            )
        busiest = max(max(route.busy) for route in self.routes)
        return [*lines, "", f"The client used at most {busiest:.0%} of a core.", ""]

    def _floods(self) -> list[str]:
        lines = [
            "## Answers while everybody signs in",
            "",
            (
                "Two connections ask 200 times a second, first in peace, then while"
                f" {self.crowd} connections sign in as fast as they can ({spread(self.sign_ins)} sign-ins a second,"
                " with the default argon2id)."
                " The bare ASGI app is another process on the same machine: what it loses is the machine's part."
            ),
            "",
            "| asked | p50 ms idle | p50 ms flooded | p99 ms idle | p99 ms flooded | p99 × idle | target | |",
            "|---|---:|---:|---:|---:|---:|---:|---|",
        ]
        for flood in self.floods:
            target = f"≤ {flood.target:.0f}" if flood.target else ""
            lines.append(
                f"| {flood.name} | {spread(flood.idle_half, 2)} | {spread(flood.flooded_half, 2)} "
                f"| {spread(flood.idle, 2)} | {spread(flood.flooded, 2)} | {spread(flood.times, 1)} | {target} "
                f"| {_verdict(middle(flood.times), flood.target)} |"
            )
        return [*lines, ""]

    def _counts(self) -> list[str]:
        lines = [
            "## What each flow asks of the database",
            "",
            "| flow | transactions | statements | which |",
            "|---|---:|---:|---|",
        ]
        for count in self.counts:
            names = ", ".join(f"`{name}`" for name in count.statements)
            lines.append(f"| {count.flow} | {count.transactions} | {len(count.statements)} | {names} |")
        return [*lines, ""]

    def _single(self) -> list[str]:
        rows = [f"| {name} | {value} |" for name, value in self.single]
        return ["## Single figures", "", "| what | |", "|---|---:|", *rows]


def _verdict(value: float, target: float | None) -> str:
    if target is None:
        return ""
    return "met" if value <= target else "**missed**"
