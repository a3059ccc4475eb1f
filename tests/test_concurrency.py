"""Several things at once, and a whole look that is made of them: what fails leaves nothing running."""

import asyncio
from typing import Any

import pytest

from console.concurrency import cancel_all, together, until
from console.errors import EngineTimeout, HostError
from console.journal.reader import DaemonLog
from console.monitor.snapshot import take_snapshot
from console.settings import SnapshotSettings
from tests.support.clocks import Hours
from tests.support.swarms import network, swarm


class Endless:
    """Work that only ends when it is cancelled, and knows whether it was begun and ended."""

    def __init__(self) -> None:
        self.began = asyncio.Event()
        self.ended = False

    async def work(self) -> None:
        self.began.set()
        try:
            await asyncio.Event().wait()
        finally:
            # It is waited for, not only told.
            await asyncio.sleep(0)
            self.ended = True


async def returned(value: str) -> str:
    return value


async def failing(other: Endless, error: Exception) -> None:
    await other.began.wait()
    raise error


async def test_results_come_in_the_order_of_the_works() -> None:
    assert await together(returned("a"), returned("b"), returned("c")) == ("a", "b", "c")
    assert await together() == ()


async def test_when_one_fails_the_others_have_ended_and_its_error_is_raised_as_it_is() -> None:
    endless, error = Endless(), HostError("It failed.", "Mend it.")
    error.__cause__ = OSError("below")
    with pytest.raises(HostError) as raised:
        await together(endless.work(), failing(endless, error))
    assert raised.value is error
    assert isinstance(error.__cause__, OSError)
    assert endless.ended


async def test_when_nobody_waits_any_more_all_have_ended() -> None:
    one, two = Endless(), Endless()
    task = asyncio.create_task(together(one.work(), two.work()))
    await one.began.wait()
    await two.began.wait()
    await cancel_all(task)
    assert (one.ended, two.ended, task.cancelled()) == (True, True, True)


class Reader:
    """A swarm that is there once, counts its addresses, and then does not answer."""

    host = "unix:///var/run/docker.sock"

    def __init__(self, journal: Endless) -> None:
        self.snapshots = 0
        self.journal = journal

    async def state(self, deadline_s: float) -> Any:
        assert deadline_s > 0
        self.snapshots += 1
        if self.snapshots == 2:
            await self.journal.began.wait()
            raise EngineTimeout("It does not answer.")
        # More is taken than held, and no node leads: only a second look would tell.
        return swarm([network("proxy", "10.0.1.0/24", use={"10.0.1.0/24": (5, 251)})], nodes=(), api=(1, 52))


async def test_a_second_look_that_fails_leaves_no_reading_of_the_journal_behind() -> None:
    endless = Endless()

    class Journal:
        async def read(self, _: object) -> None:
            await endless.work()

    reader: Any = Reader(endless)
    log = DaemonLog(Journal(), is_recorded=True)  # type: ignore[arg-type] # it is only read
    with pytest.raises(EngineTimeout):
        await take_snapshot(reader, log, Hours(), SnapshotSettings())
    assert reader.snapshots == 2
    assert endless.ended


class Looks:
    """Answers of looks, each in its turn, the last one again and again; errors are raised."""

    def __init__(self, *answers: object) -> None:
        self.answers = list(answers)
        self.taken = 0

    async def attempt(self) -> object:
        answer = self.answers[min(self.taken, len(self.answers) - 1)]
        self.taken += 1
        if isinstance(answer, Exception):
            raise answer
        return answer


async def test_the_first_answer_is_waited_for() -> None:
    snapshots, clock = Looks(None, False, HostError("Not yet."), "there"), Hours()
    assert await until(snapshots.attempt, clock, 10, 2, (HostError,)) == "there"
    assert (snapshots.taken, clock.monotonic()) == (4, 6)


@pytest.mark.parametrize(("within_s", "taken"), [(0, 1), (1, 2), (4, 3)])
async def test_when_the_time_is_over_there_was_a_last_look(within_s: float, taken: int) -> None:
    snapshots = Looks(None)
    assert await until(snapshots.attempt, Hours(), within_s, 2) is None
    assert snapshots.taken == taken


async def test_what_goes_wrong_in_the_last_look_is_raised_and_another_error_at_once() -> None:
    snapshots = Looks(HostError("It stays so."))
    with pytest.raises(HostError):
        await until(snapshots.attempt, Hours(), 4, 2, (HostError,))
    assert snapshots.taken == 3
    snapshots = Looks(EngineTimeout("Something else."))
    with pytest.raises(EngineTimeout):
        await until(snapshots.attempt, Hours(), 4, 2, (HostError,))
    assert snapshots.taken == 1
