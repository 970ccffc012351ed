"""Owns the rule that nothing is skipped in silence: a run with a skip names it and fails.

`TEST_ALLOW_SKIPS=1` turns the failure off for people who cannot provide a part; CI never sets it.
"""

import os

import pytest

ALLOW = "TEST_ALLOW_SKIPS"


class SkipWatch:
    """Collects what was skipped and makes the run fail for it."""

    def __init__(self) -> None:
        """Start with nothing skipped."""
        self.skipped: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note a test that was skipped; an expected failure is no skip."""
        if report.skipped and not hasattr(report, "wasxfail"):
            self.skipped[report.nodeid] = _reason(report.longrepr)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note a module that skipped itself while it was collected."""
        if report.skipped:
            self.skipped[report.nodeid] = _reason(report.longrepr)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Fail a run that would otherwise pass."""
        if self.skipped and session.exitstatus == pytest.ExitCode.OK and os.environ.get(ALLOW) != "1":
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say at the end what was skipped and why."""
        if not self.skipped:
            terminalreporter.write_line("skipped: nothing")
            return
        verdict = "allowed" if os.environ.get(ALLOW) == "1" else f"this fails the run; {ALLOW}=1 allows it"
        terminalreporter.write_line(f"skipped: {len(self.skipped)} ({verdict})", red=True)
        for name, reason in sorted(self.skipped.items()):
            terminalreporter.write_line(f"  {name}: {reason}", red=True)


def _reason(longrepr: object) -> str:
    if isinstance(longrepr, tuple) and len(longrepr) == 3:
        return str(longrepr[2]).removeprefix("Skipped: ")
    return str(longrepr)
