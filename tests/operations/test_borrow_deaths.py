"""The temporary manager dies at any moment of a borrowed manager, alone or with the program: it is started again."""

from pathlib import Path

import pytest

from tests.support.simulated_borrows import borrow_world, happening_at, kill_program, until_killed

LEADS = 30
"""After the real manager was demoted."""
RUNS_FROM, RUNS_TO = 10, 56
"""When there is a temporary manager that can die."""
GONE = 60
"""When it was removed."""


@pytest.mark.parametrize(
    ("moment", "back_after_s"),
    [
        *((moment, None) for moment in range(RUNS_FROM, RUNS_TO + 1, 2)),
        *((moment, 2.0) for moment in range(RUNS_FROM, RUNS_TO + 1, 8)),
        (GONE, 2.0),
    ],
)
async def test_a_temporary_manager_that_dies_is_started_again(
    moment: int, back_after_s: float | None, tmp_path: Path
) -> None:
    with borrow_world(tmp_path) as world:
        with happening_at(moment, lambda: world.kill_temporary(back_after_s)):
            outcome = await world.run()
        await world.require_as_before()
        assert (outcome.lost, outcome.result.gave_back) == ((), world.is_free())
        # Before it is known to lead nothing is risked for it; from then on it is waited for.
        assert outcome.result.gave_back or moment < LEADS


@pytest.mark.parametrize("moment", [12, 18, 26, 30, 36, 44])
async def test_both_killed_at_once_are_finished_from_what_is_on_disk(moment: int, tmp_path: Path) -> None:
    with borrow_world(tmp_path) as world:

        def kill_both() -> None:
            world.kill_temporary()
            kill_program()

        with happening_at(moment, kill_both):
            assert await until_killed(world) is None
        world.pass_time(300.0)
        done = await world.finish()
        assert done is not None
        # Where the real one was elected again, its allocator begins without the leaks too, and nothing proves who led before.
        assert (done.lost, done.result.gave_back and not world.is_free()) == ((), False)
        await world.require_as_before()
