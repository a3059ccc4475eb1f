"""Programs that outlive whoever starts them, where systemd does not run the machine, and their logs."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from console.errors import HostError
from console.host.background import (
    MAX_WAIT_S,
    MOST_BYTES,
    DetachedSession,
    FileTail,
    ProgramState,
    ProgramStatus,
    follow,
)
from console.host.process import PATH
from console.host.streaming import LINE_LIMIT_BYTES, Program


class StillClock:
    """A clock that only moves when somebody waits."""

    def __init__(self) -> None:
        self.at_s = 0.0

    def now(self) -> object:
        raise AssertionError("nobody asks for the date")

    def monotonic(self) -> float:
        return self.at_s

    async def sleep(self, seconds: float) -> None:
        self.at_s += seconds
        await asyncio.sleep(0.02)


def session(folder: Path) -> DetachedSession:
    return DetachedSession("x", folder / "x.log", PATH)


async def ended(program: DetachedSession) -> tuple[ProgramStatus, list[bytes]]:
    lines: list[bytes] = []

    async def listen(line: bytes) -> None:
        lines.append(line)

    return await follow(program, StillClock(), listen), lines  # type: ignore[arg-type] # it tells no date


async def test_its_output_and_its_exit_code_are_kept(tmp_path: Path) -> None:
    program = session(tmp_path)
    await program.start(
        Program(("sh", "-c", 'echo "$A" in $PWD; echo no >&2; exit 4'), {"A": "x"}, str(tmp_path))
    )
    standing, lines = await ended(program)
    assert (standing, lines) == (ProgramStatus(ProgramState.ENDED, 4), [f"x in {tmp_path}".encode(), b"no"])
    assert (tmp_path / "x.log").stat().st_mode & 0o777 == 0o600


async def test_arguments_arrive_as_they_are(tmp_path: Path) -> None:
    program = session(tmp_path)
    await program.start(Program(("printf", "%s|", "a b", "$HOME", "'", "*", ""), {}, "/"))
    _, lines = await ended(program)
    assert lines == [b"a b|$HOME|'|*||"]


async def test_another_process_finds_it_by_its_name_alone(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    gate.touch()
    program = session(tmp_path)
    await program.start(Program(("sh", "-c", f"while [ -e {gate} ]; do sleep 0.02; done; exit 7"), {}, "/"))
    assert (await session(tmp_path).status()).state is ProgramState.RUNNING
    with pytest.raises(HostError, match="started already"):
        await session(tmp_path).start(Program(("true",)))
    gate.unlink()
    standing, _ = await ended(session(tmp_path))
    assert standing.code == 7
    await session(tmp_path).forget()
    assert not (tmp_path / "x.log.pid").exists()
    assert not (tmp_path / "x.log.exit").exists()
    assert (await session(tmp_path).status()).state is ProgramState.LOST


async def test_it_is_in_a_session_of_its_own_and_deaf_to_hang_ups(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    gate.touch()
    program = session(tmp_path)
    await program.start(
        Program(("sh", "-c", f"while [ -e {gate} ]; do sleep 0.02; done; echo lived"), {}, "/")
    )
    leader = int((tmp_path / "x.log.pid").read_text())
    assert os.getsid(leader) == leader != os.getsid(0)
    os.killpg(leader, signal.SIGHUP)
    gate.unlink()
    standing, lines = await ended(program)
    assert (standing.code, lines) == (0, [b"lived"])


async def test_one_that_was_killed_with_its_keeper_is_lost_and_not_running(tmp_path: Path) -> None:
    program = session(tmp_path)
    await program.start(Program(("sleep", "1000"), {}, "/"))
    leader = int((tmp_path / "x.log.pid").read_text())
    os.killpg(leader, signal.SIGKILL)
    while (await program.status()).state is ProgramState.RUNNING:  # noqa: ASYNC110 - it is another process that ends
        await asyncio.sleep(0.01)
    assert (await program.status()).state is ProgramState.LOST


async def test_the_number_of_a_dead_one_that_was_given_away_is_not_taken_for_it(tmp_path: Path) -> None:
    (tmp_path / "x.log").touch()
    (tmp_path / "x.log.pid").write_text(str(os.getpid()))
    assert (await session(tmp_path).status()).state is ProgramState.LOST


@pytest.mark.parametrize(
    ("program", "code"),
    [
        (Program(("no-such-program",), {}, "/"), 127),
        (Program(("sh", "-c", "kill -TERM $$"), {}, "/"), 143),
        (Program(("true",), {}, "/no/such/folder"), 2),
    ],
)
@pytest.mark.process
async def test_every_end_has_a_code(tmp_path: Path, program: Program, code: int) -> None:
    running = session(tmp_path)
    await running.start(program)
    standing, lines = await ended(running)
    assert (standing, bool(lines)) == (ProgramStatus(ProgramState.ENDED, code), True)


async def test_where_nothing_can_be_written_nothing_is_started(tmp_path: Path) -> None:
    with pytest.raises(HostError, match="cannot be created"):
        await DetachedSession("x", tmp_path / "none" / "x.log", PATH).start(Program(("true",)))


async def test_nothing_of_this_environment_is_passed_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", "x")
    program = session(tmp_path)
    await program.start(Program(("sh", "-c", "env"), {"A": "b"}, "/"))
    _, lines = await ended(program)
    assert b"A=b" in lines
    assert not any(each.startswith(b"SECRET") for each in lines)


class Blind:
    """A program that cannot be looked at a few times."""

    name = "x"

    def __init__(self, log: Path, times: int) -> None:
        self.log = log
        self.times = times

    async def status(self) -> ProgramStatus:
        self.times -= 1
        if self.times >= 0:
            raise HostError("The bus is away.")
        return ProgramStatus(ProgramState.ENDED, 0)


@pytest.mark.parametrize(("times", "is_patient"), [(100, True), (1_000, False)])
async def test_it_is_patient_with_what_cannot_be_looked_at_but_not_for_ever(
    tmp_path: Path,
    times: int,
    is_patient: bool,  # noqa: FBT001 - a row
) -> None:
    clock = StillClock()

    async def sleep(seconds: float) -> None:
        clock.at_s += seconds

    clock.sleep = sleep  # type: ignore[method-assign] # nobody else acts meanwhile
    watching = follow(Blind(tmp_path / "log", times), clock, print)  # type: ignore[arg-type] # as far as it is asked
    if is_patient:
        assert (await watching).code == 0
    else:
        with pytest.raises(HostError, match="The bus is away"):
            await watching
        assert clock.at_s >= MAX_WAIT_S


def test_lines_of_a_log_come_once_and_whole(tmp_path: Path) -> None:
    path = tmp_path / "log"
    lines = FileTail(path)
    assert lines.new() == []
    path.write_bytes(b"a\nb")
    assert lines.new() == [b"a"]
    assert lines.new() == []
    with path.open("ab") as file:
        file.write(b"c\r\nd\rlast")
    assert lines.new() == [b"bc", b"d"]
    assert lines.new(is_last=True) == [b"last"]
    assert lines.new(is_last=True) == []


def test_a_line_without_end_is_cut_and_a_flood_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"x" * (3 * LINE_LIMIT_BYTES) + b"\n")
    assert {len(each) for each in FileTail(path).new()} == {LINE_LIMIT_BYTES}
    with path.open("ab") as file:
        file.write(b"y" * 1023 + b"\n")
        file.write((b"z" * 1023 + b"\n") * (2 * MOST_BYTES // 1024))
        file.write(b"the end\n")
    lines = FileTail(path).new()
    assert (lines[0].endswith(b"bytes are left out ..."), lines[-1]) == (True, b"the end")
    assert sum(map(len, lines)) <= MOST_BYTES + 100


@pytest.mark.process
async def test_it_survives_the_one_that_started_it(tmp_path: Path) -> None:
    code = (
        "import asyncio, os, pathlib\n"
        "from console.host.background import DetachedSession\n"
        "from console.host.streaming import Program\n"
        f"s = DetachedSession('x', pathlib.Path({str(tmp_path / 'x.log')!r}), {PATH!r})\n"
        f"g = {str(tmp_path / 'gate')!r}\n"
        "p = Program(('sh', '-c', f'while [ -e {g} ]; do sleep 0.02; done; echo lived'), {}, '/')\n"
        "asyncio.run(s.start(p))\n"
        "os.kill(os.getpid(), 9)\n"
    )
    (tmp_path / "gate").touch()
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code)
    assert await process.wait() == -signal.SIGKILL
    assert (await session(tmp_path).status()).state is ProgramState.RUNNING
    (tmp_path / "gate").unlink()
    standing, lines = await ended(session(tmp_path))
    assert (standing.code, lines) == (0, [b"lived"])
