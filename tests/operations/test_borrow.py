"""A manager borrowed on a simulated swarm: what comes of it, what is refused, and what goes wrong in the middle."""

import asyncio
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import pytest

from console.errors import Declined, HostError
from console.simulator.host.control import send
from console.simulator.host.temporary import SimulatedTemporaryEngine
from console.storage.borrow import BorrowPhase
from console.swarm.parse import HEARTBEAT_LABEL, SNAPSHOT_LABEL
from tests.support.simulated_borrows import (
    HERE,
    OWNER,
    BorrowWorld,
    borrow_world,
    happening_at,
    kill_program,
    until_killed,
)

JOINING, PAUSED, DEMOTED = 12, 26, 30
"""Moments of a run: after the join was recorded, after the pause, after the demotion."""


async def require_untouched(world: BorrowWorld) -> None:
    """Fail unless all is as before, and the addresses still leak."""
    await world.require_as_before()
    assert len(world.model.addresses_of("proxy", "leaked")) == 2


async def test_every_leaked_address_is_free_and_all_is_as_before(tmp_path: Path) -> None:
    with borrow_world(tmp_path) as world:
        outcome = await world.run()
        result = outcome.result
        assert (result.gave_back, result.leader, result.because) == (True, HERE, "")
        assert (outcome.containers, outcome.lost) == (3, ())
        assert 0 < result.unanswered_s < result.took_s < 30
        await world.require_as_before()
        assert world.model.addresses_of("proxy", "leaked") == []


async def test_a_second_one_right_after_the_first_works(tmp_path: Path) -> None:
    with borrow_world(tmp_path) as world:
        await world.run()
        again = await world.run()
        assert again.result.gave_back
        await world.require_as_before()


async def test_the_real_manager_is_paused_before_it_is_demoted_and_the_record_says_who_and_how_far(
    tmp_path: Path,
) -> None:
    with borrow_world(tmp_path) as world, happening_at(DEMOTED, kill_program):
        await until_killed(world)
        world.pass_time(5.0)
        assert (world.model.node.role, world.model.node.availability) == ("worker", "pause")
        record = world.store.read()
        assert record is not None
        assert (record.owner, record.phase, record.has_led) == (OWNER, BorrowPhase.HANDING_OVER, False)
        assert (record.node_name, record.manager_address) == (HERE, "192.0.2.10:2377")
        assert set(record.containers) == set(world.before)
        assert (world.store.folder / "way-back.sh").exists()
        await world.finish()
        await world.require_as_before()


async def test_the_swarms_settings_are_others_while_the_lead_changes_and_what_somebody_sets_meanwhile_stays(
    tmp_path: Path,
) -> None:
    def raft(world: BorrowWorld) -> int:
        return int(world.model.membership.spec["Raft"]["SnapshotInterval"])

    with borrow_world(tmp_path) as world, happening_at(DEMOTED, kill_program):
        assert raft(world) == 10_000
        await until_killed(world)
        spec = world.model.membership.spec
        assert (raft(world), spec["Labels"][SNAPSHOT_LABEL]) == (1, "10000")
        assert (spec["Dispatcher"]["HeartbeatPeriod"], spec["Labels"][HEARTBEAT_LABEL]) == (
            60_000_000_000,
            "5000000000",
        )
        await world.finish()
        assert raft(world) == 10_000
        await world.require_as_before()
    with borrow_world(tmp_path / "again") as world, happening_at(DEMOTED, kill_program):
        await until_killed(world)
        spec = world.model.membership.spec
        spec["Raft"] = {**spec["Raft"], "SnapshotInterval": 7_000}
        await world.finish()
        assert raft(world) == 7_000
        await world.require_as_before()


async def test_the_join_tokens_are_new_afterwards_where_the_operator_wants_that(tmp_path: Path) -> None:
    with borrow_world(tmp_path) as world:
        tokens = world.model.membership.token
        before = tokens("manager"), tokens("worker")
        await world.run()
        assert (tokens("manager"), tokens("worker")) == before
        world.rotates_tokens = True
        await world.run()
        assert not {tokens("manager"), tokens("worker")} & set(before)


# What goes wrong.


async def test_one_that_does_not_start_costs_nothing(tmp_path: Path) -> None:
    async def fail(*_: object) -> None:
        raise HostError("The dockerd of the temporary manager ended while it started: no such module.")

    with borrow_world(tmp_path) as world:
        with patch.object(SimulatedTemporaryEngine, "start", fail):
            outcome = await world.run()
        assert (outcome.result.gave_back, outcome.lost) == (False, ())
        assert "ended while it started: no such module" in outcome.result.because
        await require_untouched(world)


async def test_a_refused_join_costs_nothing(tmp_path: Path) -> None:
    with borrow_world(tmp_path) as world:

        def refuse() -> None:
            fault = {"method": "POST", "path": "/swarm/join", "kind": "status:500", "times": 9}
            send(Path(world.temporary.host.removeprefix("unix://")), "/_simulator/faults", [fault])

        with happening_at(JOINING, refuse):
            outcome = await world.run()
        assert not outcome.result.gave_back
        assert "a simulated failure" in outcome.result.because
        await require_untouched(world)


