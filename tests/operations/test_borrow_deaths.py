"""The temporary manager dies at any moment of a borrowed manager, alone or with the program: it is started again."""

import asyncio
from pathlib import Path
from unittest.mock import patch

import pytest

from console.host.temporary.values import Cable
from console.operations.borrow.quorum import LOST_AFTER_S
from console.simulator.host.borrowing import SimulatedHost
from console.simulator.host.temporary import SimulatedTemporaryEngine
from tests.support.simulated_borrows import borrow_world, happening_at, kill_program, until_killed

LEADS = 30
"""After the real manager was demoted."""
PROMOTED = 32
"""After it was made a manager again, and before it votes."""
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


@pytest.mark.parametrize(("moment", "dies_with_program"), [(PROMOTED, False), (LEADS, True)])
async def test_one_that_takes_long_to_start_again_is_waited_for(
    moment: int,
    dies_with_program: bool,  # noqa: FBT001 - a case
    tmp_path: Path,
) -> None:
    start, died, own = SimulatedTemporaryEngine.start, list[bool](), asyncio.current_task()
    with borrow_world(tmp_path) as world:

        def elapsed_s() -> float:
            return world.model.store.timeline.elapsed_s

        async def start_slowly(self: SimulatedTemporaryEngine, cable: Cable) -> None:
            end_s = elapsed_s() + 2 * LOST_AFTER_S
            if died and asyncio.current_task() is own:
                world.pass_time(2 * LOST_AFTER_S)
            while died and elapsed_s() < end_s:  # noqa: ASYNC110 - the time is simulated
                # What waits for it goes on meanwhile, and lets the time pass.
                await asyncio.sleep(0)
            await start(self, cable)

        def kill() -> None:
            died.append(True)
            world.kill_temporary()
            if dies_with_program:
                kill_program()

        with (
            patch.object(SimulatedTemporaryEngine, "start", start_slowly),
            # A worker has none.
            patch.object(SimulatedHost, "has_log", lambda *_: False),
            happening_at(moment, kill),
        ):
            done = await until_killed(world) or await world.finish()
        assert done is not None
        assert done.lost == ()
        assert not any("lost its part of the swarm" in line for line in world.told)
        await world.require_as_before()
