"""The runner killed, or its log failing, at any point: resumed, the run ends where an uninterrupted one ends."""

from pathlib import Path
from typing import Any

import pytest

from console.runbook.run.view import RunState
from tests.faults.sweeping import WITHIN_S, Fault, repeated_without_a_probe, swept
from tests.support.sample_actions import read_calls

pytestmark = pytest.mark.process

CALM: dict[str, Any] = {"a": {"edition": "new"}, "b": {"edition": "new"}, "marked": {}, "swapped": {}}
SAMPLE = 6


def counts(folder: Path) -> tuple[int, int]:
    """Return how many points an uninterrupted run has, and how many writes, at the least.

    Its one runner waits for each answer. A run whose runner ends at a question, because the answer came too late for it,
    has a second runner and its writes besides: on a loaded machine that is so at one question and not at the next.
    """
    with swept(folder) as run:
        run.linger_s = WITHIN_S
        assert run.finish().state is RunState.DONE
        assert run.end_state() == CALM
        assert not repeated_without_a_probe(read_calls(run.calls))
        return int(run.points.value), int(run.writes.value)


def check(folder: Path, fault: Fault) -> int:
    """Let a run fail at a point, resume it, and return how often its runner died."""
    with swept(folder) as run:
        view = run.finish(fault)
        assert view.state is RunState.DONE, (fault, view)
        assert {str(each.state) for each in view.steps} == {"done"}, (fault, view)
        assert run.end_state() == CALM, (fault, read_calls(run.calls))
        assert not repeated_without_a_probe(read_calls(run.calls)), (fault, read_calls(run.calls))
        assert not view.blocks
        return run.deaths


def spread(count: int, most: int) -> list[int]:
    return sorted({1 + (count - 1) * at // (most - 1) for at in range(most)})


def test_killed_at_a_few_points_it_ends_where_an_uninterrupted_run_ends(tmp_path: Path) -> None:
    points, _ = counts(tmp_path / "calm")
    deaths = [check(tmp_path / str(at), Fault("kill", at)) for at in spread(points - 4, SAMPLE)]
    assert sum(deaths) >= SAMPLE - 1


def test_a_write_that_fails_or_has_no_room_stops_the_run_safely(tmp_path: Path) -> None:
    _, writes = counts(tmp_path / "calm")
    faults = [Fault("fail", at) for at in spread(writes, 2)] + [
        Fault("full", at) for at in spread(writes - 2, 2)
    ]
    deaths = [check(tmp_path / f"{each.kind}-{each.at}", each) for each in faults]
    assert sum(deaths) == len(deaths)


@pytest.mark.sweep
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("kind", ["kill", "fail", "full"])
def test_at_every_point(tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    points, writes = counts(tmp_path / "calm")
    count = points if kind == "kill" else writes
    deaths = [check(tmp_path / str(at), Fault(kind, at)) for at in range(1, count + 1)]
    with capsys.disabled():
        where = "before and after each write and each call" if kind == "kill" else "each write"
        print(f"\n{kind}: {count} points swept ({where}), {sum(deaths)} deaths, all ended alike")
    # The engine's answers do not come in the same order each time, so the last points may not be reached.
    assert sum(deaths) >= count - 5
