"""The program within this process, as an operator starts it, and what must hold of everything that it prints."""

import gc
import io
import json
import logging
import os
import re
import signal
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import pytest
from prometheus_client.parser import text_string_to_metric_families
from rich.cells import cell_len

from console.host import lock
from screens.cli import main as front_door

LONGEST_S = 20.0
"""Nothing that is fuzzed takes a second on a quiet machine."""
CODES = frozenset((0, 1, 2, 3, 4, 64, 130))
"""Every code of the manual page but that of a bug."""
_HINTED = re.compile(r"vipconsole[a-z -]*:\s+\S")


class Hang(BaseException):
    """It went on for too long."""


class Misbehaved(AssertionError):
    """What the program did, and must not do."""


@dataclass(frozen=True)
class Outcome:
    """What came of one call of the program."""

    arguments: tuple[str, ...]
    code: int
    out: str
    err: str


class _Stream(io.TextIOWrapper):
    """A file that Python writes as it writes a pipe."""

    def __init__(self, path: Path) -> None:
        super().__init__(path.open("w+b"), encoding="utf-8")

    def text(self) -> str:
        self.flush()
        self.seek(0)
        # What is not UTF-8 must be seen.
        return self.read()


class _Faults(logging.Handler):
    """What goes wrong where nobody waits for it: in threads, destructors, and tasks of asyncio."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.errors: list[BaseException | str] = []

    def note(self, given: Any) -> None:
        # An engine that is scripted closes connections at any time: a socket that is forgotten then is no loss.
        if not isinstance(given.exc_value, ResourceWarning):
            self.errors.append(given.exc_value)

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        self.errors.append(error or record.getMessage())


def _hang(_number: int, _frame: FrameType | None) -> NoReturn:
    raise Hang


@contextmanager
def deadline(seconds: float = LONGEST_S) -> Iterator[None]:
    """Raise Hang here once it has taken too long. Not by SIGALRM, which is the time limit of the whole test."""
    before = signal.signal(signal.SIGUSR2, _hang)
    timer = threading.Timer(seconds, signal.pthread_kill, (threading.main_thread().ident, signal.SIGUSR2))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
        signal.signal(signal.SIGUSR2, before)


@contextmanager
def _faults() -> Iterator[_Faults]:
    faults = _Faults()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(threading, "excepthook", lambda given: faults.errors.append(given.exc_value))
        patch.setattr(sys, "unraisablehook", faults.note)
        logging.getLogger("asyncio").addHandler(faults)
        try:
            yield faults
        finally:
            logging.getLogger("asyncio").removeHandler(faults)


def run(arguments: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None) -> Outcome:
    """Run the program with these arguments in a folder; an error that it did not foresee is raised as it is."""
    before = Path.cwd()
    with pytest.MonkeyPatch.context() as patch, _faults() as faults:
        for name, value in {"VIPCONSOLE_STATE_DIR": str(folder / "state"), **(environment or {})}.items():
            patch.setenv(name, value)
        out, err = _Stream(folder / "out"), _Stream(folder / "err")
        patch.setattr(sys, "stdout", out)
        patch.setattr(sys, "stderr", err)
        patch.setattr(sys, "argv", ["vipconsole", *arguments])
        with Path(os.devnull).open(encoding="utf-8") as nothing:
            patch.setattr(sys, "stdin", nothing)
            # Where the lock is, is said when the function is made.
            locked: Any = lock.maintenance_lock
            patch.setattr(locked.__wrapped__, "__defaults__", (folder / "lock",))
            # The last net writes a report and says where; here the error itself is wanted.
            patch.setattr(front_door, "write_report", _raise)
            threshold = gc.get_threshold()
            os.chdir(folder)
            try:
                with deadline():
                    code = front_door.main(arguments)
            except SystemExit as end:
                code = end.code if isinstance(end.code, int) else int(bool(end.code))
            finally:
                os.chdir(before)
                gc.set_threshold(*threshold)
                texts = out.text(), err.text()
                out.close()
                err.close()
    for error in faults.errors:
        raise error if isinstance(error, BaseException) else Misbehaved(error)
    return Outcome(tuple(arguments), code, *texts)


def _raise(error: BaseException) -> NoReturn:
    raise error


def check(outcome: Outcome, width: int | None = None) -> Outcome:
    """Raise Misbehaved where an outcome is none that an operator may get; return it. Rich's lines have this width at most."""
    if outcome.code not in CODES:
        raise Misbehaved(f"exit code {outcome.code}")
    if "Traceback (most" in outcome.err + outcome.out:
        raise Misbehaved("a traceback is printed")
    for text in (outcome.out, outcome.err):
        for line in text.split("\n"):
            if not line.isprintable():
                raise Misbehaved(f"a line that is not printable: {line!r} of {outcome.arguments}")
            if width is not None and cell_len(line) > width and text is outcome.out:
                raise Misbehaved(f"a line of {cell_len(line)} columns in {width}: {line!r}")
    if outcome.code in (3, 64) and not (outcome.out.strip() or _HINTED.search(outcome.err)):
        raise Misbehaved(f"exit code {outcome.code} without a sentence: {outcome.arguments} {outcome.err!r}")
    _check_form(outcome)
    return outcome


def _check_form(outcome: Outcome) -> None:
    """Raise Misbehaved, or what a reader of JSON or metrics raises, where a form is not what it says."""
    if "--json" in outcome.arguments and outcome.out:
        if not outcome.out.isascii():
            raise Misbehaved("JSON that is not ASCII")
        json.loads(outcome.out, parse_constant=_no_constant)
    if "--prometheus" in outcome.arguments and outcome.out:
        list(text_string_to_metric_families(outcome.out))


def _no_constant(name: str) -> Any:
    raise Misbehaved(f"{name} is no JSON")
