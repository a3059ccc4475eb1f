"""Several things at once, and a whole look that is made of them: what fails leaves nothing running."""

import asyncio
from typing import Any

import pytest

from console.concurrency import cancelled, together
from console.errors import EngineTimeout, HostError
from console.journal.reader import DaemonLog
from console.monitor.snapshot import take_look
from console.settings import Look
from tests.support.swarms import NOW, swarm


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
    await cancelled(task)
    assert (one.ended, two.ended, task.cancelled()) == (True, True, True)


class Reader:
    """A swarm that is there once, counts its addresses, and then does not answer."""

    host = "unix:///var/run/docker.sock"

    def __init__(self, journal: Endless) -> None:
        self.looks = 0
        self.journal = journal

    async def look(self, deadline_s: float) -> Any:
        assert deadline_s > 0
        self.looks += 1
        if self.looks == 2:
            await self.journal.began.wait()
            raise EngineTimeout("It does not answer.")
        return swarm(api=(1, 52))


class Clock:
    def now(self) -> Any:
        return NOW

    def monotonic(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None:
        assert seconds > 0


async def test_a_second_look_that_fails_leaves_no_reading_of_the_journal_behind() -> None:
    endless = Endless()

    class Journal:
        async def read(self, _: object) -> None:
            await endless.work()

    reader: Any = Reader(endless)
    log = DaemonLog(Journal(), is_recorded=True)  # type: ignore[arg-type] # it is only read
    with pytest.raises(EngineTimeout):
        await take_look(reader, log, Clock(), Look())
    assert reader.looks == 2
    assert endless.ended