async def test_the_real_manager_leads_alone_where_the_temporary_one_lost_its_data_before_it_led(
    tmp_path: Path,
) -> None:
    with borrow_world(tmp_path) as world:
        with happening_at(PAUSED, lambda: world.kill_temporary(loses_data=True)):
            outcome = await world.run()
        assert (outcome.result.leader, outcome.lost) == (HERE, ())
        assert any("without it there is no quorum" in line for line in world.told)
        await world.require_as_before()


async def test_lost_data_of_the_only_manager_ends_in_an_error_with_the_way_back(tmp_path: Path) -> None:
    with borrow_world(tmp_path) as world:
        with (
            happening_at(DEMOTED, lambda: world.kill_temporary(loses_data=True)),
            pytest.raises(Declined) as told,
        ):
            await world.run()
        assert "The swarm has no leader" in told.value.sentence
        assert str(world.store.folder / "way-back.sh") in told.value.hint
        assert world.store.read() is not None
        with pytest.raises(Declined, match="The swarm has no leader"):
            await world.finish()
        # No container ended for it: the swarm is out of order, what runs on the host is not.
        assert world.model.node.availability == "pause"


async def test_one_of_another_swarm_is_not_finished(tmp_path: Path) -> None:
    with borrow_world(tmp_path) as world:
        with happening_at(JOINING, kill_program):
            await until_killed(world)
        record = world.store.read()
        assert record is not None
        world.store.write(replace(record, node_id="another"))
        with pytest.raises(Declined, match="belongs to another swarm") as told:
            await world.finish()
        assert str(world.store.folder) in told.value.hint
        world.store.write(record)
        await world.finish()
        await require_untouched(world)


async def test_another_machines_is_left_alone_and_the_same_machines_next_program_finishes_it(
    tmp_path: Path,
) -> None:
    with borrow_world(tmp_path) as world:
        with happening_at(DEMOTED, kill_program):
            await until_killed(world)
        world.owner = "another-machine/1"
        with pytest.raises(Declined, match="machine this-machine"):
            await world.finish()
        world.owner = "this-machine/99"
        done = await world.finish()
        assert done is not None
        assert done.result.gave_back
        await world.require_as_before()


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda text: text[: len(text) // 2], "damaged or of another version"),
        (lambda text: text.replace("vipconsole.borrow/1", "vipconsole.borrow/2"), "of another version"),
        (lambda text: text.replace('"joining"', '"dancing"'), "damaged"),
        (lambda text: text.replace("198.18.0", "300.18.0"), "damaged"),
        (lambda _: "[]", "damaged"),
        (lambda _: "\udcff", "cannot be read"),
    ],
)
async def test_a_record_that_cannot_be_read_is_never_guessed_at(
    damage: object, says: str, tmp_path: Path
) -> None:
    assert callable(damage)
    with borrow_world(tmp_path) as world:
        with happening_at(JOINING, kill_program):
            await until_killed(world)
        path = world.store.folder / "record.json"
        good = path.read_text()
        path.write_text(damage(good), errors="surrogateescape")
        with pytest.raises(HostError, match=says) as told:
            await world.finish()
        assert "way-back.sh" in told.value.hint
        path.write_text(good)
        await world.finish()
        await require_untouched(world)


async def test_ctrl_c_puts_everything_back_before_it_ends(tmp_path: Path) -> None:
    for moment in (JOINING, PAUSED, DEMOTED):
        with borrow_world(tmp_path / str(moment)) as world:
            work = asyncio.ensure_future(world.run())
            with happening_at(moment, work.cancel), pytest.raises(asyncio.CancelledError):
                await work
            assert "interrupted: everything is made what it was before" in world.told
            await world.require_as_before()


# Swarms that lock their managers.


async def test_a_swarm_that_locks_its_managers_needs_its_key(tmp_path: Path) -> None:
    with borrow_world(tmp_path, is_locked=True) as world:
        with pytest.raises(Declined, match="This swarm locks its managers") as told:
            await world.run()
        assert "--unlock-key-file" in told.value.hint
        world.key = "SWMKEY-1-another"
        with pytest.raises(Declined, match="not that of this swarm"):
            await world.run()
        await require_untouched(world)


async def test_a_locked_temporary_manager_is_unlocked_and_told_of_where_there_is_no_key(
    tmp_path: Path,
) -> None:
    with borrow_world(tmp_path, is_locked=True) as world:
        world.key = world.model.membership.unlock_key

        def kill_both() -> None:
            world.kill_temporary()
            kill_program()

        with happening_at(DEMOTED, kill_both):
            await until_killed(world)
        key, world.key = world.key, ""
        with pytest.raises(Declined, match="The temporary manager is locked") as told:
            await world.finish()
        assert "--unlock-key-file" in told.value.hint
        world.key = key
        done = await world.finish()
        assert done is not None
        assert done.result.gave_back
        await world.require_as_before()
