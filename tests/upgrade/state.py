"""A state directory as text that a reviewer can read: SQLite files as the statements that make them, every other file as it is.

`python -m tests.upgrade.state NAME` writes one by the program that is installed, with an unfinished run, into `tests/upgrade/NAME`.
"""

import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import docker

from console.simulator.host.control import SOCKET
from console.simulator.host.demo_host import demo_folder, forget
from tests.support.demo import ENTER, HEAD, STEPS
from tests.support.program import PROGRAM

HERE = Path(__file__).parent
STATE = "var/lib/vipconsole"
HOME = "@HOME@"
"""Stands for the demo's host, in which the state directory lies."""
MACHINE = "etc/machine-id"
RUNBOOK = "etc/vipconsole/window.yaml"
SETTLED_S = 6.0
"""In so long a recorder sees what is there."""
WAITING = 4
_BEFORE = """
  - id: before
    title: Store the state before
    uses: evidence.capture
    with: {network: proxy}
"""
_KEPT = ("*.sqlite", "runs/*/log.db", "runs/*/runbook-*.yaml", "censuses/*.json")


def dump(host: Path, folder: Path) -> None:
    """Write what a state directory holds, and what its run needs, as text into a folder."""
    for name in (MACHINE, RUNBOOK):
        _write(folder / name, (host / name).read_text("utf-8"))
    for pattern in _KEPT:
        for path in (host / STATE).glob(pattern):
            text = _statements(path) if path.suffix in (".sqlite", ".db") else path.read_text("utf-8")
            suffix = ".sql" if path.suffix in (".sqlite", ".db") else ""
            _write(folder / f"{path.relative_to(host)}{suffix}", text.replace(str(host), HOME))


def load(folder: Path, host: Path) -> None:
    """Make of such a folder the files of a demo's host again."""
    for path in folder.rglob("*"):
        if not path.is_file():
            continue
        text = path.read_text("utf-8").replace(HOME, str(host))
        made = host / path.relative_to(folder)
        made.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if path.suffix == ".sql":
            with closing(sqlite3.connect(made.with_suffix(""))) as file:
                file.executescript(text)
            made.with_suffix("").chmod(0o600)
        else:
            made.write_text(text)


def _statements(path: Path) -> str:
    with closing(sqlite3.connect(path)) as file:
        (version,) = file.execute("PRAGMA user_version").fetchone()
        (vacuum,) = file.execute("PRAGMA auto_vacuum").fetchone()
        settings = f"PRAGMA auto_vacuum = {vacuum};\nPRAGMA user_version = {version};\n"
        return settings + "\n".join(file.iterdump()) + "\n"


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")


def write(folder: Path) -> None:
    """Let the installed program record, take a census and begin a run on a small demo's host, and keep what it wrote."""
    with tempfile.TemporaryDirectory(prefix="state-") as state:
        host = demo_folder({"XDG_STATE_HOME": state})
        environment = {**os.environ, "XDG_STATE_HOME": state}

        def program(*arguments: str) -> int:
            return subprocess.run([PROGRAM, *arguments], env=environment, check=False).returncode

        subprocess.run([sys.executable, "-c", ENTER, str(host)], check=True)
        (host / RUNBOOK).write_text(HEAD + _BEFORE + STEPS["recreate"])
        here = ("--host", f"unix://{host / SOCKET}", "--state-dir", str(host / STATE))
        with subprocess.Popen([PROGRAM, "record", *here], env=environment) as recorder:
            time.sleep(SETTLED_S)
            see_a_removal(host)
            time.sleep(SETTLED_S)
            recorder.terminate()
        assert program("census", "proxy", "--yes", *here) == 0
        assert program("run", "--demo", "--headless", str(host / RUNBOOK)) == WAITING
        dump(host, folder)
        forget(host)


def see_a_removal(host: Path) -> None:
    """Let a service come and go that no other has to do with."""
    client: Any = docker.APIClient(base_url=f"unix://{host / SOCKET}", version="auto", timeout=60)
    container = docker.types.ContainerSpec("busybox:1.36")
    made = client.create_service(docker.types.TaskTemplate(container), name="gone")
    time.sleep(SETTLED_S)
    client.remove_service(made["ID"])
    client.close()


if __name__ == "__main__":
    write(HERE / sys.argv[1])
