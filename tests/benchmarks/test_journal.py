"""What reading costs with a large journal of others around dockerd's lines, beside journalctl reading it."""

import contextlib
import subprocess
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from console.journal.journalctl import CommandJournal
from console.journal.matching import match_line
from console.journal.native import NativeJournal
from console.journal.parsing import parse_line
from console.journal.summary import summarise
from console.journal.values import Batch, Window
from tests.journal.journals import NEW as RECORDING
from tests.journal.journals import LiveJournal, daemon, foreign, recorded_lines, write_journal

FOREIGN = 100_000


async def _best(read: Callable[[], Awaitable[Batch]], times: int = 5) -> tuple[float, Batch]:
    best, batch = float("inf"), Batch()
    for _ in range(times):
        began = time.perf_counter()
        batch = await read()
        best = min(best, time.perf_counter() - began)
    return best, batch


def _journalctl(directory: Path, *arguments: str) -> float:
    began = time.perf_counter()
    subprocess.run(
        ["journalctl", f"--directory={directory}", "-o", "json", "--all", "--quiet", *arguments],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return time.perf_counter() - began


@pytest.mark.benchmark
async def test_foreign_lines_cost_no_more_than_they_cost_journalctl(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = recorded_lines(RECORDING)
    every = FOREIGN // len(own)
    entries = [
        each
        for number, line in enumerate(own)
        for each in (*(foreign(number * every + step) for step in range(every)), line)
    ]
    write_journal(tmp_path / "a.journal", entries)
    window = Window(deadline_s=60)
    native_s, native = await _best(lambda: NativeJournal(directory=tmp_path).read(window))
    command_s, command = await _best(lambda: CommandJournal(directory=tmp_path).read(window))
    matched_s = min(
        _journalctl(tmp_path, "_SYSTEMD_UNIT=docker.service", "_TRANSPORT=stdout") for _ in range(5)
    )
    all_s = _journalctl(tmp_path)
    began = time.perf_counter()
    findings = summarise([native], {}).findings
    summed_s = time.perf_counter() - began
    assert native == command
    assert findings
    with capsys.disabled():
        print(
            f"\n{len(own)} lines of dockerd among {len(entries) - len(own)} others: native {native_s * 1e3:.0f} ms, "
            f"command {command_s * 1e3:.0f} ms, journalctl alone {matched_s * 1e3:.0f} ms for the unit and "
            f"{all_s * 1e3:.0f} ms for everything; ratio to journalctl for the unit: "
            f"native {native_s / matched_s:.2f}, command {command_s / matched_s:.2f}; "
            f"to everything: native {native_s / all_s:.3f}, command {command_s / all_s:.3f}; "
            f"adding up {summed_s * 1e3:.1f} ms"
        )


@pytest.mark.benchmark
def test_a_line_is_parsed_and_matched(capsys: pytest.CaptureFixture[str]) -> None:
    lines = RECORDING.read_text().splitlines()
    rounds = 100
    began = time.perf_counter()
    for _ in range(rounds):
        for line in lines:
            match_line(parse_line(line))
    each_us = (time.perf_counter() - began) / rounds / len(lines) * 1e6
    with capsys.disabled():
        print(f"\nparsing and matching a line: {each_us:.1f} µs")


@pytest.mark.benchmark
@pytest.mark.parametrize("door", [NativeJournal, CommandJournal], ids=["native", "command"])
async def test_a_followed_line_arrives(
    tmp_path: Path,
    door: type[NativeJournal] | type[CommandJournal],
    capsys: pytest.CaptureFixture[str],
) -> None:
    latencies: list[float] = []
    with LiveJournal(tmp_path / "live.journal") as journal:
        journal.write(daemon("first"))
        async with contextlib.aclosing(NativeJournal(directory=tmp_path).follow()) as before:
            journal.write(daemon("second"))
            first = await anext(before)
        async with contextlib.aclosing(door(directory=tmp_path).follow(after=first.cursor)) as batches:
            for number in range(20):
                began = time.perf_counter()
                journal.write(foreign(number), daemon(f"line {number}"))
                while f"line {number}" not in [each.message for each in (await anext(batches)).entries]:
                    pass
                latencies.append(time.perf_counter() - began)
    latencies.sort()
    with capsys.disabled():
        print(
            f"\nlatency of a followed line: median {latencies[10] * 1e3:.0f} ms, worst {latencies[-1] * 1e3:.0f} ms"
        )
