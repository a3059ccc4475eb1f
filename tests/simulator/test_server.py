import asyncio
import gc
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import docker
import pytest

from console.errors import SimulatorError
from console.simulator.demo import demo_engine, living_demo
from console.simulator.server import serve, serve_in_thread
from tests.simulator.swarms import a_network, a_service, a_swarm


class HandClock:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def now(self) -> Any:
        raise NotImplementedError

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.seconds += seconds


def a_client(socket: Path) -> Any:
    return docker.APIClient(base_url=f"unix://{socket}", version="auto", timeout=60)


def test_importing_the_package_does_not_need_aiohttp() -> None:
    code = "import sys, console.simulator, console.simulator.scenarios as s; s.build('quiet'); assert 'aiohttp' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_command_says_ready_and_removes_its_socket(tmp_path: Path) -> None:
    socket = tmp_path / "engine.sock"
    command = [sys.executable, "-m", "console.simulator", "--socket", str(socket), "--api-version", "1.51"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        client = a_client(socket)
        assert client.version()["ApiVersion"] == "1.51"
        assert client.info()["Name"] == "ci-host"
        client.close()
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    assert not socket.exists()


def test_controls_let_time_pass_restart_and_lead(tmp_path: Path) -> None:
    engine = a_swarm(others=[("boss", "manager")])
    socket = tmp_path / "engine.sock"
    with serve_in_thread(engine, socket):
        client = a_client(socket)

        def control(name: str, **body: Any) -> Any:
            answer = client.post(f"{client.base_url}/_simulator/{name}", json=body)
            assert answer.status_code == 200, answer.text
            return answer.json()

        client.create_network("proxy", driver="overlay")
        assert client.inspect_network("proxy")["Driver"] == ""
        control("advance", seconds=1)
        assert client.inspect_network("proxy")["Driver"] == "overlay"
        control("lead", node="boss")
        control("restart")
        state = client.get(f"{client.base_url}/_simulator/state").json()
        assert (
            state["networks"]["proxy"]["subnets"]["10.0.1.0/24"]["addresses"]["10.0.1.1"]["holder"]
            == "gateway"
        )
        assert client.post(f"{client.base_url}/_simulator/lead", json={"node": "x"}).status_code == 400
        assert client.post(f"{client.base_url}/_simulator/advance", json={}).status_code == 400
        client.close()


def test_with_a_clock_time_passes_by_itself(tmp_path: Path) -> None:
    engine, clock = a_swarm(), HandClock()
    proxy = a_network(engine)
    service = a_service(engine, proxy)
    with serve_in_thread(engine, tmp_path / "engine.sock", clock):
        client = a_client(tmp_path / "engine.sock")
        assert client.inspect_service(service)["Endpoint"] == {"Spec": {}}
        clock.seconds += 5.0
        assert [task["Status"]["State"] for task in client.tasks()] == ["running"]
        client.close()


async def test_it_can_be_served_from_a_loop(tmp_path: Path) -> None:
    socket = tmp_path / "engine.sock"

    def ask() -> Any:
        client = a_client(socket)
        try:
            return client.nodes()
        finally:
            client.close()

    async with serve(a_swarm(), socket):
        assert len(await asyncio.to_thread(ask)) == 1
    assert not socket.exists()


def test_a_client_that_connects_in_the_last_moment_is_let_go(tmp_path: Path) -> None:
    for number in range(20):
        path = tmp_path / f"{number}.sock"
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(60)
            with serve_in_thread(a_swarm(), path):
                client.connect(str(path))
            with suppress(ConnectionResetError):
                assert client.recv(1) == b""
    # What is left open is a failure of the test that runs when it is collected.
    gc.collect()


def test_a_socket_that_cannot_be_is_an_error(tmp_path: Path) -> None:
    with (
        pytest.raises(SimulatorError, match="cannot listen"),
        serve_in_thread(a_swarm(), tmp_path / "no" / "such"),
    ):
        pass


def test_the_demo_is_on_a_private_socket() -> None:
    with demo_engine() as demo:
        path = Path(demo.host.removeprefix("unix://"))
        client = a_client(path)
        assert client.ping()
        client.close()
    assert not path.parent.exists()


def test_the_list_of_services_counts_tasks_on_request(tmp_path: Path) -> None:
    engine = a_swarm()
    a_service(engine, a_network(engine), replicas=2)
    engine.advance(5.0)
    with serve_in_thread(engine, tmp_path / "engine.sock"):
        client = a_client(tmp_path / "engine.sock")
        (shown,) = client.services(status=True)
        assert shown["ServiceStatus"] == {"RunningTasks": 2, "DesiredTasks": 2, "CompletedTasks": 0}
        client.close()


def test_in_the_living_demo_things_happen_by_themselves_and_are_logged() -> None:
    clock = HandClock()
    with living_demo(clock=clock) as demo:
        client = a_client(Path(demo.host.removeprefix("unix://")))
        before = len(client.services())
        clock.seconds += 20.0
        deadline = time.monotonic() + 20
        # Nobody asks; the log grows all the same.
        while "could not find network allocator state" not in demo.journal.read_text():
            assert time.monotonic() < deadline, "nothing happens"
            time.sleep(0.02)
        assert len(client.services()) > before
        client.close()
    assert not demo.journal.exists()
