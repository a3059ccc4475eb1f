import asyncio
import threading

import pytest

from console.concurrency import OwningThreads


class Owned:
    def __init__(self) -> None:
        self.thread = threading.get_ident()
        self.closed = threading.Event()


async def test_each_thread_uses_only_its_own_object() -> None:
    threads: OwningThreads[Owned] = OwningThreads(Owned, lambda each: each.closed.set(), 3)
    barrier = threading.Barrier(3, timeout=60)

    def meet(owned: Owned) -> Owned:
        assert owned.thread == threading.get_ident()
        barrier.wait()
        return owned

    owned = await asyncio.gather(*(threads.call(meet) for _ in range(3)))
    assert len({each.thread for each in owned}) == 3
    threads.close()
    assert all(each.closed.wait(60) for each in owned)


async def test_no_more_threads_start_than_calls_need() -> None:
    made: list[Owned] = []

    def make() -> Owned:
        made.append(Owned())
        return made[-1]

    threads: OwningThreads[Owned] = OwningThreads(make, lambda each: each.closed.set(), 8)
    for _ in range(5):
        await threads.call(lambda owned: owned.thread)
    threads.close()
    assert len(made) == 1


async def test_a_call_that_was_given_up_counts_as_long_as_it_blocks_its_thread() -> None:
    threads: OwningThreads[Owned] = OwningThreads(Owned, lambda _: None, 3)
    go_on, began = threading.Event(), threading.Semaphore(0)

    def hang(_: Owned) -> bool:
        began.release()
        return go_on.wait(60)

    try:
        for _ in range(2):
            hanging = asyncio.create_task(threads.call(hang))
            await asyncio.to_thread(began.acquire, timeout=60)
            hanging.cancel()
            await asyncio.gather(hanging, return_exceptions=True)
        # Both of the threads that are up are blocked: the next call gets one of its own, at once.
        assert await asyncio.wait_for(threads.call(lambda _: "served"), 30) == "served"
        # … and the one after it uses that one again.
        assert await asyncio.wait_for(threads.call(lambda _: "again"), 30) == "again"
    finally:
        go_on.set()
        threads.close()


async def test_calls_that_were_given_up_leave_their_threads_for_others() -> None:
    threads: OwningThreads[Owned] = OwningThreads(Owned, lambda _: None, 2)
    go_on = threading.Event()
    hanging = [asyncio.create_task(threads.call(lambda _: go_on.wait(60))) for _ in range(5)]
    await asyncio.sleep(0)
    for each in hanging:
        each.cancel()
    await asyncio.gather(*hanging, return_exceptions=True)
    go_on.set()
    for _ in range(5):
        assert await threads.call(lambda _: "served") == "served"
    threads.close()


async def test_what_a_call_or_the_making_raises_reaches_the_caller() -> None:
    def fail() -> Owned:
        raise ValueError("no object")

    failing: OwningThreads[Owned] = OwningThreads(fail, lambda _: None, 1)
    with pytest.raises(ValueError, match="no object"):
        await failing.call(lambda owned: owned.thread)
    failing.close()
    threads: OwningThreads[Owned] = OwningThreads(Owned, lambda _: None, 1)
    with pytest.raises(ZeroDivisionError):
        await threads.call(lambda _: 1 // 0)
    assert await threads.call(lambda _: 1) == 1
    threads.close()


async def test_a_caller_that_gives_up_holds_nobody_up() -> None:
    threads: OwningThreads[Owned] = OwningThreads(Owned, lambda _: None, 1)
    go_on = threading.Event()
    hanging = asyncio.create_task(threads.call(lambda _: go_on.wait(60)))
    waiting = asyncio.create_task(threads.call(lambda _: "dropped"))
    await asyncio.sleep(0)
    for each in (hanging, waiting):
        each.cancel()
    await asyncio.gather(hanging, waiting, return_exceptions=True)
    assert hanging.cancelled()
    assert waiting.cancelled()
    go_on.set()
    assert await threads.call(lambda _: "served") == "served"
    threads.close()
