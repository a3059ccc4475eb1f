"""How a transient unit that cannot be started is told; the real systemd is in tests/nixos."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from console.errors import HostError
from console.host.background import TransientUnit
from console.host.process import CommandFailed
from console.host.streaming import Program

PROGRAM = Program(("nixos-rebuild", "switch"), {"SECRET": "x"})


class Systemd:
    """A systemd that starts nothing."""

    def __init__(self, error: HostError, state: str = "LoadState=not-found\nActiveState=inactive\n") -> None:
        self.error = error
        self.states = ["LoadState=not-found\nActiveState=inactive\n", state]

    async def run(self, argv: Sequence[str], timeout_s: float) -> bytes:
        assert timeout_s > 0
        if argv[0] == "systemd-run":
            raise self.error
        return self.states.pop(0).encode()


async def test_what_systemd_says_is_told_and_not_the_command(tmp_path: Path) -> None:
    error = CommandFailed(("systemd-run", "--setenv=SECRET=x"), 1, b"Failed to start: Access denied.\n")
    unit = TransientUnit("switch", tmp_path / "log", Systemd(error).run)
    with pytest.raises(HostError) as raised:
        await unit.start(PROGRAM)
    assert raised.value.sentence == "systemd did not start switch.service: Failed to start: Access denied."
    assert raised.value.hint == "`journalctl -u switch.service` may say more."


async def test_a_time_limit_is_told_as_it_is(tmp_path: Path) -> None:
    error = HostError("`systemd-run` timed out after 30 s.")
    with pytest.raises(HostError, match="timed out after 30 s"):
        await TransientUnit("switch", tmp_path / "log", Systemd(error).run).start(PROGRAM)


async def test_one_that_was_over_in_an_instant_has_been_started(tmp_path: Path) -> None:
    error = CommandFailed(("systemd-run",), 1, b"Job failed.")
    state = "LoadState=loaded\nActiveState=failed\nSubState=failed\nResult=exit-code\n"
    await TransientUnit("switch", tmp_path / "log", Systemd(error, state).run).start(PROGRAM)
