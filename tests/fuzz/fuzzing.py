"""Runs kinds with hypothesis: a few fixed examples of one, or all kinds in turn for minutes, going on where the last time ended."""

import fcntl
import json
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.database import DirectoryBasedExampleDatabase
from hypothesis.internal.conjecture import engine as conjecture

from tests.fuzz.kinds import KINDS, Kind
from tests.fuzz.program import Hang, Misbehaved

CHUNK, SLOW_CHUNK = 100, 20
"""Examples of one kind until it is the next one's turn."""
SLOW = ("recorder",)
SHRINKING_S = 20
"""So long a failure is made smaller; hypothesis itself would take five minutes of each."""
_HEALTH = list(HealthCheck)


@dataclass
class Tally:
    """How much of a kind was tried."""

    examples: int = 0
    seconds: float = 0.0
    failures: set[str] = field(default_factory=set)


def property_of(kind: Kind, tally: Tally) -> Callable[[], None]:
    """Return a property of hypothesis: whatever is drawn, the program copes."""

    @given(st.data())
    def holds(data: st.DataObject) -> None:
        tally.examples += 1
        with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
            try:
                kind(data.draw, Path(folder))
            except Hang as hang:
                raise Misbehaved("it hangs") from hang

    return holds


def fixed(kind: Kind, examples: int) -> None:
    """Try the same few examples every time."""
    quick = settings(
        max_examples=examples, derandomize=True, database=None, deadline=None, phases=[Phase.generate],
        suppress_health_check=_HEALTH,
    )  # fmt: skip
    quick(property_of(kind, Tally()))()


def in_turn(names: list[str], minutes: float, cache: Path) -> dict[str, Tally]:
    """Try kinds in turn until the time is over; what fails is told at once, and kept in the cache."""
    conjecture.MAX_SHRINKING_SECONDS = SHRINKING_S
    tallies = {name: Tally() for name in names}
    end = time.monotonic() + minutes * 60
    while time.monotonic() < end:
        for name, tally in tallies.items():
            if time.monotonic() >= end:
                break
            began, tried = time.monotonic(), tally.examples
            database = DirectoryBasedExampleDatabase(cache / "examples" / name)
            chunk = settings(
                max_examples=SLOW_CHUNK if name in SLOW else CHUNK, database=database, deadline=None, suppress_health_check=_HEALTH,
                print_blob=False, report_multiple_bugs=True,
            )  # fmt: skip
            try:
                chunk(property_of(KINDS[name], tally))()
            except Exception as error:  # noqa: BLE001 - every kind of failure is what is looked for
                _keep(name, tally, error, cache)
            took = time.monotonic() - began
            tally.seconds += took
            _add_to_total(name, tally.examples - tried, took, cache)
    return tallies


def totals(cache: Path) -> dict[str, tuple[int, float]]:
    """Return how many examples of a kind were tried in all runs so far, and for how many seconds."""
    try:
        kept = json.loads((cache / "totals.json").read_text())
    except FileNotFoundError:
        return {}
    return {name: (examples, seconds) for name, (examples, seconds) in kept.items()}


def _add_to_total(name: str, examples: int, seconds: float, cache: Path) -> None:
    cache.mkdir(exist_ok=True)
    # Another run may be at other kinds.
    with (cache / "totals.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        kept = totals(cache)
        before, before_s = kept.get(name, (0, 0.0))
        kept[name] = (before + examples, before_s + seconds)
        (cache / "totals.json").write_text(json.dumps(kept, indent=1))


def _keep(name: str, tally: Tally, error: Exception, cache: Path) -> None:
    for failure in error.exceptions if isinstance(error, ExceptionGroup) else (error,):
        frames = traceback.extract_tb(failure.__traceback__)
        place = next(
            (
                f"{Path(f.filename).name}:{f.lineno}"
                for f in reversed(frames)
                if "/console/" in f.filename or "/screens/" in f.filename
            ),
            "",
        )
        what = f"{type(failure).__name__} {place} {str(failure)[:200] if isinstance(failure, Misbehaved) else ''}".strip()
        if what in tally.failures:
            continue
        tally.failures.add(what)
        folder = cache / "failures"
        folder.mkdir(parents=True, exist_ok=True)
        text = (
            "".join(traceback.format_exception(failure)) + "\n" + "\n".join(getattr(failure, "__notes__", ()))
        )
        with (folder / f"{name}.txt").open("a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(f"==== {what}\n{text}\n")
        sys.stderr.write(f"{name}: {what}\n")
