"""The docker unit, as systemctl tells of it (recorded from systemd 252)."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from console.errors import HostError
from console.host.unit_chain import read_daemon_unit, restart_daemon_unit

RUNS = (
    "LoadState=loaded\nActiveState=active\nActiveEnterTimestampMonotonic={at}\n"
    "StartLimitIntervalUSec={span}\nStartLimitBurst=3\n"
)


class Saying:
    """Answers every command with one text."""

    def __init__(self, said: str) -> None:
        self.said = said
        self.asked: list[Sequence[str]] = []

    async def __call__(self, argv: Sequence[str], timeout_s: float) -> bytes:
        assert timeout_s > 0
        self.asked.append(argv)
        return self.said.encode()


@pytest.mark.parametrize(
    ("span", "seconds"),
    [("1min", 60), ("1min 30s", 90), ("10s", 10), ("500ms", 0.5), ("0", 0), ("infinity", 0), ("", 0)],
)
async def test_when_it_started_and_how_often_it_may(span: str, seconds: float) -> None:
    at = int((time.monotonic() - 5) * 1e6)
    found = await read_daemon_unit("docker.service", 5, Saying(RUNS.format(at=at, span=span)))
    assert found.start_limit_s == seconds
    assert found.started_at is not None
    assert 5 <= (datetime.now(UTC) - found.started_at).total_seconds() < 300


@pytest.mark.parametrize("state", ["inactive", "failed", "activating"])
async def test_a_unit_that_does_not_run_was_not_started(state: str) -> None:
    said = RUNS.format(at=7, span="10s").replace("=active", f"={state}")
    assert (await read_daemon_unit("docker.service", 5, Saying(said))).started_at is None


@pytest.mark.parametrize("said", ["", "LoadState=not-found\nActiveState=inactive\n", "LoadState=masked\n"])
async def test_a_unit_that_is_not_there_is_an_error(said: str) -> None:
    with pytest.raises(HostError, match=r"no unit docker\.service"):
        await read_daemon_unit("docker.service", 5, Saying(said))


async def test_it_is_restarted_by_its_name_alone() -> None:
    run = Saying("")
    await restart_daemon_unit("docker.service", 60, run)
    assert run.asked == [("systemctl", "restart", "--", "docker.service")]
