"""Three real managers with a reverse proxy that runs on managers only, and hand-overs between them."""

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from docker.errors import APIError

from tests.contract.specs import service_spec
from tests.contract.world import IMAGE, JSON, Refused, World
from tests.engine.cluster import swarm_of
from tests.engine.lab import Engine
from tests.support import mortal
from tests.support.changes import Operator

ON_MANAGERS = ("node.role==manager",)
Point = tuple[str, str]
"""`before` or `after`, and the change of a node at which the program is killed (`tests.support.mortal`)."""
DEMOTED: Point = ("after", "demote")


@dataclass(frozen=True)
class Managers:
    """Three managers. Each is asked through its own socket."""

    engines: list[Engine]
    worlds: dict[str, World]
    """By the node's name."""

    @property
    def others(self) -> World:
        """A manager that does not lead."""
        return self.worlds[next(each for each in self.worlds if each != self.leader)]

    @property
    def leader(self) -> str:
        return next(
            name for name, each in self.nodes().items() if (each.get("ManagerStatus") or {}).get("Leader")
        )

    def nodes(self) -> dict[str, JSON]:
        """Return the nodes by their names, as one that is a manager at the moment shows them."""
        failures = []
        for world in self.worlds.values():
            try:
                return {each["Description"]["Hostname"]: each for each in world.call("GET", "/nodes")}
            except Refused as refused:
                failures.append(str(refused))
        raise AssertionError(f"no manager answers: {failures}")

    def containers(self) -> list[set[str]]:
        return [set(each.docker("ps", "--no-trunc", "-q").split()) for each in self.engines]

    def ended(self) -> list[JSON]:
        """Return what became of the tasks that do not run any more, and what the nodes are."""
        world = next(iter(self.worlds.values()))
        return [
            *(
                {key: each.get(key) for key in ("Slot", "NodeID", "DesiredState", "Status", "UpdatedAt")}
                for each in world.tasks()
                if each["DesiredState"] != "running"
            ),
            *self.nodes().values(),
        ]

    def everybody_votes(self) -> bool:
        reachable = [(each.get("ManagerStatus") or {}).get("Reachability") for each in self.nodes().values()]
        return reachable.count("reachable") == len(self.engines)

    def run_proxy(self) -> None:
        """Run services that ask for a manager, a replicated and a global one, on every node."""
        world = next(iter(self.worlds.values()))
        for name, mode in (
            ("traefik", {"Replicated": {"Replicas": 6}}),
            ("edge", {"Global": {}}),
        ):
            spec = service_spec(
                name, [], replicas=0, constraints=ON_MANAGERS, mode="dnsrr", image=IMAGE,
                command=["sleep", "86400"], stop_grace_s=0.5, stack="", ports=[], restarts=True,
            )  # fmt: skip
            world.call("POST", "/services/create", {**spec, "Mode": mode})
        self.wait_for_proxy(9)

    def wait_for_proxy(self, count: int) -> None:
        """Wait until so many containers run and no other task is on its way."""
        world = next(iter(self.worlds.values()))

        def is_so() -> bool:
            try:
                listed = world.tasks()
            except APIError as error:
                # A node that has just become a manager again prepares its part for a moment, though it votes already.
                if error.response is None or error.response.status_code != HTTPStatus.SERVICE_UNAVAILABLE:
                    raise
                return False
            tasks = [each for each in listed if each["DesiredState"] == "running"]
            return {each["Status"]["State"] for each in tasks} == {"running"} and len(
                set[str]().union(*self.containers())
            ) == count == len(tasks)

        world.wait_until(is_so, f"{count} containers run", 120)

    def set_availability(self, name: str, availability: str) -> None:
        node = self.nodes()[name]
        world = next(iter(self.worlds.values()))
        world.call(
            "POST",
            f"/nodes/{node['ID']}/update?version={node['Version']['Index']}",
            {**node["Spec"], "Availability": availability},
        )

    def hand_over(self, root: Operator, kill: Point | None = None) -> str:
        """Hand the lead over and return what was said; with a point it is killed there, and called once more."""
        through, old = self.others, self.leader
        arguments = ("reclaim", "--yes", "--by", "handover", "--host", f"unix://{through.socket}")
        if kill is not None:
            program = (sys.executable, str(Path(mortal.__file__)), *kill)
            with root.start(*arguments, program=program) as process:
                _, err = process.communicate(timeout=240)
            assert process.returncode == -signal.SIGKILL, err
            # The demotion was accepted, and shows a moment later: until then the former leader still leads.
            leads = old if kill == DEMOTED else ""
            through.wait_until(lambda: _leader_of(through) not in ("", leads), "the lead has settled", 60)
        done = root.run(*arguments, within_s=240)
        if done.code == 3 and "cannot promote itself" in done.err:
            # It was killed after the very last change: the lead may be with the one that is asked.
            done = root.run(
                "reclaim", "--yes", "--by", "handover", "--host", f"unix://{self.others.socket}", within_s=240
            )
        assert done.code == 0, done.err
        through.wait_until(self.everybody_votes, "three managers vote", 60)
        return done.out


def _leader_of(world: World) -> str:
    """Return the name of the node that leads; nothing while none does."""
    try:
        nodes = world.call("GET", "/nodes")
    except Refused:
        return ""
    leaders = (each for each in nodes if (each.get("ManagerStatus") or {}).get("Leader"))
    return next((str(each["Description"]["Hostname"]) for each in leaders), "")


@contextmanager
def three_managers() -> Iterator[Managers]:
    """Give three managers with their reverse proxy, and leave nothing of them."""
    with swarm_of("manager", "manager") as engines, ExitStack() as ending:
        worlds = {
            f"node{number}": ending.enter_context(
                World(each.socket, time.sleep, each.restart, f"node{number}")
            )
            for number, each in enumerate(engines, 1)
        }
        managers = Managers(engines, worlds)
        worlds["node1"].wait_until(managers.everybody_votes, "three managers vote", 60)
        managers.run_proxy()
        yield managers
