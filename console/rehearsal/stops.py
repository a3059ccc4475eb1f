"""How the containers of services stop: from how their last tasks ended, and from which signals their processes catch."""

import signal
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from console.rehearsal.shape import StopBehavior
from console.swarm.model import Task
from console.swarm.snapshots import WholeSwarm

PROC = Path("/proc")
KILLED = 128 + signal.SIGKILL
_TERM = 1 << (signal.SIGTERM - 1)


def stop_behaviors(snapshot: WholeSwarm, proc: Path = PROC) -> Mapping[str, StopBehavior]:
    """Return by service ID how its containers stop; those of which nothing tells are absent.

    A task that was told to stop and was killed took its whole grace. Without such a task the process tells: as the first
    of its namespace it never gets a signal that it does not catch (pid_namespaces(7)). Whether it ends soon after one that
    it catches nobody can know beforehand.
    """
    ignoring = _that_ignore_term({task.container_id for task in snapshot.tasks if task.container_id}, proc)
    behaviors = {}
    for service in snapshot.services:
        tasks = [task for task in snapshot.tasks if task.service_id == service.id]
        ended = max(filter(_was_stopped, tasks), key=lambda task: task.since, default=None)
        signs = [
            ignoring[task.container_id] for task in tasks if task.is_alive and task.container_id in ignoring
        ]
        if ended is not None:
            was_killed = ended.exit_code == KILLED
            behaviors[service.id] = StopBehavior.WHOLE_GRACE if was_killed else StopBehavior.AT_ONCE
        elif any(signs):
            behaviors[service.id] = StopBehavior.WHOLE_GRACE
    return behaviors


def _was_stopped(task: Task) -> bool:
    return task.state == "shutdown" and task.desired_state == "shutdown" and task.exit_code is not None


def _that_ignore_term(container_ids: Iterable[str], proc: Path) -> Mapping[str, bool]:
    """Return by container ID whether SIGTERM does nothing to its first process; absent where that is not seen here."""
    wanted, signs = set(container_ids), {}
    for process in proc.glob("[0-9]*"):
        with suppress(OSError, ValueError):
            words = (process / "cgroup").read_text("ascii").replace("-", "/").replace(".", "/").split("/")
            container = next((word for word in map(str.strip, words) if word in wanted), None)
            status = dict(
                line.partition(":")[::2] for line in (process / "status").read_text("utf-8").splitlines()
            )
            if container is not None and status["NSpid"].split()[-1] == "1":
                handled = int(status["SigCgt"], 16) | int(status["SigBlk"], 16)
                signs[container] = not handled & _TERM
    return signs
