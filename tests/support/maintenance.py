"""Maintenance runs as an operator drives them: whole processes, on a simulated swarm, with a lock of their own."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from console.clock import Clock
from console.runbook.store.viewer import read_stored_run
from console.simulator.engine import SimulatedEngine
from screens.output.run_report.document import as_json
from tests.simulator.swarms import a_network, a_swarm
from tests.support import sample_actions
from tests.support.changes import Operator, operator
from tests.support.engines import Simulation, simulation
from tests.support.program import Outcome

# A loaded machine answers slowly, and no test here is about that.
SETTINGS = '[run]\nprograms = ["/bin/sh"]\n[snapshot]\ncall_timeout_s = 60\ndeadline_s = 120\n'


@dataclass(frozen=True)
class Site:
    """A swarm, and someone who maintains it."""

    operator: Operator
    simulation: Simulation

    @property
    def folder(self) -> Path:
        return self.operator.folder

    @property
    def run_folder(self) -> Path:
        """The folder of the only run."""
        (found,) = (
            each for each in (self.operator.state / "runs").iterdir() if not each.name.startswith(".")
        )
        return found

    def runbook(self, *steps: str, name: str = "runbook.yaml") -> str:
        """Write a runbook of these steps, each as YAML's flow mapping, and return its path."""
        path = self.folder / name
        head = "schema: vipconsole.runbook/1\nid: upkeep\ntitle: Upkeep\nsteps:\n"
        path.write_text(head + "".join(f"  - {each}\n" for each in steps))
        return str(path)

    def sh(self, step: str, script: str, more: str = "") -> str:
        """Return a step that runs a script with the shell, in which `$0` is this folder."""
        argv = f'[/bin/sh, -c, "{script}", "{self.folder}"]'
        return f"{{id: {step}, uses: exec, with: {{argv: {argv}}}{', ' + more if more else ''}}}"

    def asked(self, command: str, *arguments: str) -> tuple[str, ...]:
        where = ("--host", self.simulation.host, "--config", str(self.folder / "config.toml"))
        return (command, *(where if command == "run" else ()), *arguments)

    def vipconsole(self, command: str, *arguments: str) -> Outcome:
        return self.operator.run(*self.asked(command, *arguments))

    def start(self, command: str, *arguments: str) -> "subprocess.Popen[str]":
        return self.operator.start(*self.asked(command, *arguments))

    def report(self, run: str = "") -> Any:
        """Return the report as the program has it, without waiting for a process."""
        folder = self.operator.state / "runs" / run if run else self.run_folder
        return json.loads(as_json(read_stored_run(folder)))

    def evidence(self) -> str:
        """Return what a failed test needs to be understood: why the run stopped, and what its runner wrote."""
        view = read_stored_run(self.run_folder).view
        logs = "".join(path.read_text("utf-8", "replace")[-2000:] for path in self.run_folder.glob("*.log"))
        steps = [(step.id, str(step.state), step.failure) for step in view.steps]
        return f"\n{view.stop_reason}\n{steps}\n{processes_of(self.run_folder)}\n{logs}"

    def kill_runner(self) -> None:
        """Kill the runner of the only run; what it started goes on."""
        (runner,) = (each for each in processes_of(self.run_folder) if "console.runbook.runner" in each[1])
        os.kill(runner[0], signal.SIGKILL)


def processes_of(folder: Path) -> list[tuple[int, str]]:
    """Return the processes that have a folder among their arguments, with these."""
    found = []
    for each in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            said = (each / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
            if str(folder) in said and int(each.name) != os.getpid():
                found.append((int(each.name), said))
    return found


@contextmanager
def site(model: SimulatedEngine | None = None, clock: Clock | None = None) -> Iterator[Site]:
    """Give a swarm, with two services unless a test has its own, and an operator; with a clock, time passes in it."""
    if model is None:
        model = a_swarm("1.41")
        a_network(model)
        for each in ("a", "b"):
            model.services.create(sample_actions.spec(each))
    with simulation(model, clock=clock) as running, operator() as someone:
        (someone.folder / "config.toml").write_text(SETTINGS)
        here = Site(someone, running)
        try:
            yield here
        finally:
            for pid, _ in processes_of(someone.folder):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


def eventually(is_so: Callable[[], object], within_s: float = 120.0) -> None:
    """Wait until something is so."""
    end_s = time.monotonic() + within_s
    while not is_so():
        assert time.monotonic() < end_s, "it never became so"
        time.sleep(0.05)
