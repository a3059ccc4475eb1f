"""The program is killed at any moment of a borrowed manager: the next call finishes it."""

from pathlib import Path

import pytest

from tests.support.simulated_borrows import (
    borrow_world,
    happening_at,
    kill_program,
    until_killed,
)

MOMENTS = 60
"""A whole run has so many: before and after each write of the record and each change of a node or the swarm's settings."""
AFTER_AN_ACT = (1, 5, 9, 13, 27, 29, 31, 33, 35, 43, 45, 51, 55, 59)
"""Moments before a write or a change at which the swarm is not what it was after the one before."""
LEADS = 30
"""After the real manager was demoted."""


@pytest.mark.parametrize("moment", sorted({*range(2, MOMENTS + 1, 2), *AFTER_AN_ACT}))
async def test_a_killed_program_is_finished_by_the_next_one(moment: int, tmp_path: Path) -> None:
    with borrow_world(tmp_path) as world:
        with happening_at(moment, kill_program) as moments:
            assert await until_killed(world) is None
        assert moments.count == moment
        done = await world.finish()
        await world.require_as_before()
        if done is not None:
            assert done.lost == ()
            assert done.result.gave_back == world.is_free() == (moment >= LEADS)
