"""The life of a task on its node, and of the container that it has there."""

import re
from collections.abc import Callable

from console.frozen import frozen
from console.simulator.allocator import Allocator
from console.simulator.objects import RANK, SimContainer, SimNode, SimTask
from console.simulator.store import Store

ASSIGN_S, PREPARE_S, START_S, RUN_S = 0.05, 0.1, 0.2, 0.4
"""Seconds a task spends pending, assigned, preparing and starting."""
REAP_S = 0.25
"""Swarm clears tasks away in batches (swarmkit, taskreaper)."""
GOSSIP_S = 2.0
"""A node waits so long between taking a task out of load balancing and stopping it (moby, defaultGossipConvergeDelay)."""
BALANCER_MAX_WAIT_S = 30.0
"""So long a task waits for its node's load-balancer addresses before it is rejected."""
DEFAULT_GRACE_S = 10.0

_EXIT = re.compile(r"(?:sleep\s+(?P<sleep>[\d.]+)\s*(?:;|&&)\s*)?(?:^|\s|;)exit\s+(?P<code>\d+)")


@frozen
class EngineRules:
    """What differs from engine to engine."""

    images: frozenset[str] | None
    """The images it has; None stands for any."""
    lists_dying_tasks: bool
    """Whether reconciling a service again leaves tasks of surplus replicas listed until they have stopped (Docker 29)."""


