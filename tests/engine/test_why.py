"""What `why` says of services of a real engine is why they do not run."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.contract.specs import service_spec
from tests.contract.world import IMAGE, JSON, NOWHERE, World
from tests.engine.lab import Engine
from tests.journal.journals import daemon, write_journal
from tests.support.program import Outcome, vipconsole

pytestmark = pytest.mark.engine

NO_VIP = "could not find an available IP while allocating VIP"


@pytest.fixture(scope="module")
def world(engine: Engine) -> Iterator[World]:
    with World(engine.socket, time.sleep, engine.restart, "engine") as real:
        yield real


@pytest.fixture(scope="module")
def network(world: World) -> str:
    return world.create_overlay("shared", world.fresh_subnet(24))


@pytest.fixture(autouse=True)
def _nothing_runs_on(world: World) -> Iterator[None]:
    """Remove what a test has made: whatever fails again and again takes more of the processor than the next test does."""
    yield
    for service in world.client.services():
        world.remove_service(service["ID"])


def why(engine: Engine, *arguments: str) -> Outcome:
    return vipconsole("why", "--host", engine.host, *arguments)


def told(engine: Engine, name: str, *arguments: str) -> Any:
    said = why(engine, name, "--json", *arguments)
    (service,) = said.json["services"]
    return {**service, "exit_code": said.code}


def told_at_once(engine: Engine, names: Iterable[str], *arguments: str) -> dict[str, Any]:
    """Return what one call says of several services, by name."""
    services = why(engine, *names, "--json", *arguments).json["services"]
    return {service["name"]: service for service in services}


def values(service: Any, subject: str) -> dict[str, str]:
    return {row["field"]: row["value"] for row in service["evidence"] if row["object"] == subject}


def wait_for(
    engine: Engine, world: World, causes: Mapping[str, str], states: Mapping[str, str], *arguments: str
) -> dict[str, Any]:
    """Return what is said of services, once a task of each is in a state and each is explained by its cause.

    The engine is asked first: it answers a hundred times in the time that the program takes once.
    """
    for name, state in states.items():
        service = world.service(name)["ID"]
        world.wait_until(
            lambda service=service, state=state: state in world.states(service),  # type: ignore[misc]
            f"a task of {name} is {state}",
            60,
        )
    last: dict[str, Any] = {}

    def explained() -> dict[str, Any]:
        last.update(told_at_once(engine, causes, *arguments))
        return last if all(last[name]["cause"] == cause for name, cause in causes.items()) else {}

    try:
        return world.wait_until(explained, f"explained as {causes}", 60)
    except AssertionError as error:
        raise AssertionError(f"{error}; last told: {last}") from None


def image_cause(world: World) -> str:
    """Return the cause of a service whose image is nowhere: no registry can be reached from a private engine."""
    return "image-unreachable" if world.traits.tells_why_no_pull else "image-missing"


def create(world: World, name: str, network: str, change: Callable[[JSON], None], **more: Any) -> None:
    """Create a service whose spec is changed in place first."""
    plain: JSON = {
        "replicas": 1, "constraints": (), "mode": "vip", "image": IMAGE, "command": ("sleep", "86400"),
        "stop_grace_s": 1.0, "stack": "", "ports": (), "restarts": True,
    }  # fmt: skip
    spec = service_spec(name, [network], **{**plain, **more})
    change(spec)
    world.call("POST", "/services/create", spec)


def journal_of(engine: Engine, directory: Path) -> str:
    """Put what dockerd has written so far into a real journal, as its unit's, and return where it is."""
    directory.mkdir(exist_ok=True)
    lines = [each for each in engine.log().splitlines() if each]
    began_us = int(time.time() * 1e6) - len(lines) * 1000
    write_journal(directory / "docker.journal", [daemon(each) for each in lines], began_us)
    return str(directory)


def test_a_full_network_is_named_with_its_use_and_what_dockerd_logged(
    engine: Engine, world: World, tmp_path: Path
) -> None:
    full = world.create_overlay("full", world.fresh_subnet(28))
    for number in range(13):
        world.wait_for_vip(world.create_service(f"full{number}", [full], replicas=0, stack="crowd"), full)
    late = world.create_service("too-late", [full])
    world.wait_for_state(late, "new")
    world.wait_until(lambda: f"Failed allocation for service {late}" in engine.log(), "dockerd logs it")

    said = told(engine, "too-late", "--journal", journal_of(engine, tmp_path / "journal"))
    assert (said["cause"], said["certainty"], said["exit_code"]) == ("no-vip", "certain", 2)
    assert said["is_address_problem"] is True
    assert said["verdict"] == "no free address for its virtual IP on full"
    assert values(said, "network full")["accounted"] == "13 of 13"
    assert values(said, "network full")["held by"] == "crowd 13"
    assert values(said, "service too-late")["Endpoint.VirtualIPs"] == "none"
    (line,) = [row["value"] for row in said["evidence"] if row["object"] == "dockerd"]
    assert f"Failed allocation for service {late}" in line
    assert NO_VIP in line
    assert "Do not redeploy" in said["advice"]
    text = why(engine, "too-late", "--journal", str(tmp_path / "journal")).out
    assert text.splitlines()[0] == " BLOCKED  too-late: no free address for its virtual IP on full"
    unread = why(engine, "too-late").out
    assert "dockerd's log was not read." in unread


