"""A systemd that runs, as the first process of namespaces of its own: the real one of this machine."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.forked import Inside

BOOT = Path(__file__).with_suffix(".sh")
CHECKOUT = Path(__file__).parents[2]
BOOT_WITHIN_S = 60.0


@dataclass(frozen=True)
class Machine:
    """A machine that systemd runs."""

    init: int

    @property
    def root(self) -> Path:
        """Its root directory, as seen from outside."""
        return Path(f"/proc/{self.init}/root")

    @property
    def inside(self) -> Inside:
        """Its namespaces, for a program that a test starts."""
        return Inside(self.init, "mpuinCrw")

    def entering(self, *argv: str) -> list[str]:
        """Return the command line that runs a command inside."""
        return self.inside.entering(*argv)

    def call(
        self, *argv: str, given: bytes = b"", within_s: float = 100.0
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a command inside to its end, and return how it ended."""
        return subprocess.run(
            self.entering(*argv),
            capture_output=True,
            check=False,
            input=given,
            env={"PATH": os.environ["PATH"], "HOME": "/root", "LANG": "C.UTF-8", "TZ": "UTC"},
            timeout=within_s,
        )

    def run(self, *argv: str, given: bytes = b"", within_s: float = 100.0) -> str:
        """Run a command inside to its end, and return what it printed."""
        done = self.call(*argv, given=given, within_s=within_s)
        assert done.returncode == 0, f"{argv}: {done.stdout.decode()}{done.stderr.decode()}"
        return done.stdout.decode()

    def do(self, script: Path, name: str) -> Any:
        """Let a script of the tests do something inside by its name, and return what it tells as JSON."""
        path = f"PYTHONPATH={CHECKOUT}"
        return json.loads(self.run("env", path, sys.executable, str(script), name))


@contextmanager
def machine(
    planted: Path | None = None, *, more: tuple[str, ...] = (), base: Path | None = None
) -> Iterator[Machine]:
    """Boot a machine; it is gone afterwards. Its files are this machine's, before them what is planted; it sees `more` too.

    With a `base`, its files are that folder's, and of this machine it sees `more` alone.
    """
    folder = tempfile.mkdtemp(prefix="systemd-")
    seen = more if base else (str(CHECKOUT), sys.prefix, sys.base_prefix, *more)
    with subprocess.Popen(
        [str(BOOT), folder, str(planted or ""), *seen],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "BASE": str(base or "/")},
    ) as keeper:
        assert keeper.stdin is not None
        assert keeper.stdout is not None
        try:
            unshare = keeper.stdout.readline().strip().decode()
            yield _booted(Path(f"/proc/{unshare}/task/{unshare}/children"), Path(f"{folder}.out"))
        finally:
            keeper.stdin.close()
            assert keeper.wait(60) == 0


def _booted(children: Path, said: Path) -> Machine:
    end_s = time.monotonic() + BOOT_WITHIN_S
    state = ""
    while time.monotonic() < end_s:
        time.sleep(0.05)
        try:
            found = Machine(int(children.read_text()))
            state = found.run("sh", "-c", "systemctl is-system-running || true").strip()
        except (OSError, ValueError, AssertionError):
            continue
        if state in ("running", "degraded"):
            return found
    raise AssertionError(f"systemd did not come up ({state or 'no answer'}): {said.read_text()}")
