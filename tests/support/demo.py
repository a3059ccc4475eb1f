"""A demo host as an operator meets it: small, so that a run on it takes seconds."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker

from console.runbook.run.events import QuestionKind
from console.runbook.run.view import StoredRun
from console.runbook.store.viewer import runs_in
from console.simulator.host.control import SOCKET
from console.simulator.host.demo_host import demo_folder
from tests.support.program import PROGRAM, Outcome, vipconsole

ENTER = "import sys, pathlib, console.simulator.host.demo_host as d; d.enter(pathlib.Path(sys.argv[1]), is_needed=True, scenario='small')"
OLD, NEW = "10.0.1.0/27", "10.10.0.0/16"
HEAD = """
schema: vipconsole.runbook/1
id: window
title: Recreate proxy and switch
steps:
"""
STEPS = {
    "build": """
  - id: build
    title: Build
    uses: nix.edit_and_build
    with: {network: proxy, subnet: 10.10.0.0/16}
""",
    "recreate": """
  - id: recreate
    title: Recreate
    uses: network.recreate
    with: {network: proxy, subnet: 10.10.0.0/16, running_within: 3}
    confirm: proxy
    on_failure: ask
    timeout: 60s
    verify:
      - network.is: {name: proxy, subnet: 10.10.0.0/16}
""",
    "switch": """
  - id: switch
    title: Switch
    uses: nixos.switch
    with: {system: "${steps.build.outputs.new_system}"}
    confirm: switch
    on_failure: ask
""",
}
CONFIRMATIONS = {"recreate": "proxy", "switch": "switch"}


def words(*steps: str) -> tuple[str, ...]:
    """Return the options that answer what these steps ask, without a terminal."""
    confirmed = (f"{step}={word}" for step, word in CONFIRMATIONS.items() if step in steps)
    return ("--headless", *(option for answer in confirmed for option in ("--confirm", answer)))


@dataclass(frozen=True)
class DemoHost:
    """A demo host of a test's own, with three services on `proxy`."""

    state: Path
    """The state directory of its user, in which it lies."""
    runbook: Path
    words: tuple[str, ...]
    """What answers the questions of the runbook."""

    @property
    def folder(self) -> Path:
        return demo_folder({"XDG_STATE_HOME": str(self.state)})

    @property
    def environment(self) -> dict[str, str]:
        """What leads its user to it, and what the same user's commands outside the demo find."""
        return {"XDG_STATE_HOME": str(self.state), "VIPCONSOLE_STATE_DIR": str(self.state)}

    def run(self, *more: str) -> Outcome:
        """Begin a run of the small runbook without asking, and follow it."""
        return self.command("run", str(self.runbook), *self.words, *more)

    @contextmanager
    def failing_at(self, fault: str) -> Iterator["Failing"]:
        """Begin a run that fails, and give it once it asks what to do about that; it is followed to its end."""
        with ThreadPoolExecutor(1) as pool:
            following = pool.submit(self.run, "--fail-at", fault)
            failing = Failing(self, following, self._asking(following))
            try:
                yield failing
            except BaseException:
                # Else it would be followed until the step is undone unasked.
                question = failing.run.view.question
                self.command("decide", failing.name, question.event.step if question else "", "undo")
                raise
            failing.end()

    def _asking(self, following: "Future[Outcome]") -> StoredRun:
        """Return the run once it asks about a failure."""
        end_s = time.monotonic() + 200
        is_over = False
        while not is_over:
            # Who follows it may leave as soon as it asks: so it is looked at once more after that.
            is_over = following.done() or time.monotonic() > end_s
            for found in runs_in(self.folder / "var/lib/vipconsole"):
                question = found.view.question if isinstance(found, StoredRun) else None
                if question is not None and question.event.kind is QuestionKind.FAILURE:
                    assert isinstance(found, StoredRun)
                    return found
            time.sleep(0.1)
        raise AssertionError(f"it asked nothing: {following.result() if following.done() else 'it goes on'}")

    def command(self, *arguments: str, program: Sequence[str] = (str(PROGRAM),)) -> Outcome:
        return vipconsole(*arguments, "--demo", program=program, environment=self.environment)

    def runs(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.command("runs", "--json").json["runs"]
        return found

    def subnet(self) -> str:
        """Return the subnet of `proxy`, as its engine tells it."""
        client: Any = docker.APIClient(base_url=f"unix://{self.folder / SOCKET}", version="auto", timeout=60)
        try:
            return str(client.inspect_network("proxy")["IPAM"]["Config"][0]["Subnet"])
        finally:
            client.close()

    def running_system(self) -> str:
        return str((self.folder / "run/current-system").resolve())

    def running_units(self) -> dict[str, dict[str, str]]:
        """Return the units of the host, and the properties of each."""
        found: dict[str, dict[str, str]] = json.loads(self.file("run/systemd/units.json"))
        return found

    def file(self, name: str) -> str:
        return (self.folder / name).read_text()


@dataclass(frozen=True)
class Failing:
    """A run that asks what to do about a failure."""

    host: DemoHost
    following: "Future[Outcome]"
    run: StoredRun

    @property
    def name(self) -> str:
        return self.run.view.header.run_id

    @property
    def failure(self) -> str:
        """What failed, as the operator is told."""
        (failure,) = [step.failure for step in self.run.view.steps if step.failure is not None]
        return f"{failure.sentence} {failure.hint}"

    def decide(self, step: str, choice: str) -> None:
        decided = self.host.command("decide", self.name, step, choice)
        assert decided.code == 0, decided.err

    def end(self) -> Outcome:
        """Return what following it came to."""
        return self.following.result(200)


def demo_host(folder: Path, *steps: str, state: Path | None = None, recreate_within: str = "60s") -> DemoHost:
    """Make the demo host of this test, with a runbook of these steps (all of them if none is named).

    A host that several tests share lies in a state directory of its own.
    """
    chosen = steps or tuple(STEPS)
    runbook = folder / "window.yaml"
    text = HEAD + "".join(STEPS[step] for step in chosen)
    runbook.write_text(text.replace("timeout: 60s", f"timeout: {recreate_within}"))
    host = DemoHost(state or Path(os.environ["XDG_STATE_HOME"]), runbook, words(*chosen))
    subprocess.run([sys.executable, "-c", ENTER, str(host.folder)], check=True, timeout=100)
    return host
