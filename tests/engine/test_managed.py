"""An engine whose docker.service a real systemd runs, with a real journal and real logins: guard, runs and quiet."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.contract.world import NOWHERE
from tests.engine.managed import Host, managed_engine
from tests.support.program import PROGRAM, Outcome

pytestmark = pytest.mark.engine

SETTINGS = """
[thresholds]
new_task_s = 1
unallocated_s = 1

[quiet]
dwell_s = 2
units = ["deploy-*.service"]
timers = ["weekly.timer"]
"""
REFUSAL = "could not find an available IP while allocating VIP"
RUNBOOK = """
schema: vipconsole.runbook/1
id: gate
title: Wait for the gate
steps:
  - id: wait
    title: Wait until the gate is open
    uses: wait.until
    with: {until: [{units.ok: [gate.service]}]}
    timeout: 10m
  - id: after
    title: Keep how things are
    uses: evidence.capture
    with: {network: proxy}
"""
UNITS = {
    "gate.service": "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=true\n",
    "deploy-zebra.service": "[Service]\nType=oneshot\nExecStart=sleep 600\n",
    "weekly.service": "[Service]\nType=oneshot\nExecStart=true\n",
    "weekly.timer": "[Timer]\nOnActiveSec=5min\n",
}
# A login at a terminal of its own, in which is typed what is written to a pipe.
LOGIN = (
    "rm -f /run/typed && mkfifo /run/typed && systemd-run --quiet --collect sh -c "
    """'exec 3<>/run/typed; exec script -qefc "login -f root" /run/seen <&3'"""
)


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    with managed_engine() as made:
        made.write("/etc/lab.toml", SETTINGS)
        made.write("/etc/gate.yaml", RUNBOOK)
        for name, text in UNITS.items():
            made.write(f"/etc/systemd/system/{name}", text)
        made.machine.run("systemctl", "daemon-reload")
        made.world.create_overlay("proxy", "10.77.0.0/28")
        yield made


def guard(host: Host, *more: str) -> Outcome:
    return host.vipconsole("guard", "--config", "/etc/lab.toml", *more)


def guard_until(host: Host, words: str, *more: str) -> Outcome:
    """Run the guard until it says something: what waits is stuck, and no noise, once it has waited for some time."""
    said: list[Outcome] = []

    def tells() -> bool:
        said.append(guard(host, *more))
        return words in said[-1].out

    # A look takes longer than the time between two of them.
    host.world.wait_until(tells, f"the guard says: {words}", 1)
    return said[-1]


def checks(host: Host) -> dict[str, Any]:
    said = host.vipconsole("quiet", "--config", "/etc/lab.toml", "--for", "0", "--json").json
    return {each["code"]: each for each in said["checks"]}


def blockers(check: Any) -> list[str]:
    return [each["name"] for each in check["blockers"]]


def sessions(host: Host) -> list[Any]:
    return list(json.loads(host.machine.run("loginctl", "list-sessions", "--output=json") or "[]"))


def runs(host: Host) -> list[Any]:
    return list(host.vipconsole("runs", "--json").json["runs"])


def test_quiet_asks_the_real_systemd_and_logind(host: Host) -> None:
    world, run = host.world, host.machine.run
    calm = checks(host)
    assert {
        code: calm[code]["state"] for code in ("jobs", "units", "timers", "run", "logins")
    } == dict.fromkeys(("jobs", "units", "timers", "run", "logins"), "quiet")
    run("systemctl", "start", "weekly.timer")
    run("systemctl", "start", "--no-block", "deploy-zebra.service")
    busy = checks(host)
    assert blockers(busy["jobs"]) == ["deploy-zebra.service"]
    assert blockers(busy["units"]) == ["deploy-zebra.service"]
    assert blockers(busy["timers"]) == ["weekly.timer"]
    run("systemctl", "stop", "weekly.timer", "deploy-zebra.service")
    over = checks(host)
    assert [over[code]["state"] for code in ("jobs", "units", "timers")] == ["quiet"] * 3
    world.wait_until(lambda: checks(host)["logins"]["state"] == "quiet", "nobody is logged in")


def test_a_run_outlives_the_session_that_began_it_and_the_death_of_its_runner(host: Host) -> None:
    world, run = host.world, host.machine.run
    run("sh", "-ec", LOGIN)
    (session,) = world.wait_until(lambda: sessions(host), "somebody is logged in", 60)
    (other,) = checks(host)["logins"]["blockers"]
    assert other["name"] == f"root on {session['tty']}"
    host.write("/run/line", f"{PROGRAM} run /etc/gate.yaml --headless\n")
    run("sh", "-c", "cat /run/line > /run/typed")
    (begun,) = world.wait_until(
        lambda: [each for each in runs(host) if each["step"] == "wait"], "the run waits at its first step", 60
    )
    assert session["tty"] in begun["by"]
    unit = f"vipconsole-run-{begun['run']}.service"

    run("loginctl", "terminate-session", session["session"])
    world.wait_until(lambda: not sessions(host), "the session has ended", 60)
    scope = f"session-{session['session']}.scope"
    world.wait_until(
        lambda: host.machine.call("systemctl", "is-active", scope).returncode != 0,
        "its processes are dead",
        60,
    )
    first = main_process(host, unit)
    assert run("systemctl", "is-active", unit).strip() == "active"

    run("systemctl", "kill", "--signal=KILL", unit)
    world.wait_until(lambda: main_process(host, unit) not in ("0", first), "systemd starts it again", 60)
    (again,) = runs(host)
    assert (again["run"], again["step"]) == (begun["run"], "wait")
    # Once the new runner has the lock.
    aside = guard_until(host, begun["run"], "--allow-restart")
    assert aside.code == 2

    run("systemctl", "start", "gate.service")
    attached = host.vipconsole("attach", "--headless", begun["run"])
    assert attached.code == 0, attached.out + attached.err
    report = host.vipconsole("report", begun["run"], "--json").json
    assert report["state"] == "done"
    assert [each["state"] for each in report["steps"]] == ["done", "done"]
    world.wait_until(
        lambda: run("systemctl", "show", "--property=LoadState", "--value", unit).strip() == "not-found",
        "nothing is left of the unit",
        60,
    )


def test_a_session_that_its_user_has_left_is_nobody_however_long_a_process_of_it_lives(host: Host) -> None:
    world, run = host.world, host.machine.run
    run("sh", "-ec", LOGIN)
    (session,) = world.wait_until(lambda: sessions(host), "somebody is logged in", 60)
    assert blockers(checks(host)["logins"]) == [f"root on {session['tty']}"]
    host.write("/run/line", "setsid -f sleep 86400 </dev/null >/dev/null 2>&1\nexit\n")
    run("sh", "-c", "cat /run/line > /run/typed")
    shown = ("loginctl", "show-session", "--property=State", "--value", session["session"])
    world.wait_until(lambda: run(*shown).strip() == "closing", "the session is closing", 60)
    assert [each["session"] for each in sessions(host)] == [session["session"]]
    assert checks(host)["logins"]["state"] == "quiet"
    run("systemctl", "stop", f"session-{session['session']}.scope")
    world.wait_until(lambda: not sessions(host), "the session has ended", 60)


def main_process(host: Host, unit: str) -> str:
    return host.machine.run("systemctl", "show", "--property=MainPID", "--value", unit).strip()


def test_what_a_container_prints_moves_the_guard_to_nothing(host: Host) -> None:
    world = host.world
    proxy = str(world.network("proxy")["Id"])
    web = world.create_service("web", [proxy])
    world.wait_for_state(web, "running")
    lie = f'level=error msg="Failed allocation for service {web}" error="{REFUSAL}"'
    liar = world.create_service("liar", [proxy], command=("sh", "-c", f"echo '{lie}'; exec sleep 86400"))
    journal = ("journalctl", "--unit=docker.service", "--output=cat", "--no-pager")
    world.wait_until(lambda: lie in host.machine.run(*journal), "its line is in the journal of the unit", 60)
    before = host.starts
    said = guard(host, "--allow-restart")
    assert said.code == 0, said.out
    assert host.starts == before
    world.remove_service(liar)
    world.remove_service(web)
    world.wait_until_gone([web, liar])


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


def exhaust(host: Host, network: str) -> tuple[str, list[str]]:
    """Lose addresses of a network until a service gets none; return its id, and those of the others."""
    world = host.world
    others = [world.create_service(world.fresh("held"), [network])]
    world.wait_for_state(others[0], "running")
    world.leak_fast(network, 9)
    # Two for the first one, one for the node, nine lost: this is the last of thirteen.
    others.append(world.create_service(world.fresh("held"), [network], mode="dnsrr"))
    world.wait_for_state(others[1], "running")
    return world.create_service(world.fresh("late"), [network]), others


def test_leaks_are_given_back_by_one_restart_and_by_no_second_one(host: Host) -> None:
    world = host.world
    proxy = str(world.network("proxy")["Id"])
    late, others = exhaust(host, proxy)
    before = host.starts

    said = guard_until(host, "`vipconsole guard --allow-restart`")
    assert said.code == 2
    assert "cannot get an address on proxy" in said.out
    assert "a restart of the docker unit is not allowed" in said.out
    assert (host.starts, world.states(late)) == (before, ["new"])

    done = guard(host, "--allow-restart")
    assert done.code == 0, done.out + done.err
    assert "The docker unit was restarted (" in done.out
    assert "cannot get an address on proxy" in done.out
    assert host.starts == before + 1
    world.wait_for_state(late, "running")

    again = guard(host, "--allow-restart")
    assert again.code == 0, again.out
    assert "restarted" not in again.out
    assert host.starts == before + 1

    # It leaks anew, sooner than a restart may follow another.
    world.leak_fast(proxy, 6)
    others.append(world.create_service(world.fresh("held"), [proxy], mode="dnsrr"))
    world.wait_for_state(others[-1], "running")
    later = world.create_service(world.fresh("late"), [proxy])
    assert guard_until(host, "and it did not last", "--allow-restart").code == 2
    assert host.starts == before + 1
    for each in (late, later, *others):
        world.remove_service(each)
