import asyncio
import os
import signal
import time
from contextlib import suppress
from pathlib import Path

import pytest

from console.errors import HostError
from console.host.process import MOST_AFTER_END_BYTES, CommandFailed, output_of


async def test_what_a_command_writes_is_returned() -> None:
    assert await output_of(("printf", "a\\nb"), 10) == b"a\nb"


async def test_a_command_sees_a_plain_environment_and_no_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "x")
    said = await output_of(("sh", "-c", "echo $SECRET$LC_ALL; cat"), 10)
    assert said == b"C\n"


async def test_a_failing_command_tells_what_it_said_and_nothing_raw() -> None:
    with pytest.raises(HostError) as raised:
        await output_of(("sh", "-c", "printf '\\033[2Jno' >&2; exit 4"), 10)
    assert raised.value.sentence.endswith("failed: \\x1b[2Jno.")


async def test_a_command_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(HostError, match="no-such-command"):
        await output_of(("no-such-command",), 10)


async def test_a_command_that_hangs_is_killed_and_gone(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    started = time.monotonic()
    with pytest.raises(HostError, match="timed out after"):
        await output_of(("sh", "-c", f"trap '' TERM; echo $$ > {pid_file}; exec sleep 1000"), 5)
    assert time.monotonic() - started < 100
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid_file.read_text()), 0)


@pytest.mark.parametrize("ending", ["exit 0", "echo no >&2; exit 3"])
async def test_a_process_that_a_command_left_behind_is_not_waited_for(tmp_path: Path, ending: str) -> None:
    pid_file = tmp_path / "pid"
    script = f"printf all; sleep 1000 & echo $! > {pid_file}; {ending}"
    try:
        # Its time limit is far beyond what anybody waits here.
        async with asyncio.timeout(200):
            if ending == "exit 0":
                assert await output_of(("sh", "-c", script), 3000) == b"all"
            else:
                with pytest.raises(CommandFailed) as raised:
                    await output_of(("sh", "-c", script), 3000)
                assert (raised.value.code, raised.value.complaint) == (3, "no")
    finally:
        os.kill(int(pid_file.read_text()), signal.SIGKILL)


async def test_one_that_floods_the_pipe_after_its_parent_has_ended_is_not_waited_for(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    script = f"yes & echo $! > {pid_file}"
    try:
        async with asyncio.timeout(200):
            assert len(await output_of(("sh", "-c", script), 3000)) >= MOST_AFTER_END_BYTES
    finally:
        # Nobody reads it any more, so it may have ended by itself.
        with suppress(ProcessLookupError):
            os.kill(int(pid_file.read_text()), signal.SIGKILL)


async def test_a_command_at_its_time_limit_is_given_up_though_its_child_holds_the_pipe(
    tmp_path: Path,
) -> None:
    pid_file = tmp_path / "pid"
    try:
        async with asyncio.timeout(200):
            with pytest.raises(HostError, match="timed out after 2 s"):
                await output_of(("sh", "-c", f"sleep 1000 & echo $! > {pid_file}; wait"), 2)
    finally:
        os.kill(int(pid_file.read_text()), signal.SIGKILL)


async def test_of_a_long_command_that_fails_only_the_beginning_is_shown() -> None:
    with pytest.raises(HostError) as raised:
        await output_of(("sh", "-c", "echo 'It is broken.' >&2; exit 1", *("x" * 50 for _ in range(40))), 100)
    assert len(raised.value.sentence) < 200
    assert raised.value.sentence.endswith("failed: It is broken.")
