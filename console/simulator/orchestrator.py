"""Which tasks a service has: replicas, restarts, updates one slot after another."""

from collections.abc import Callable
from typing import Any

from console.simulator.agent import Agent, meets
from console.simulator.allocator import Allocator
from console.simulator.objects import SimNode, SimService, SimTask, networks_of
from console.simulator.store import Store

HISTORY_LIMIT = 5
"""Tasks a slot keeps listed, the current one among them (the engine's default)."""
NOT_MET = "assigned node no longer meets constraints"
RESTART_DELAY_S = 5.0
"""Seconds before a task that has ended is replaced (the engine's default)."""


class Orchestrator:
    """Keeps the tasks of services as their specifications want them."""

    def __init__(self, store: Store, allocator: Callable[[], Allocator], agent: Callable[[], Agent]) -> None:
        self._store = store
        self._allocator = allocator
        self._agent = agent

    def reconcile(self, service: SimService) -> None:
        """Create what is missing, stop what is too much, replace what is outdated."""
        if service.id not in self._store.services:
            return
        slots = self._slots(service)
        self._clear_dead(slots)
        live_keys = [key for key, tasks in slots.items() if any(task.is_wanted for task in tasks)]
        keys = self._target_keys(service)
        for key in live_keys:
            if key not in keys:
                for task in slots[key]:
                    if task.is_wanted:
                        # Of a node that is no longer meant the task stays listed, as history.
                        self._agent().stop(task, "remove" if isinstance(key, int) else "shutdown")
        for key in keys:
            if key not in live_keys:
                self._create(service, key)
        self._roll(service)

    def _slots(self, service: SimService) -> dict[int | str, list[SimTask]]:
        slots: dict[int | str, list[SimTask]] = {}
        for task in self._store.tasks_of(service.id):
            slots.setdefault(task.slot or task.node_id, []).append(task)
        return slots

    def _target_keys(self, service: SimService) -> list[int | str]:
        count = service.replicas
        if count is not None:
            slots = self._slots(service)
            running = sorted(
                key
                for key, tasks in slots.items()
                if isinstance(key, int) and any(task.is_wanted for task in tasks)
            )
            keys: list[int | str] = [*running[:count]]
            number = 1
            while len(keys) < count:
                if number not in running:
                    keys.append(number)
                number += 1
            return keys
        constraints = (service.spec["TaskTemplate"].get("Placement") or {}).get("Constraints") or []
        return [
            node.id
            for node in self._store.nodes.values()
            if node.availability != "drain" and all(meets(node, constraint) for constraint in constraints)
        ]

    def _clear_dead(self, slots: dict[int | str, list[SimTask]]) -> None:
        # Slots that nothing is meant to run in are cleared whole; before Docker 29 with what still stops in them.
        for key, tasks in slots.items():
            if isinstance(key, str) or any(task.is_wanted for task in tasks):
                continue
            for task in tasks:
                if not task.is_alive or not self._agent().rules.lists_dying_tasks:
                    self._agent().vanish(task)

    def _create(self, service: SimService, key: int | str, desired: str = "running") -> SimTask:
        now = self._store.now
        task = SimTask(
            id=self._store.new_id(),
            spec=_task_spec(service),
            created=now,
            updated=now,
            since=now,
            index=self._store.next_index(),
            service_id=service.id,
            service_name=service.name,
            service_labels=service.spec.get("Labels") or {},
            slot=key if isinstance(key, int) else 0,
            node_id=key if isinstance(key, str) else "",
            desired=desired,
            template_index=service.template_index,
        )
        self._store.add_task(task)
        self._allocator().add_task(task)
        return task

    def enforce(self, node: SimNode) -> None:
        """End the tasks of a node that is not what their service asks for. Only an active node loses them."""
        if node.availability != "active":
            return
        for task in list(self._store.tasks.values()):
            if task.node_id != node.id or not task.is_wanted or not task.is_alive or task.is_attachment:
                continue
            service = self._store.services.get(task.service_id)
            spec = task.spec if service is None else service.spec["TaskTemplate"]
            if not all(
                meets(node, constraint)
                for constraint in (spec.get("Placement") or {}).get("Constraints") or []
            ):
                self._agent().end(task, "rejected", NOT_MET, "task rejected by constraint enforcer")

    def replace_task(self, task: SimTask) -> None:
        """Start what follows a task that has ended: its successor, or a new try after the restart delay."""
        if successor := self._store.tasks.get(task.successor_id):
            self._agent().promote(successor)
            return
        service = self._store.services.get(task.service_id)
        if service is None or task.desired != "running":
            return
        policy: dict[str, Any] = task.spec.get("RestartPolicy") or {}
        condition = policy.get("Condition") or "any"
        task.desired = "shutdown"
        self._pause_update(service, task)
        if condition == "none" or (condition == "on-failure" and task.state == "complete"):
            return
        following = self._create(service, task.slot or task.node_id, "ready")
        delay = policy.get("Delay")
        delay_s = RESTART_DELAY_S if delay is None else delay / 1e9
        self._store.timeline.after(delay_s, lambda: self._begin(following))
        self._trim(service, following)

    def _begin(self, task: SimTask) -> None:
        self._agent().promote(task)
        if not task.is_alive:
            self.replace_task(task)

    def _trim(self, service: SimService, newest: SimTask) -> None:
        slot_tasks = [
            task
            for task in self._store.tasks_of(service.id)
            if (task.slot, task.slot or task.node_id) == (newest.slot, newest.slot or newest.node_id)
        ]
        for task in slot_tasks[: max(0, len(slot_tasks) - HISTORY_LIMIT)]:
            if not task.is_alive:
                self._agent().vanish(task)

    # Updates, stop-first, one task at a time.

    def _roll(self, service: SimService) -> None:
        live = [task for task in self._store.tasks_of(service.id) if task.is_wanted]
        outdated_tasks = [task for task in live if task.template_index < service.template_index]
        if not outdated_tasks:
            self._finish_update(service, live)
            return
        if service.update_status is None:
            start = {"StartedAt": self._store.now, "Message": "update in progress"}
            service.update_status = {"State": "updating", **start}
        if any(task.template_index == service.template_index and task.state != "running" for task in live):
            return
        old = outdated_tasks[0]
        new = self._create(service, old.slot or old.node_id, "ready")
        old.successor_id = new.id
        is_ended = not old.is_alive
        self._agent().stop(old, "shutdown")
        if is_ended:
            self._agent().promote(new)

    def roll_on(self, task: SimTask) -> None:
        """Go on with an update once a new task runs."""
        service = self._store.services.get(task.service_id)
        if service is not None and service.update_status is not None:
            self._roll(service)

    def _finish_update(self, service: SimService, live: list[SimTask]) -> None:
        status = service.update_status
        ends = {"updating": ("completed", "update"), "rollback_started": ("rollback_completed", "rollback")}
        if status and status["State"] in ends and all(task.state == "running" for task in live):
            state, what = ends[status["State"]]
            completion = {"CompletedAt": self._store.now, "Message": f"{what} completed"}
            service.update_status = {**status, "State": state, **completion}
            self._store.tell("update", service, {"updatestate.new": state})

    def _pause_update(self, service: SimService, task: SimTask) -> None:
        status = service.update_status
        if status and status["State"] == "updating" and task.template_index == service.template_index:
            message = f"update paused due to failure or early termination of task {task.id}"
            service.update_status = {**status, "State": "paused", "Message": message}
            self._store.tell("update", service, {"updatestate.new": "paused"})


def _task_spec(service: SimService) -> dict[str, Any]:
    networks = networks_of(service.spec)
    return {**service.spec["TaskTemplate"], **({"Networks": networks} if networks else {})}
