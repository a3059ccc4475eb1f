"""The control group of a rehearsal: it limits what the rehearsal takes, and knows every process of it."""

import hashlib
import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from console.errors import HostError
from console.simulator.host.processes import wait_until

ROOT = Path("/sys/fs/cgroup")
V1_CONTROLLERS = ("memory", "cpu")
"""The hierarchies of version 1 that every process of a rehearsal is in; the first one tells which they are."""
CPU_SHARES, CPU_WEIGHT = "1024", "100"
"""The share of one service: with less of it than dockerd has, a busy host would foretell outages that are too long."""
REMOVED_WITHIN_S = 10.0

ENTER = 'for file in $1; do echo $$ >"$file" || exit 125; done; shift; exec "$@"'
"""A shell enters the groups whose files it is given, then becomes the command."""


def group_name(folder: Path) -> str:
    """Return the name of the group of the rehearsal that lives in a folder."""
    digest = hashlib.sha256(os.fsencode(folder.absolute())).hexdigest()
    return f"vipconsole-rehearsal-{digest[:12]}"


def container_group(folder: Path) -> str:
    """Return the parent group of the containers, as dockerd takes it."""
    return f"/{group_name(folder)}/containers"


def make_group(folder: Path, memory_bytes: int, root: Path = ROOT) -> None:
    """Make the group, with its limits. Raises HostError where this host does not allow that."""
    name = group_name(folder)
    try:
        if _is_unified(root):
            _write(root / "cgroup.subtree_control", "+memory +cpu")
            group = root / name
            (group / "engine").mkdir(parents=True, exist_ok=True)
            # A group with processes of its own can have no limited group in it.
            _write(group / "cgroup.subtree_control", "+memory +cpu")
            _write(group / "memory.max", str(memory_bytes))
            _write(group / "cpu.weight", CPU_WEIGHT)
            return
        for controller in V1_CONTROLLERS:
            (root / controller / name).mkdir(exist_ok=True)
        with suppress(OSError):
            # Without it only the engine is limited; newer kernels know nothing else.
            _write(root / "memory" / name / "memory.use_hierarchy", "1")
        _write(root / "memory" / name / "memory.limit_in_bytes", str(memory_bytes))
        _write(root / "cpu" / name / "cpu.shares", CPU_SHARES)
    except OSError as error:
        raise HostError(
            f"The memory of a rehearsal cannot be limited: {error.strerror} ({error.filename}).",
            "It needs the control groups memory and cpu of this host.",
        ) from error


def command_in_group(folder: Path, command: tuple[str, ...], root: Path = ROOT) -> tuple[str, ...]:
    """Return the command line that runs a command in the group."""
    name = group_name(folder)
    groups = [root / name / "engine"] if _is_unified(root) else [root / one / name for one in V1_CONTROLLERS]
    return ("sh", "-c", ENTER, "enter", " ".join(str(group / "cgroup.procs") for group in groups), *command)


def end_group(folder: Path, root: Path = ROOT) -> None:
    """Kill every process of the group, and remove the group. Raises HostError where something stays."""
    name = group_name(folder)

    def is_removed() -> bool:
        groups = [group for group in (root / name, *root.glob(f"*/{name}")) if group.is_dir()]
        for pid in {pid for group in groups for pid in _processes(group)}:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for group in groups:
            for path in sorted(group.glob("**/"), reverse=True):
                with suppress(OSError):
                    path.rmdir()
        return not any(group.is_dir() for group in groups)

    if not wait_until(is_removed, REMOVED_WITHIN_S):
        raise HostError(
            f"The control group {name} cannot be removed: a process in it does not end.",
            "`systemd-cgls` shows it; the next rehearsal tries again.",
        )


def _processes(group: Path) -> Iterator[int]:
    for path in group.glob("**/cgroup.procs"):
        with suppress(OSError):
            # 0 stands for a process that cannot be seen from here; to signal it would hit one's own group (kill(2)).
            yield from filter(None, map(int, path.read_text("ascii").split()))


def _is_unified(root: Path) -> bool:
    return (root / "cgroup.controllers").exists()


def _write(path: Path, text: str) -> None:
    path.write_text(text, "ascii")
