"""What the guard removes on a real engine, what it leaves, and how it stands back from whoever is at work."""

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.contract.world import IMAGE
from tests.engine.guarding import CONFIG, SETTINGS, guard, guard_until
from tests.engine.managed import Host, managed_engine

pytestmark = pytest.mark.engine

# The network of the batch is kept as well; `proxy` is kept by the usual keep-list alone.
PRUNING = f'network = "batch"\n{SETTINGS}\n[guard]\nprune_age_s = 1\n'
# A registry that is there and never gets round to telling what an image is: whoever pulls from it waits for as long as it
# runs, and takes the image that is here already when it has gone.
REGISTRY = "127.0.0.1:5000"
SLOW = """
import http.server, time
class Slow(http.server.BaseHTTPRequestHandler):
    # Who tries TLS first goes on without it only where the refusal begins as HTTP does.
    default_request_version = "HTTP/1.0"
    def do_GET(self):
        while self.path != "/v2/":
            time.sleep(60)
        self.send_response(200)
        self.end_headers()
    # With which later engines ask first.
    do_HEAD = do_GET
http.server.ThreadingHTTPServer(("127.0.0.1", 5000), Slow).serve_forever()
"""
STACK = f"""
version: "3.8"
services:
  app:
    image: {REGISTRY}/box:1
    stop_grace_period: 1s
"""
# Reads the stack from a pipe: at work, and nothing created, until something is written there.
DEPLOY = "exec docker stack deploy --resolve-image never --compose-file - next < /run/stack"


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    with managed_engine() as made:
        made.write(CONFIG, PRUNING)
        for name in ("batch", "proxy"):
            made.world.create_overlay(name)
        made.world.create_overlay("kept", labels={"vipconsole.keep": ""})
        yield made


def overlays(host: Host) -> set[str]:
    return {each["Name"] for each in host.world.client.networks() if each["Driver"] == "overlay"} - {
        "ingress"
    }


def test_an_old_overlay_that_nobody_uses_goes_and_those_that_are_kept_stay(host: Host) -> None:
    world = host.world
    used = world.create_overlay("used")
    service = world.create_service("user", [used])
    world.wait_for_state(service, "running")
    world.create_overlay("old")
    said = guard_until(host, "1 unused overlay removed: old.")
    assert said.code == 0, said.out
    assert overlays(host) == {"batch", "proxy", "kept", "used"}

    # Within the hour that is usual, nothing is old.
    host.write("/etc/usual.toml", PRUNING.replace("prune_age_s = 1", ""))
    world.create_overlay("young")
    dry = guard_until(host, "would remove the unused overlay young", "--dry-run")
    assert "young" in overlays(host)
    usual = host.vipconsole("guard", "--config", "/etc/usual.toml", "--dry-run")
    assert "would change nothing" in usual.out, usual.out
    assert "would change nothing" not in dry.out
    world.remove_service(service)
    world.wait_until_gone([service])


def test_nothing_is_pruned_while_a_stack_is_being_deployed(host: Host) -> None:
    world, run = host.world, host.machine.run
    world.create_overlay("unused")
    # Its network is there before its services are: `docker stack deploy` makes networks first.
    world.create_overlay("next_default", labels={"com.docker.stack.namespace": "next"})
    before = overlays(host)
    # It is old enough, and would go.
    guard_until(host, "would remove the unused overlay next_default", "--dry-run")

    run("docker", "tag", IMAGE, f"{REGISTRY}/box:1")
    run("systemd-run", "--quiet", "--unit=registry", sys.executable, "-c", SLOW)
    knock = "import socket; socket.create_connection(('127.0.0.1', 5000))"
    world.wait_until(
        lambda: host.machine.call(sys.executable, "-c", knock).returncode == 0, "the registry answers", 20
    )
    run("mkfifo", "/run/stack")
    # Opened in both ways it waits for no reader.
    with (host.machine.root / "run/stack").open("r+b", buffering=0) as stack:
        run("systemd-run", "--quiet", "--unit=deploy", "sh", "-c", DEPLOY)
        world.wait_until(lambda: program_of(host, "deploy") == "docker", "the deploy is at work", 60)
        said = guard(host)
        assert "removed" not in said.out
        assert overlays(host) == before
        stack.write(STACK.encode())
    app = world.wait_until(lambda: found(host, "next_app"), "the stack's service is there", 60)
    world.wait_for_state(app, "preparing")
    # For longer than anything else may take here until it counts as stuck.
    quiet = ("quiet", "--config", CONFIG, "--for", "0", "--json")
    world.wait_until(lambda: "next_app" in blockers(host.vipconsole(*quiet).json, "stuck"), "that is so", 20)
    said = guard(host)
    assert "removed" not in said.out
    assert overlays(host) == before

    run("systemctl", "stop", "registry")
    world.wait_for_state(app, "running")
    assert "unused" in guard_until(host, "removed:").out
    assert "next_default" in overlays(host)
    run("docker", "service", "rm", "next_app")
    world.wait_until_gone([app])


def blockers(quiet: Any, code: str) -> list[str]:
    return [each["name"] for check in quiet["checks"] if check["code"] == code for each in check["blockers"]]


def program_of(host: Host, unit: str) -> str:
    pid = host.machine.run("systemctl", "show", "--property=MainPID", "--value", unit).strip()
    try:
        return (host.machine.root / f"proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def found(host: Host, name: str) -> str:
    return next(
        (str(each["ID"]) for each in host.world.client.services() if each["Spec"]["Name"] == name), ""
    )


def test_it_stands_back_from_a_command_that_holds_the_lock(host: Host) -> None:
    world = host.world
    world.create_overlay("waste")
    guard_until(host, "would remove the unused overlay waste", "--dry-run")
    # It ends when its container does, long after this.
    slow = world.deploy_stack([str(world.network("proxy")["Id"])], stop_grace_s=3600)
    world.wait_for_state(slow.services[0], "running")
    before, starts = overlays(host), host.starts
    removal = subprocess.Popen(
        host.machine.entering(*host.command("stack-rm", slow.name, "--yes")),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        world.wait_until(lambda: not found(host, f"{slow.name}_app"), "it removes the service", 60)
        said = guard(host, "--allow-restart")
        assert said.code == 2, said.out
        assert f"Another command is changing the swarm: vipconsole stack-rm {slow.name}, process" in said.out
        assert "Wait until it has ended. Nothing was changed." in said.out
        assert (overlays(host), host.starts) == (before, starts)
        container = host.machine.run("docker", "ps", "--quiet", "--filter", f"name={slow.name}_app").strip()
        host.machine.run("docker", "kill", container)
        assert removal.wait(120) == 0
    finally:
        removal.kill()
        removal.wait()
    assert "waste" in guard_until(host, "removed:").out