class Agent:
    """Runs tasks. `on_end` is told of each that has ended, `on_running` of each that runs."""

    def __init__(
        self,
        store: Store,
        allocator: Callable[[], Allocator],
        rules: EngineRules,
        on_end: Callable[[SimTask], None],
        on_running: Callable[[SimTask], None],
    ) -> None:
        self._store = store
        self._allocator = allocator
        self.rules = rules
        self._on_end = on_end
        self._on_running = on_running
        self.own_node_id = ""

    def schedule(self, task: SimTask) -> None:
        """Look for a node for a task that has its addresses."""
        self._write(task, "pending", "pending task scheduling")
        self._store.timeline.after(ASSIGN_S, lambda: self.place(task))

    def place(self, task: SimTask) -> None:
        """Put a pending task on a node, or say why there is none."""
        if task.state != "pending" or task.is_gone or not task.is_wanted:
            return
        node = self._choose(task)
        if node is not None:
            task.node_id = node.id
            task.error = ""
            self._allocator().join_node(task, node)
            self._write(task, "assigned", "scheduler assigned task to node")
            self._store.timeline.after(PREPARE_S, lambda: self._prepare(task))

    def _choose(self, task: SimTask) -> SimNode | None:
        nodes = list(self._store.nodes.values())
        if task.node_id:
            nodes = [node for node in nodes if node.id == task.node_id]
        active = [node for node in nodes if node.state == "ready" and node.availability == "active"]
        constraints = (task.spec.get("Placement") or {}).get("Constraints") or []
        fitting = [node for node in active if all(meets(node, constraint) for constraint in constraints)]
        if fitting:
            return min(fitting, key=lambda node: sum(node.live_tasks.values()))
        reasons = []
        if len(active) < len(nodes):
            reasons.append(f"{_nodes(len(nodes) - len(active))} not available for new tasks")
        if active:
            reasons.append(f"scheduling constraints not satisfied on {_nodes(len(active))}")
        task.error = f"no suitable node ({'; '.join(reasons)})"
        self._write(task, "pending", "pending task scheduling")
        return None

    def _prepare(self, task: SimTask, waiting_s: float = 0.0) -> None:
        if task.is_gone or task.is_stopping or not task.is_alive:
            return
        image = (task.spec.get("ContainerSpec") or {}).get("Image", "").split("@")[0]
        self._write(task, "preparing", "preparing")
        node = self._store.nodes[task.node_id]
        if any(network.id not in node.balancers for network, _ in task.attachments):
            self._allocator().balance(node)
            if any(network.id not in node.balancers for network, _ in task.attachments):
                self._wait_for_balancer(task, waiting_s)
                return
        if self.rules.images is not None and image not in self.rules.images:
            self.end(task, "rejected", f"No such image: {image}")
        elif task.desired == "ready":
            self._write(task, "ready", "prepared")
        else:
            self._store.timeline.after(START_S, lambda: self._start(task))

    def _wait_for_balancer(self, task: SimTask, waiting_s: float) -> None:
        if waiting_s >= BALANCER_MAX_WAIT_S:
            error = "node is missing network attachments, ip addresses may be exhausted"
            if task.node_id == self.own_node_id:
                self._store.dockerd_log.write_task_rejection(task.id, task.service_id, error)
            self.end(task, "rejected", error)
        else:
            self._store.timeline.after(5.0, lambda: self._prepare(task, waiting_s + 5.0))

    def promote(self, task: SimTask) -> None:
        """Let a task start that was only to get ready."""
        if task.desired == "ready":
            task.desired = "running"
            self._store.note_write(task)
            if task.state == "ready":
                self._start(task)

    def _start(self, task: SimTask) -> None:
        if task.is_gone or task.is_stopping or not task.is_alive:
            return
        self._write(task, "starting", "starting")
        task.container_id = self._store.new_container_id()
        if task.node_id == self.own_node_id:
            self._store.containers[task.container_id] = self._container(task)
        self._store.timeline.after(RUN_S, lambda: self._run(task))

    def _container(self, task: SimTask) -> SimContainer:
        spec = task.spec.get("ContainerSpec") or {}
        labels = {
            **(spec.get("Labels") or {}),
            "com.docker.swarm.node.id": task.node_id,
            "com.docker.swarm.service.id": task.service_id,
            "com.docker.swarm.service.name": task.service_name,
            "com.docker.swarm.task": "",
            "com.docker.swarm.task.id": task.id,
            "com.docker.swarm.task.name": task.name,
        }
        return SimContainer(
            id=task.container_id,
            name=task.name,
            image=spec.get("Image", ""),
            command=command_of(task),
            created=self._store.now,
            started=self._store.now,
            labels=labels,
            state="running",
            task_id=task.id,
            attachments=task.attachments,
        )

    def _run(self, task: SimTask) -> None:
        if task.is_gone or task.is_stopping or not task.is_alive:
            return
        self._write(task, "running", "started")
        if match := _EXIT.search(" ".join(command_of(task))):
            code = int(match["code"])
            delay_s = float(match["sleep"] or 0.5)
            self._store.timeline.after(delay_s, lambda: self._exit(task, code))
        self._on_running(task)

    def _exit(self, task: SimTask, code: int) -> None:
        if task.is_alive and not task.is_stopping:
            task.exit_code = code
            error = f"task: non-zero exit ({code})" if code else ""
            self.end(task, "failed" if code else "complete", error, "started" if code else "finished")

    def stop(self, task: SimTask, desired: str) -> None:
        """Tell a task to end. A running one does so after its stop grace, and holds its addresses until then."""
        task.desired = desired
        self._store.note_write(task)
        if not task.is_alive:
            if desired == "remove":
                self._store.timeline.after(REAP_S, lambda: self._reap(task))
            return
        if task.is_stopping:
            return
        task.is_stopping = True
        if RANK[task.state] < RANK["assigned"]:
            self._store.timeline.after(REAP_S, lambda: self._clear(task))
            return
        delay_s = 0.1
        if task.state in ("starting", "running"):
            grace = (task.spec.get("ContainerSpec") or {}).get("StopGracePeriod")
            delay_s = GOSSIP_S + (DEFAULT_GRACE_S if grace is None else grace / 1e9)
        self._store.timeline.after(delay_s, lambda: self._finish_stop(task))

    def _clear(self, task: SimTask) -> None:
        if task.desired == "remove":
            self._reap(task)
        else:
            self.end(task, "shutdown", "", "shutdown")

    def _finish_stop(self, task: SimTask) -> None:
        if RANK[task.state] >= RANK["starting"]:
            task.exit_code = 137
        self.end(task, "shutdown", "", "shutdown")

    def end(self, task: SimTask, state: str, error: str, message: str = "") -> None:
        """Bring a task into a final state, and take back what it held."""
        if not task.is_alive:
            return
        self._write(task, state, message or task.message)
        task.error = error
        self._allocator().end_task(task)
        if container := self._store.containers.get(task.container_id):
            container.state = "exited"
            container.exit_code = task.exit_code
            self._store.tell_of_container("die", container)
            if task.is_gone or task.desired == "remove":
                self._clear_container(container.id)
        if task.is_gone:
            return
        if task.desired == "remove":
            self._store.timeline.after(REAP_S, lambda: self._reap(task))
        self._on_end(task)

    def vanish(self, task: SimTask) -> None:
        """Let a task leave the list at once. Its container, if it has one, still stops in its own time."""
        if task.is_gone:
            return
        self._store.forget_task(task)
        if not task.is_alive:
            self._clear_container(task.container_id)
        elif not task.is_stopping:
            self.stop(task, "remove")
        # The allocator gets to know of the deletion; when the container ends it has nothing left to give back.
        if task.is_alive:
            self._allocator().end_task(task)

    def _reap(self, task: SimTask) -> None:
        if not task.is_gone:
            self._store.forget_task(task)
            self._clear_container(task.container_id)
            if task.is_alive:
                self._allocator().end_task(task)

    def _clear_container(self, container_id: str) -> None:
        container = self._store.containers.pop(container_id, None)
        if container is not None:
            self._store.tell_of_container("destroy", container)

    def _write(self, task: SimTask, state: str, message: str) -> None:
        task.state = state
        task.message = message
        task.since = self._store.now
        self._store.note_write(task)


def command_of(task: SimTask) -> list[str]:
    """Return what a task's container runs."""
    spec = task.spec.get("ContainerSpec") or {}
    return [*(spec.get("Command") or []), *(spec.get("Args") or [])]


def meets(node: SimNode, constraint: str) -> bool:
    """Whether a node meets a placement constraint such as `node.labels.zone==a`."""
    key, operator, value = re.split(r"\s*(==|!=)\s*", constraint.strip(), maxsplit=1)
    facts = {
        "node.id": node.id,
        "node.hostname": node.hostname,
        "node.role": node.role,
        "node.platform.os": "linux",
        "node.platform.arch": "x86_64",
    }
    if key.startswith("node.labels."):
        facts[key] = node.labels.get(key.removeprefix("node.labels."), "")
    return (facts.get(key, "") == value) == (operator == "==")


def _nodes(count: int) -> str:
    return f"{count} node{'' if count == 1 else 's'}"
