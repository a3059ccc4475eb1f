import os
import time
from pathlib import Path

import pytest

from console.errors import HostError
from console.host.process import output_of


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
    with pytest.raises(HostError, match="was not done after"):
        await output_of(("sh", "-c", f"trap '' TERM; echo $$ > {pid_file}; exec sleep 1000"), 5)
    assert time.monotonic() - started < 100
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid_file.read_text()), 0)
