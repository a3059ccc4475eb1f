"""A recreation that is killed between any two durable writes ends, when it is resumed, as if it had not been."""

import shutil

import pytest

from console.errors import HostError
from console.operations.network_recreation.job import RecreationRollback
from tests.simulator.swarms import check_pools
from tests.support.change_records import ChangeRecordList, Killed
from tests.support.recreation import NEW, OLD, Stage, facts, stage, subnet_of

RECORDS = 34
"""Durable writes of an undisturbed recreation of the small stage; held to it below."""
EVERY = range(1, RECORDS + 1)


async def killed(on: Stage, at: int, *, is_back: bool = False) -> None:
    on.change_records = ChangeRecordList(kill_at=at)
    with pytest.raises((Killed, BaseExceptionGroup)):
        await (on.back() if is_back else on.forward())
    assert on.change_records.records == at
    on.change_records = ChangeRecordList()


async def test_so_many_durable_writes_there_are() -> None:
    with stage(small=True) as on:
        on.at_once = 1
        await on.forward()
        assert on.change_records.records == RECORDS


@pytest.mark.parametrize("at", EVERY)
async def test_resumed_it_ends_where_an_undisturbed_one_ends(at: int) -> None:
    with stage(small=True) as on:
        on.at_once = 1
        before = facts(on.model)
        await killed(on, at)
        on.model.advance(1)

        result = await on.forward()

        assert (subnet_of(on.model), result.sentences) == (str(NEW), ())
        assert facts(on.model) == before
        # At most once before the kill and once after it, when the answer had not been recorded.
        assert sum(each.startswith("remove the network") for each in on.changes) <= 2
        assert sum(each.startswith("create the network") for each in on.changes) <= 2
        check_pools(on.model)


# Two writes go with each change: after one of them is killed here, after both in `make faults`.
@pytest.mark.parametrize("at", [pytest.param(at, marks=() if at % 2 else pytest.mark.sweep) for at in EVERY])
async def test_undone_from_the_labels_alone_everything_is_as_it_was(at: int) -> None:
    with stage(small=True) as on:
        on.at_once = 1
        before = facts(on.model)
        await killed(on, at)
        shutil.rmtree(on.folder)
        on.folder.mkdir()
        is_parked = any(each.parked_by for each in (await on.reader.snapshot()).services)

        if is_parked:
            await on.back()

        on.model.advance(10)
        assert facts(on.model) == before
        assert subnet_of(on.model) == str(OLD if is_parked or at < RECORDS / 2 else NEW)
        assert not any(each.parked_by for each in (await on.reader.snapshot()).services)
        check_pools(on.model)


@pytest.mark.parametrize("at", EVERY[::3])
async def test_undone_with_what_was_kept_everything_is_as_it_was(at: int) -> None:
    with stage(small=True) as on:
        before = facts(on.model)
        await killed(on, at)

        result = await on.back()

        assert (subnet_of(on.model), result.sentences) == (str(OLD), ())
        assert facts(on.model) == before
        check_pools(on.model)


@pytest.mark.parametrize("at", EVERY[::4])
async def test_resumed_from_the_labels_alone_it_goes_on(at: int) -> None:
    with stage(small=True) as on:
        before = facts(on.model)
        await killed(on, at)
        shutil.rmtree(on.folder)
        on.folder.mkdir()

        result = await on.forward()

        assert (subnet_of(on.model), result.sentences) == (str(NEW), ())
        assert facts(on.model) == before
        check_pools(on.model)


@pytest.mark.parametrize("at", EVERY[1::4])
async def test_a_way_back_that_is_killed_too_is_gone_to_its_end(at: int) -> None:
    with stage(small=True) as on:
        on.at_once = 1
        before = facts(on.model)
        await on.forward()
        await killed(on, at, is_back=True)

        result = await on.back()

        assert (subnet_of(on.model), result.sentences) == (str(OLD), ())
        assert facts(on.model) == before
        check_pools(on.model)


@pytest.mark.parametrize("at", EVERY[::3])
async def test_a_record_that_cannot_be_written_any_more_keeps_nothing_down(at: int) -> None:
    with stage(small=True) as on:
        on.at_once = 1
        before = facts(on.model)
        on.change_records = ChangeRecordList(fail_at=at)

        try:
            said = (await on.forward()).sentences
        except (RecreationRollback, HostError) as error:
            said = (error.sentence,)

        ended = OLD if "was not recreated" in said[0] or at <= 2 else NEW
        assert all("No space left" in each for each in said)
        assert (facts(on.model), subnet_of(on.model)) == (before, str(ended))
