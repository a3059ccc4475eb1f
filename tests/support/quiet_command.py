"""`vipconsole quiet` while it runs: what it says, and when."""

import json
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.support.program import PATIENT, PROGRAM, start_program


@dataclass
class QuietProcess:
    """A wait that is under way."""

    process: subprocess.Popen[str]
    said: list[tuple[float, str]] = field(default_factory=list)
    """Every line of its talk, with the moment at which it came."""
    _news: threading.Condition = field(default_factory=threading.Condition)

    def read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            with self._news:
                self.said.append((time.monotonic(), line.rstrip("\n")))
                self._news.notify_all()

    def wait_for(self, text: str, after: float = 0.0, within_s: float = 60.0) -> float:
        """Return when it said a text, the first time after a moment of `time.monotonic`."""

        def found() -> float | None:
            return next((at for at, line in self.said if at > after and text in line), None)

        with self._news:
            if not self._news.wait_for(lambda: found() is not None, within_s):
                raise AssertionError(f"{text!r} was not said within {within_s:g} s, but {self.said}")
            at = found()
        assert at is not None
        return at

    def end(self, within_s: float = 60.0) -> tuple[int, Any]:
        """Return its exit code and its JSON, once it has ended."""
        assert self.process.stdout is not None
        out = self.process.stdout.read()
        return self.process.wait(within_s), json.loads(out)


@contextmanager
def quiet_process(*arguments: str, command: tuple[str, ...] = (str(PROGRAM),)) -> Iterator[QuietProcess]:
    """Run `vipconsole quiet --json` with these arguments; what still runs at the end is killed."""
    environment = {name: os.environ[name] for name in ("PATH", "HOME", "VIPCONSOLE_STATE_DIR")}
    given = {**environment, **PATIENT, "LANG": "C.UTF-8", "COLUMNS": "1000"}
    with start_program([*command, "quiet", "--json", *arguments], given, text=True) as process:
        wait = QuietProcess(process)
        reader = threading.Thread(target=wait.read)
        reader.start()
        try:
            yield wait
        finally:
            if process.poll() is None:
                process.kill()
            process.wait(60)
            reader.join(60)
