"""Tasks on other nodes that are no longer listed although their containers may run on, unseen."""

from collections.abc import Mapping

from console.remedies.stack_removal_plan import StackPlan, tasks_of
from console.remedies.stack_removal_steps import task_name
from console.swarm.stacks import Kind, StackLook
from console.text import duration

MARGIN_S = 5.0
"""Beyond the stop grace of a task on another node."""
SETTLING_S = 5.0
"""For so long after its creation the swarm itself updates a service, when it gives it its addresses."""


class HiddenTasks:
    """Knows, from look to look, what of a stack may still run on other nodes without being listed.

    After its service was removed a task stays listed until it has stopped. One that was scaled or updated away leaves
    the list at once on engines before 29, while its container takes its stop grace to end (measured on 20.10, 26.1
    and 28.5). On the node that is asked such containers themselves are seen; of other nodes only the time can be
    waited that they may take, counted from when the task vanished or the service was last updated.
    """

    def __init__(self, plan: StackPlan) -> None:
        self._plan = plan
        self._services = {each.id: each.name for each in plan.of(Kind.SERVICE)}
        self._elsewhere: dict[str, tuple[str, str, float]] = {}
        """Live tasks of the look before on other nodes: their service, what to call them, and their stop grace."""
        self._until_s: dict[str, tuple[str, float]] = {}
        """What may run on unseen, by ID: what to call it, and when it must have ended."""

    def after(self, look: StackLook, now_s: float) -> Mapping[str, str]:
        """Take in a look made at `now_s`, and return by ID what to call what may still run unseen."""
        if len(look.nodes) > 1:
            self._note_vanished(look, now_s)
            self._note_updated(look, now_s)
        self._until_s = {key: each for key, each in self._until_s.items() if each[1] > now_s}
        return {key: name for key, (name, _) in self._until_s.items()}

    def _note_vanished(self, look: StackLook, now_s: float) -> None:
        tasks = tasks_of(self._plan.name, self._services, look)
        listed = {each.id for each in tasks}
        services = {each.object.id for each in look.services}
        for task_id, (service_id, name, grace_s) in self._elsewhere.items():
            # Where the service has gone too, the task was listed until it had stopped.
            if task_id not in listed and service_id in services:
                self._until_s[task_id] = (name, now_s + grace_s + MARGIN_S)
        self._elsewhere = {
            each.id: (
                each.service_id,
                f"{task_name(each, self._services, look).partition(' (')[0]} (no longer listed)",
                each.grace_s,
            )
            for each in tasks
            if each.is_alive and each.node_id not in ("", look.here)
        }

    def _note_updated(self, look: StackLook, now_s: float) -> None:
        for each in look.services:
            item, age_s = each.object, (look.now - each.updated).total_seconds()
            left_s = each.grace_s + MARGIN_S - age_s
            was_changed = (each.updated - each.created).total_seconds() > SETTLING_S
            if item.id in self._services and was_changed and left_s > 0 and item.id not in self._until_s:
                name = f"{item.name} (updated {duration(age_s)} ago, may still stop tasks on other nodes)"
                self._until_s[item.id] = (name, now_s + left_s)
