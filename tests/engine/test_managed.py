"""An engine whose docker.service a real systemd runs, with a real journal and real logins: runs and quiet."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.engine.guarding import CONFIG, SETTINGS, guard
from tests.engine.managed import Host, managed_engine
from tests.support.program import PROGRAM

pytestmark = pytest.mark.engine

QUIET = """
units = ["deploy-*.service"]
timers = ["weekly.timer"]
"""
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
        made.write(CONFIG, SETTINGS + QUIET)
        made.write("/etc/gate.yaml", RUNBOOK)
        for name, text in UNITS.items():
            made.write(f"/etc/systemd/system/{name}", text)
        made.machine.run("systemctl", "daemon-reload")
        made.world.create_overlay("proxy", "10.77.0.0/28")
        yield made


def checks(host: Host) -> dict[str, Any]:
    said = host.vipconsole("quiet", "--config", CONFIG, "--for", "0", "--json").json
    return {each["code"]: each for each in said["checks"]}


def blockers(check: Any) -> list[str]:
    return [each["name"] for each in check["blockers"]]


def sessions(host: Host) -> list[Any]:
    return list(json.loads(host.machine.run("loginctl", "list-sessions", "--output=json") or "[]"))


def runs(host: Host) -> list[Any]:
    return list(host.vipconsole("runs", "--json").json["runs"])


def test_what_is_executed_in_a_container_stays_in_it(host: Host) -> None:
    service = host.world.create_service("box", [])
    host.world.wait_for_state(service, "running")
    container = host.machine.run("docker", "ps", "--quiet").strip()
    host.machine.run("docker", "exec", container, "touch", "/left-by-a-test")
    assert not (host.machine.root / "left-by-a-test").exists()
    assert not Path("/left-by-a-test").exists()
    host.world.remove_service(service)
    host.world.wait_until_gone([service])


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
    # Nobody holds the lock until systemd has started it again, some seconds from now.
    aside = guard(host, "--allow-restart")
    assert aside.code == 2, aside.out
    assert begun["run"] in aside.out
    world.wait_until(lambda: main_process(host, unit) not in ("0", first), "systemd starts it again", 60)
    (again,) = runs(host)
    assert (again["run"], again["step"]) == (begun["run"], "wait")
    world.wait_until(lambda: begun["run"] in guard(host).out, "it is known to be at work again", 60)

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