def test_addresses_that_leaked_unseen_are_found_through_what_dockerd_logged(
    engine: Engine, world: World, tmp_path: Path
) -> None:
    leaky = world.create_overlay("leaky", world.fresh_subnet(28))
    world.leak_fast(leaky, 6)
    for number in range(7):
        world.wait_for_vip(world.create_service(f"leaky{number}", [leaky], replicas=0), leaky)
    late = world.create_service("after-the-leak", [leaky])
    world.wait_until(lambda: f"Failed allocation for service {late}" in engine.log(), "dockerd logs it")
    blind = told(engine, "after-the-leak")
    if world.traits.counts_addresses:
        # The engine's own count says without the log that nothing is free.
        assert blind["cause"] == "no-vip"
        return
    assert (blind["cause"], blind["standing"]) == ("not-converged", "converging")
    said = told(engine, "after-the-leak", "--journal", journal_of(engine, tmp_path / "journal"))
    assert (said["cause"], said["certainty"]) == ("no-vip", "certain")
    assert values(said, "network leaky")["accounted"] == "7 of 13"
    assert values(said, "network leaky")["leaked"].startswith("unknown: ")
    assert values(said, "network leaky")["free"] == "at most 6"


def test_a_crash_on_a_full_network_is_the_applications_own(engine: Engine, world: World) -> None:
    tight = world.create_overlay("tight", world.fresh_subnet(28))
    world.create_service("crashing", [tight], command=("sh", "-c", "exit 3"))
    world.wait_until(lambda: "failed" in world.states(world.service("crashing")["ID"]), "it has failed", 60)
    # Its virtual IP, its task and this node's load balancer have the other three addresses.
    for number in range(10):
        world.wait_for_vip(world.create_service(f"tight{number}", [tight], replicas=0), tight)
    said = wait_for(engine, world, {"crashing": "crash-loop"}, {})["crashing"]
    assert said["is_address_problem"] is False
    assert said["standing"] == "blocked"
    assert "exit code 3" in said["verdict"]
    assert "This is not an address problem" in said["meaning"]
    task = next(row for row in said["evidence"] if row["field"] == "Status.Err")
    assert task["value"] == '"task: non-zero exit (3)"'
    assert said["command"].endswith("docker service logs --tail 50 crashing")


def test_every_other_cause_is_told_apart(engine: Engine, world: World, network: str) -> None:
    world.create_service("healthy", [network])
    world.create_service("no-image", [network], image="lab/absent:1")
    world.create_service("no-node", [network], constraints=NOWHERE)
    create(
        world, "too-big", network,
        lambda spec: spec["TaskTemplate"].update(Resources={"Reservations": {"MemoryBytes": 10**15}}),
    )  # fmt: skip
    check = {"Test": ["CMD", "false"], "Interval": 10**9, "Timeout": 10**9, "Retries": 1}
    create(
        world, "unhealthy", network,
        lambda spec: spec["TaskTemplate"]["ContainerSpec"].update(Healthcheck=check),
    )  # fmt: skip
    mount = {"Type": "bind", "Source": "/nonexistent", "Target": "/data"}
    create(
        world, "no-mount", network, lambda spec: spec["TaskTemplate"]["ContainerSpec"].update(Mounts=[mount])
    )
    world.create_service("no-command", [network], command=("absent-command",))
    world.create_service("once", [network], command=("true",), restarts=False)
    world.create_service("failed-once", [network], command=("false",), restarts=False)
    world.create_service("asleep", [network], replicas=0)

    causes = {
        "healthy": "well",
        "no-image": image_cause(world),
        "no-node": "no-suitable-node",
        "too-big": "no-suitable-node",
        "unhealthy": "unhealthy",
        "no-mount": "rejected",
        "no-command": "cannot-start",
        "once": "done",
        "failed-once": "ended",
        "asleep": "no-replicas",
    }
    states = {"healthy": "running", "unhealthy": "failed", "no-mount": "rejected", "no-command": "failed"}
    states |= {"once": "complete", "failed-once": "failed", "no-node": "pending", "too-big": "pending"}
    said = wait_for(engine, world, causes, states)
    image, node, big, sick, mounted, command = (
        said[name] for name in ("no-image", "no-node", "too-big", "unhealthy", "no-mount", "no-command")
    )
    expected = (
        "image cannot be pulled" if world.traits.tells_why_no_pull else "there is no image lab/absent:1"
    )
    assert expected in image["verdict"]
    assert image["command"].endswith("lab/absent:1")
    assert "docker pull " in image["command"]
    assert "scheduling constraints not satisfied on 1 node" in node["verdict"]
    assert values(node, "service no-node")["Placement.Constraints"] == NOWHERE[0]
    assert "insufficient resources on 1 node" in big["verdict"]
    assert "bind source path does not exist: /nonexistent" in mounted["verdict"]
    assert "executable file not found" in command["verdict"]
    for each in (image, node, big, sick, mounted, command):
        assert (each["is_address_problem"], each["certainty"], each["standing"]) == (
            *(False, "certain", "blocked"),
        )
        assert "This is not an address problem" in each["meaning"]
    assert said["failed-once"]["standing"] == "blocked"
    # The exit code is that of the worst that was asked for.
    assert why(engine, "healthy", "once", "asleep").code == 0
    assert why(engine, "healthy", "failed-once").code == 2


