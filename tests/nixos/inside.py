"""What is done on a machine that the real systemd runs: `inside.py NAME` does it and prints what came of it as JSON."""

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any

from console.clock import SystemClock
from console.errors import HostError, StepFailed, VipconsoleError
from console.host.background import ProgramState, TransientUnit, follow
from console.host.detached import DetachedProgram, UnitExists, has_ended, start
from console.host.process import PATH
from console.host.streaming import Program
from console.host.unit_chain import expand, restart
from console.nixos.file import PLACES
from tests.nixos.attempts import edits, switches
from tests.support.nixos import Host, nixos

UNITS = Path("/etc/systemd/system")
STARTS = Path("/run/starts")
ENVIRONMENT = {"PATH": PATH, "A": "b c"}


def transient(name: str, folder: str) -> TransientUnit:
    return TransientUnit(name, Path(folder) / f"{name}.log", PLACES.run)


async def ended(unit: TransientUnit) -> tuple[Any, list[str]]:
    lines: list[str] = []

    async def listen(line: bytes) -> None:
        lines.append(line.decode())

    standing = await follow(unit, SystemClock(), listen)
    return [standing.state.value, standing.code, standing.reason], lines


async def ends() -> Any:
    """Programs that end in different ways."""
    came: dict[str, Any] = {}
    scripts = {
        "well": "exit 0",
        "badly": "exit 4",
        "killed": "kill -9 $$",
        "told": 'echo "$A" "$1" $PWD; echo no >&2',
    }
    with tempfile.TemporaryDirectory() as folder:
        for name, script in scripts.items():
            unit = transient(name, folder)
            await unit.start(Program(("sh", "-c", script, "sh", "${HOME} $PATH %n 'x'"), ENVIRONMENT, folder))
            came[name] = (await ended(unit), unit.log.stat().st_mode & 0o777)
            try:
                await unit.start(Program(("true",), ENVIRONMENT))
            except HostError:
                came[name] += ("only once",)
            await unit.forget()
            came[name] += ((await unit.status()).state.value,)
        missing = transient("missing", folder)
        await missing.start(Program(("no-such-program",), ENVIRONMENT))
        came["missing"] = (await ended(missing))[0]
        came["folder"] = folder
    return came


async def detached() -> Any:
    """A runner's unit whose name is taken, one that cannot be started, and one that has ended."""

    def unit(name: str, *argv: str) -> DetachedProgram:
        return DetachedProgram(argv, ENVIRONMENT, name, "a test", Path("/nonexistent"))

    one = unit("detached", "/bin/sleep", "1000")
    await start(one)
    came: dict[str, Any] = {"runs": await has_ended(one)}
    try:
        await start(one)
    except UnitExists as error:
        came["taken"] = error.sentence
    await PLACES.run(("systemctl", "stop", "--", "detached.service"), 60.0)
    came["stopped"] = await has_ended(one)
    try:
        await start(unit("missing-program", "/no/such/program"))
    except HostError as error:
        came["missing"] = [isinstance(error, UnitExists), error.sentence]
    # It fails as a runner with a bug does: once it was started. systemd may tell so at once, or only when it is asked.
    broken = unit("broken-runner", "/bin/sh", "-c", "exit 1")
    with suppress(HostError):
        await start(broken)
    while not await has_ended(broken):  # noqa: ASYNC110 - it is systemd that knows
        await asyncio.sleep(0.05)
    return came


async def reexec() -> Any:
    """A program goes on and is followed while systemd executes itself again, as a switch may make it do."""
    with tempfile.TemporaryDirectory() as folder:
        gate = Path(folder) / "gate"
        gate.touch()
        unit = transient("long", folder)
        wait = f"while [ -e {gate} ]; do sleep 0.05; done; exit 3"
        await unit.start(Program(("sh", "-c", wait), ENVIRONMENT))
        watching = asyncio.create_task(ended(unit))
        await PLACES.run(("systemctl", "daemon-reexec"), 60)
        await PLACES.run(("systemctl", "daemon-reload"), 60)
        is_running = (await unit.status()).state is ProgramState.RUNNING
        gate.unlink()
        return is_running, (await watching)[0]


def write_unit(name: str, unit: str = "", service: str = "", script: str = "true") -> None:
    """Write a oneshot that notes each of its starts."""
    (UNITS / f"{name}.service").write_text(
        f"[Unit]\n{unit}\n[Service]\nType=oneshot\n{service}\n"
        f"ExecStart=/bin/sh -c 'echo {name} >> {STARTS}; {script}'\n"
    )


