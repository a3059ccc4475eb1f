"""The guard before a batch of deploys, on a real engine that a real systemd runs: what makes it restart, and what does not."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import console.guard
from tests.contract.specs import service_spec
from tests.contract.world import IMAGE, NOWHERE, Refused, World
from tests.engine.guarding import CONFIG, SETTINGS, guard, guard_until
from tests.engine.managed import Host, managed_engine
from tests.journal.lines import vip_line
from tests.support.program import PROGRAM
from tests.support.systemd import CHECKOUT

pytestmark = pytest.mark.engine

REFUSAL = "could not find an available IP while allocating VIP"
UNIT = "vipconsole-guard"
# The program may lie below a home directory or in /tmp, which the unit hides.
DROP_IN = f"""[Service]
ExecStart=
ExecStart={PROGRAM} guard --allow-restart --config {CONFIG}
ProtectHome=tmpfs
BindReadOnlyPaths={CHECKOUT} {sys.prefix} {sys.base_prefix}
"""


# What begins only once the guard has said that it may.
BATCH = f"""[Unit]
Requires={UNIT}.service
After={UNIT}.service
[Service]
Type=oneshot
ExecStart=sh -c 'echo the batch begins'
"""


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    with managed_engine() as made:
        made.write(CONFIG, SETTINGS)
        units = Path(console.guard.__file__).parent
        for ending in ("service", "timer"):
            name = f"{UNIT}.{ending}"
            made.write(f"/etc/systemd/system/{name}", (units / name).read_text())
        made.machine.run("mkdir", f"/etc/systemd/system/{UNIT}.service.d")
        made.write(f"/etc/systemd/system/{UNIT}.service.d/lab.conf", DROP_IN)
        made.write("/etc/systemd/system/batch.service", BATCH)
        made.machine.run("systemctl", "daemon-reload")
        made.world.create_overlay("proxy", "10.77.0.0/28")
        yield made


def logged(host: Host, unit: str = "docker") -> list[str]:
    """Return what a unit has written to the journal, line by line."""
    return host.machine.run("journalctl", f"--unit={unit}", "--output=cat", "--no-pager").splitlines()


def test_the_text_of_the_failure_in_anything_that_users_write_moves_the_guard_to_nothing(host: Host) -> None:
    world = host.world
    proxy = str(world.network("proxy")["Id"])
    web = world.create_service("web", [proxy])
    world.wait_for_state(web, "running")
    lie = vip_line(web)
    image = f"lab/could-not-find-an-available-ip-while-allocating-vip:Failed_allocation_for_service_{web}"
    with pytest.raises(Refused, match="not a valid repository"):
        world.create_service("named", [proxy], image=lie)
    liars = [
        world.create_service("command", [proxy], command=(lie,), restarts=False),
        world.create_service("image", [proxy], image=image, restarts=False),
        world.create_service("print", [proxy], command=("sh", "-c", f"echo '{lie}'; exec sleep 86400")),
        labelled(world, proxy, lie),
    ]
    # dockerd's own errors, each with the text inside of a longer sentence.
    errors = [('level=error msg="fatal task error" error="starting container failed: ', REFUSAL)]
    if world.traits.logs_refused_specs:
        errors.append(('level=error msg="Error creating service named: ', REFUSAL))
    if world.traits.tells_why_no_pull:
        errors.append(('level=error msg="pulling image failed" error="failed to resolve reference ', image))
    else:
        errors.append(('level=error msg="fatal task error" error="No such image: ', image))
    for begin, part in errors:
        world.wait_until(
            lambda begin=begin, part=part: any(begin in each and part in each for each in logged(host)),  # type: ignore[misc]
            f"dockerd logs {begin}",
            60,
        )
    # And the containers': the whole line, by itself.
    world.wait_until(lambda: logged(host).count(lie) >= 3, "the containers' lines are in the journal", 60)
    before = host.starts
    said = guard(host, "--allow-restart")
    # Where the task of an image that cannot be pulled goes on preparing, that task too holds an address.
    assert said.code == 0 or (said.code == 1 and "proxy is 77 % full" in said.out), said.out
    assert "cannot get an address" not in said.out
    assert host.starts == before
    for each in (*liars, web):
        world.remove_service(each)
    world.wait_until_gone([*liars, web])


def labelled(world: World, network: str, lie: str) -> str:
    """Create a service that prints a lie on both streams, and whose labels become fields of the journal beside it."""
    fields = {
        "MESSAGE": lie,
        "_TRANSPORT": "stdout",
        "SYSLOG_IDENTIFIER": "dockerd",
        "UNIT": "docker.service",
        "N_DROPPED": "3",
    }
    command = ("sh", "-c", f"echo '{lie}'; echo '{lie}' >&2; exec sleep 86400")
    spec = service_spec(
        "labels",
        [network],
        replicas=1,
        constraints=(),
        mode="vip",
        image=IMAGE,
        command=command,
        stop_grace_s=1,
        stack="",
        ports=(),
        restarts=True,
    )
    spec["Labels"] = spec["TaskTemplate"]["ContainerSpec"]["Labels"] = fields
    options = {"labels": ",".join(fields), "tag": "dockerd"}
    spec["TaskTemplate"]["LogDriver"] = {"Name": "journald", "Options": options}
    return str(world.call("POST", "/services/create", spec)["ID"])


def test_a_network_full_of_live_services_is_no_reason_to_restart(host: Host) -> None:
    world = host.world
    crowded = world.create_overlay("crowded", "10.78.0.0/29")
    crowd = world.create_service("crowd", [crowded], replicas=4, constraints=NOWHERE)
    world.wait_for_state(crowd, "pending", 4)
    more = world.create_service("more", [crowded], replicas=1, constraints=NOWHERE)
    before = host.starts
    said = guard_until(host, "A restart would not help", "--allow-restart")
    assert said.code == 2
    assert "crowded" in said.out
    assert host.starts == before
    for each in (crowd, more):
        world.remove_service(each)
    world.wait_until_gone([crowd, more])
    world.remove_network(crowded)


def test_a_failure_from_before_the_network_was_made_anew_is_no_reason_to_restart(host: Host) -> None:
    world = host.world
    shared = world.create_overlay("shared", "10.79.0.0/28")
    world.leak_fast(shared, 12)
    held = world.create_service("holder", [shared], replicas=0)
    world.wait_for_vip(held, shared)
    late = world.create_service("survivor", [shared])
    failure = f'level=error msg="Failed allocation for service {late}" error="{REFUSAL}"'
    world.wait_until(lambda: any(failure in each for each in logged(host)), "dockerd refuses it", 60)
    before = host.starts
    # While it is full, this is what would make the guard restart it.
    assert "on shared" in guard_until(host, "of the docker unit is allowed").out

    world.remove_service(held)
    world.update_service(late, lambda spec: spec["TaskTemplate"].update(Networks=[]))
    world.wait_until(lambda: world.is_removed(shared), "nobody is on the network any more", 60)
    renewed = world.create_overlay("shared", "10.79.0.0/28")
    world.update_service(late, lambda spec: spec["TaskTemplate"].update(Networks=[{"Target": renewed}]))
    world.wait_for_vip(late, renewed)
    said = guard_until(host, "proxy has", "--allow-restart")
    assert said.code in (0, 1), said.out
    assert "restarted" not in said.out
    assert host.starts == before
    world.remove_service(late)
    world.wait_until_gone([late])
    world.wait_until(lambda: world.is_removed(renewed), "nobody is on the network any more", 60)


def exhaust(host: Host, network: str) -> tuple[list[str], list[str]]:
    """Lose addresses until one is free: one service takes it for its VIP, and the next one gets none.

    Returns the two, and the others that hold addresses.
    """
    world = host.world
    others = [world.create_service(world.fresh("held"), [network])]
    world.wait_for_state(others[0], "running")
    world.leak_fast(network, 9)
    # Two for the first one, one for the node, nine lost: one of thirteen is left.
    tasks = world.create_service(world.fresh("half"), [network])
    world.wait_for_vip(tasks, network)
    world.wait_for_state(tasks, "new")
    return [tasks, world.create_service(world.fresh("late"), [network])], others


def test_leaks_are_given_back_by_one_restart_and_by_no_second_one(host: Host) -> None:
    world, run = host.world, host.machine.run
    proxy = str(world.network("proxy")["Id"])
    late, others = exhaust(host, proxy)
    before = host.starts

    said = guard_until(host, "2 deploys")
    assert said.code == 2
    assert "cannot get an address on proxy" in said.out
    assert "neither a borrowed manager nor a restart of the docker unit is allowed" in said.out
    assert "`vipconsole guard --allow-restart`" in said.out
    assert (host.starts, [world.states(each) for each in late]) == (before, [["new"], ["new"]])

    # By its unit, within what that lets it do, for a batch that waits for it.
    def begins() -> bool:
        # Where the guard finds no quiet moment, it may be asked again.
        return host.machine.call("systemctl", "start", "batch", within_s=250).returncode == 0

    world.wait_until(begins, "the guard lets the batch begin", 20)
    assert "the batch begins" in logged(host, "batch")
    done = "\n".join(logged(host, UNIT))
    assert "GUARD OK - The docker unit was restarted (" in done
    assert "2 deploys (" in done
    assert "cannot get an address on proxy" in done
    assert host.starts == before + 1
    for each in late:
        world.wait_for_state(each, "running")

    again = guard(host, "--allow-restart")
    assert again.code == 0, again.out
    assert "restarted" not in again.out
    assert host.starts == before + 1

    # It leaks again, sooner than a restart may follow another.
    world.leak_fast(proxy, 5)
    later = world.create_service(world.fresh("late"), [proxy])
    assert guard_until(host, "and addresses are short again", "--allow-restart").code == 2
    assert host.starts == before + 1
    assert run("systemctl", "start", f"{UNIT}.timer") == ""
    assert f"{UNIT}.timer" in run("systemctl", "list-timers", "--no-legend")
    for each in (*late, later, *others):
        world.remove_service(each)