def test_a_network_without_a_subnet_is_the_cause(engine: Engine, world: World, tmp_path: Path) -> None:
    taken = world.fresh_subnet(24)
    world.create_overlay("first", taken)
    twin = world.request_overlay("twin", taken)
    world.create_service("on-twin", [twin])
    world.wait_until(lambda: f"Failed allocation for network {twin}" in engine.log(), "dockerd logs it")
    said = told(engine, "on-twin", "--journal", journal_of(engine, tmp_path / "journal"))
    assert (said["cause"], said["standing"], said["certainty"]) == (
        "network-without-subnet",
        "blocked",
        "certain",
    )
    assert "overlaps" in said["meaning"]
    assert said["is_address_problem"] is True


# A node is given up after half a minute of trying.
def test_a_node_without_an_address_of_its_own_is_the_cause(
    engine: Engine, world: World, tmp_path: Path
) -> None:
    tiny = world.create_overlay("tiny", world.fresh_subnet(29))
    # Four virtual IPs and a task take all five addresses, and the node's load balancer gets none. With a second task the
    # node would take the address of the one that is rejected first, and the other would run.
    for number in range(3):
        world.wait_for_vip(world.create_service(f"tiny{number}", [tiny], replicas=0), tiny)
    world.create_service("crammed", [tiny])
    said = wait_for(engine, world, {"crammed": "node-without-address"}, {"crammed": "rejected"})["crammed"]
    assert (said["standing"], said["is_address_problem"]) == ("blocked", True)
    assert {row["value"] for row in said["evidence"] if row["field"] == "NodeID"} == {"lab"}
    journal = journal_of(engine, tmp_path / "journal")
    logged = wait_for(engine, world, {"crammed": "node-without-address"}, {}, "--journal", journal)["crammed"]
    assert "dockerd" in {row["object"] for row in logged["evidence"]}


def test_a_network_of_the_nodes_own_needs_no_address(engine: Engine, world: World) -> None:
    engine.docker("service", "create", "--detach", "--name", "on-host", "--network", "host", IMAGE)
    wait_for(engine, world, {"on-host": "well"}, {"on-host": "running"})
    assert told(engine, "on-host")["exit_code"] == 0


def test_nothing_that_a_service_says_of_itself_makes_it_exhausted(
    engine: Engine, world: World, network: str, tmp_path: Path
) -> None:
    text = f'level=error msg="Failed allocation for service x" error="{NO_VIP}"'
    rejection = "node is missing network attachments, ip addresses may be exhausted"
    world.create_service("shouting", [network], command=("sh", "-c", f"echo '{text}' >&2; exit 1"))
    create(
        world,
        "labelled",
        network,
        lambda spec: spec["Labels"].update({text: rejection}),
        image="lab/absent:2",
    )
    world.create_service("quoting", [network], command=(rejection,))
    causes = {"shouting": "crash-loop", "labelled": image_cause(world), "quoting": "cannot-start"}
    wait_for(engine, world, causes, {"shouting": "failed", "quoting": "failed"})
    said = told_at_once(engine, causes, "--journal", journal_of(engine, tmp_path / "journal"))
    for name, cause in causes.items():
        assert said[name]["cause"] == cause
        assert said[name]["is_address_problem"] is not True
        assert not [row for row in said[name]["evidence"] if row["object"] == "dockerd"]