def starts() -> list[str]:
    """Return which units were started since the last time."""
    noted = STARTS.read_text().split() if STARTS.exists() else []
    STARTS.write_text("")
    return noted


async def came_of(names: tuple[str, ...], limit_s: float = 60.0) -> list[str]:
    """Restart a chain, and return what came of each unit."""
    said = []
    links = await expand(names, PLACES.run)
    for link in links:
        try:
            after = await restart(link.name, link.invocation, limit_s, PLACES.run, SystemClock())
            said.append(f"{after.name} {after.state} {after.detail}")
        except StepFailed as error:
            said.append(error.sentence)
    return said


async def chain() -> Any:
    """A chain in order, with one that fails, one that is passed over, one that hangs, and restarts that propagate."""
    write_unit("swarm-init", service="RemainAfterExit=yes")
    after = "After=swarm-init.service\nRequires=swarm-init.service"
    write_unit("deploy-zebra", after, "RemainAfterExit=yes")
    write_unit("deploy-bridge", f"{after}\nAfter=deploy-zebra.service")
    write_unit("broken", script="echo it lacks a key >&2; exit 3")
    write_unit("needs-broken", "After=broken.service\nRequires=broken.service")
    # Wanted by something that is up, as what NixOS makes is: systemd remembers it.
    write_unit("elsewhere", "ConditionPathExists=/nonexistent")
    (UNITS / "lab.target.wants").mkdir()
    (UNITS / "lab.target.wants/elsewhere.service").symlink_to("../elsewhere.service")
    write_unit("hangs", script="sleep 1000")
    await PLACES.run(("systemctl", "daemon-reload"), 60)
    # Nothing wants deploy-bridge, so systemd forgets it at once; a glob finds it all the same.
    await PLACES.run(("systemctl", "start", "deploy-bridge", "deploy-zebra"), 60)
    starts()
    came: dict[str, Any] = {
        "chain": await came_of(("swarm-init", "deploy-*")),
        "starts": starts(),
        "broken": await came_of(("broken",)),
        "needs": await came_of(("needs-broken",)),
        "elsewhere": await came_of(("elsewhere",)),
        "unknown": [each.load for each in await expand(("no-such-unit", "no-such-*"), PLACES.run)],
        "hangs": await came_of(("hangs",), 1.0),
    }
    # It is being started already: nobody restarts it, and its end is waited for.
    starts()
    write_unit("slow", script="sleep 1")
    await PLACES.run(("systemctl", "daemon-reload"), 60)
    (link,) = await expand(("slow",), PLACES.run)
    await PLACES.run(("systemctl", "start", "--no-block", "slow"), 60)
    after_start = await restart("slow", link.invocation, 60, PLACES.run, SystemClock())
    came["slow"] = [after_start.state, starts()]
    return came


async def switch() -> Any:
    """Edit, build, switch and undo on a NixOS host whose systemd is the real one."""
    with nixos() as host:
        for name in ("systemd-run", "systemctl"):
            (host.folder / "bin" / name).unlink()
        before = host.running
        build = edits(host, systemd=True)
        built = await build.act()
        new = str(built["new_system"])
        there = switches(host, new, systemd=True)
        plan = await there.plan()
        outputs = await there.act()
        said = there.said
        came = {
            "refused": list(plan.refused),
            "switched": host.running == host.next == new == outputs["system"],
            "verified": (await there.verify(outputs)).answer.value,
            "said": said,
            "failed": await failed_switch(host),
        }
        await there.undo()
        await build.undo()
        came["undone"] = host.running == host.next == before
        came["units"] = (
            await PLACES.run(("systemctl", "list-units", "--all", "--plain", "vipconsole-*"), 60)
        ).decode()
        return came


async def failed_switch(host: Host) -> str:
    (host.repository / "daemon.json").write_text("{ }")
    host.behave(switch_code=4)
    step = switches(host, host.built("other"), systemd=True, may_restart_docker=True)
    step.name = "failing"
    try:
        await step.act()
    except VipconsoleError as error:
        return error.sentence
    finally:
        host.behave()
        await step.undo()
    return ""


DEEDS: dict[str, Callable[[], Coroutine[Any, Any, Any]]] = {
    "ends": ends,
    "detached": detached,
    "reexec": reexec,
    "chain": chain,
    "switch": switch,
}

if __name__ == "__main__":
    os.environ["TMPDIR"] = "/run"
    print(json.dumps(asyncio.run(DEEDS[sys.argv[1]]())))  # noqa: T201 - it is what is asked for
