"""One look at a host: what is there, what has no meaning here, and what cannot be read."""

import asyncio
import fcntl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from console.errors import HostError, Unknown
from console.host.activity import Inapplicable
from console.host.lock_probe import holder_of_lock
from console.host.reader import HostPaths, HostReader
from console.settings import QuiescenceSettings


@contextmanager
def held(path: Path, note: str = "") -> Iterator[None]:
    with path.open("w") as file:
        file.write(note)
        file.flush()
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def test_a_lock_is_free_where_nobody_holds_it(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert holder_of_lock(path) == ""
    path.write_text("run 7, long ago")
    assert holder_of_lock(path) == ""


def test_a_held_lock_tells_its_holder(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with held(path, "run 7 by ada\x1b[2J\n"):
        assert holder_of_lock(path) == r"run 7 by ada\x1b[2J"
    with held(path):
        assert holder_of_lock(path) == "somebody"
    assert holder_of_lock(path) == ""


def test_a_probe_keeps_nothing_and_does_not_meet_another_probe(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    path.touch()
    with path.open() as other:
        fcntl.flock(other, fcntl.LOCK_SH)
        assert holder_of_lock(path) == ""
    with path.open() as taker:
        fcntl.flock(taker, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_lock_that_cannot_be_opened_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(HostError, match="cannot be checked"):
        holder_of_lock(tmp_path / ("x" * 300))


async def failing(argv: Sequence[str], timeout_s: float) -> bytes:
    await asyncio.sleep(0)
    raise HostError(f"{argv[0]} fails within {timeout_s:g} s")


def places(folder: Path, *, systemd: bool) -> HostPaths:
    return HostPaths(booted=folder if systemd else folder / "none", lock=folder / "lock", run=failing)


async def test_without_systemd_its_checks_have_no_meaning_unless_asked_for(tmp_path: Path) -> None:
    found = await HostReader(QuiescenceSettings(), 5, places(tmp_path, systemd=False)).take()
    assert found.jobs == Inapplicable("systemd does not run on this machine.")
    assert found.units == Inapplicable("No units are configured.")
    assert not isinstance(found.processes, Unknown | Inapplicable)
    assert found.lock_holder == ""
    wanted = QuiescenceSettings(units=("deploy-*",), timers=("sweep.timer",))
    found = await HostReader(wanted, 5, places(tmp_path, systemd=False)).take()
    assert isinstance(found.units, Inapplicable)
    assert found.units.is_configured
    assert isinstance(found.timers, Inapplicable)
    assert found.timers.is_configured


async def test_with_a_systemd_that_does_not_answer_they_are_unknown(tmp_path: Path) -> None:
    wanted = QuiescenceSettings(units=("deploy-*",), timers=("sweep.timer",))
    found = await HostReader(wanted, 5, places(tmp_path, systemd=True)).take()
    assert found.jobs == Unknown("systemctl fails within 5 s")
    assert found.units == found.timers == found.jobs
    assert found.logins == Unknown("who fails within 5 s")


async def test_the_run_that_holds_the_lock_is_not_told_of_itself(tmp_path: Path) -> None:
    with held(tmp_path / "lock", "this run"):
        survey = HostReader(QuiescenceSettings(), 5, places(tmp_path, systemd=False))
        assert (await survey.take()).lock_holder == "this run"
        survey = HostReader(QuiescenceSettings(), 5, places(tmp_path, systemd=False), holds_lock=True)
        assert isinstance((await survey.take()).lock_holder, Inapplicable)
