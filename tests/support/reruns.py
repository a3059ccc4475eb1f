"""A test on a real engine that fails is run once more, on a fresh engine; the end of the output counts and names each rerun.

A real engine on a loaded machine fails by chance now and then. A rerun is never silent: what failed first is shown, and the
last line counts it. All other tests get one attempt.
"""

from typing import Any

import pytest
from _pytest.runner import runtestprotocol

RERUN = "rerun"
"""The outcome of a failed attempt after which the test is run again."""


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    """Run a test on a real engine, and once more when it fails."""
    if item.get_closest_marker("engine") is None:
        return None
    tell = item.ihook
    tell.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    reports = runtestprotocol(item, nextitem=nextitem, log=False)
    if any(report.failed for report in reports):
        for report in reports:
            if report.failed:
                report.outcome = RERUN  # type: ignore[assignment] # pytest's type names its own three only
                tell.pytest_runtest_logreport(report=report)
        # The engine that a module's tests share goes too: the failed attempt left it in a state that nobody knows.
        forget: Any = item
        forget.session._setupstate.teardown_exact(None)
        forget._initrequest()
        reports = runtestprotocol(item, nextitem=nextitem, log=False)
    for report in reports:
        tell.pytest_runtest_logreport(report=report)
    tell.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


def pytest_report_teststatus(
    report: pytest.TestReport,
) -> tuple[str, str, tuple[str, dict[str, bool]]] | None:
    """Count an attempt that was followed by another as `rerun`."""
    return (RERUN, "R", ("RERUN", {"yellow": True})) if report.outcome == RERUN else None


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Show what failed in each first attempt, then count the tests that were run again."""
    reports = terminalreporter.stats.get(RERUN, [])
    if not reports:
        return
    terminalreporter.section("engine tests that were run again")
    for report in reports:
        terminalreporter.write_line(f"{report.nodeid} ({report.when}) failed in the first attempt:")
        terminalreporter.write_line(report.longreprtext)
    names = sorted({report.nodeid for report in reports})
    plural = "test was" if len(names) == 1 else "tests were"
    terminalreporter.write_line(f"{len(names)} engine {plural} run again: {', '.join(names)}", yellow=True)
