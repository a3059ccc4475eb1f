"""Programs that take long: what they say while they run, how they end, and that nothing of them is left."""

import asyncio
import os
import time
from pathlib import Path

import pytest

from console.errors import HostError
from console.host import streaming
from console.host.process import DRAIN_S, PATH
from console.host.streaming import LEFT_BEHIND, LINE_LIMIT_BYTES, Program, run_streaming

PATIENT_S = 60.0


class StreamItem:
    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.news = asyncio.Event()

    async def listen(self, line: bytes) -> None:
        self.lines.append(line)
        self.news.set()


def shell(script: str, **more: str) -> Program:
    return Program(("/bin/sh", "-c", script), more)


async def run(program: Program, timeout_s: float = PATIENT_S) -> tuple[int, list[bytes]]:
    stream_item = StreamItem()
    code = await run_streaming(program, timeout_s, stream_item.listen)
    return code, stream_item.lines


async def gone(*pids: int) -> bool:
    """Whether these processes are gone, or will be in a moment: they die on their own time."""
    for _ in range(1000):
        if not [each for each in pids if _is_there(each)]:
            return True
        await asyncio.sleep(0.02)
    return False


def _is_there(pid: int) -> bool:
    try:
        # A zombie is gone as far as anybody can tell.
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


async def test_both_streams_are_heard_line_by_line_and_the_exit_code_is_told() -> None:
    code, lines = await run(shell("echo one; echo two >&2; printf three; exit 3"))
    assert (code, lines) == (3, [b"one", b"two", b"three"])


async def test_nothing_of_this_process_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "x")
    _, lines = await run(Program(("/usr/bin/env",), {"NAME": "value"}))
    assert sorted(lines) == [b"LC_ALL=C", b"NAME=value", b"PATH=" + PATH.encode()]
    _, lines = await run(Program(("/bin/pwd",)))
    assert lines == [b"/"]
    _, lines = await run(shell("cat; echo end"))
    assert lines == [b"end"]


async def test_lines_end_however_they_like_and_long_ones_are_cut() -> None:
    _, lines = await run(shell(r"printf 'a\rb\r\nc\n\nd'; head -c 20000 /dev/zero | tr '\0' x"))
    assert lines[:4] == [b"a", b"b", b"c", b""]
    assert [len(each) for each in lines[4:]] == [
        LINE_LIMIT_BYTES,
        LINE_LIMIT_BYTES,
        20001 - 2 * LINE_LIMIT_BYTES,
    ]


async def test_a_flood_is_heard_without_being_kept() -> None:
    count = 0

    async def listen(_: bytes) -> None:
        nonlocal count
        count += 1

    assert await run_streaming(shell("yes | head -c 800000"), PATIENT_S, listen) == 0
    assert count == 400_000


async def test_at_the_time_limit_everything_that_it_started_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "GRACE_S", 0.3)
    stream_item = StreamItem()
    # Neither of them ends when it is asked to.
    script = "trap '' TERM; (trap '' TERM; echo $$; while :; do sleep 1; done) & echo $!; while :; do sleep 1; done"
    began_s = time.monotonic()
    with pytest.raises(HostError, match="`/bin/sh` timed out after 5 s and was ended"):
        await run_streaming(shell(script), 5.0, stream_item.listen)
    assert time.monotonic() - began_s < 60
    pids = [int(each) for each in stream_item.lines]
    assert len(pids) == 2
    assert await gone(*pids)


async def test_when_nobody_waits_any_more_it_is_gone_too() -> None:
    stream_item = StreamItem()
    task = asyncio.create_task(run_streaming(shell("echo $$; sleep 1000"), PATIENT_S, stream_item.listen))
    await asyncio.wait_for(stream_item.news.wait(), PATIENT_S)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await gone(int(stream_item.lines[0]))


async def test_a_process_that_it_left_behind_holds_nobody_up() -> None:
    began_s = time.monotonic()
    code, lines = await run(shell("sleep 300 & echo $!"))
    os.kill(int(lines[0]), 9)
    assert code == 0
    assert lines[1:] == [LEFT_BEHIND]
    assert time.monotonic() - began_s < 200


async def test_a_slow_listener_hears_all_that_a_program_said_before_it_ended() -> None:
    stream_item: list[bytes] = []
    # It goes on listening only long after the program has ended, with the pipe full.
    may_hear = asyncio.Event()

    async def listen(line: bytes) -> None:
        await may_hear.wait()
        stream_item.append(line)

    script = "echo $$; yes | head -c 60000"
    task = asyncio.create_task(run_streaming(shell(script), PATIENT_S, listen))
    await asyncio.wait((task,), timeout=2.5 * DRAIN_S)
    assert not task.done()
    may_hear.set()
    assert await task == 0
    assert len(stream_item) == 30_001


async def test_a_program_that_is_killed_has_the_code_that_a_shell_would_tell() -> None:
    assert (await run(shell("kill -9 $$")))[0] == 137


@pytest.mark.parametrize("argv", [("/nonexistent",), ("/etc/passwd",), ("/bin/true", "a\0b")])
async def test_what_cannot_be_started_is_told(argv: tuple[str, ...]) -> None:
    with pytest.raises(HostError, match=f"`{argv[0]}` could not be started: "):
        await run(Program(argv))
    with pytest.raises(HostError, match="could not be started"):
        await run(Program(("/bin/true",), folder="/nonexistent"))
