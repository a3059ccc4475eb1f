"""An engine whose answers are given beforehand: those of a simulated one, changed as a test wants, byte by byte."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import timedelta
from functools import cache
from pathlib import Path

import pytest

from console.clock import SystemClock
from console.simulator.engine import DEFAULT_DATE, EngineInfo, SimulatedEngine
from console.simulator.scenarios import build
from console.simulator.stacks import Part, deploy, remove_at_once
from console.swarm import parse
from console.swarm.engine_client import ErrorReply, SocketClient
from console.swarm.paths import CONTAINERS, SHORT_ID, TASKS, events_path
from screens.cli.commands import record
from tests.support.engines import simulation
from tests.support.scripted import response

SETTINGS = "[snapshot]\nsettle_s = 0.001\ncall_timeout_s = 2\n[record]\npoll_s = 0.05\n"
SWARMS = ("full", "full 1.52", "small", "cluster")
"""Kinds of simulated swarms."""
_LISTS = ("info", "networks", "services", "nodes", "secrets", "configs", "swarm", "version")
_PARTS = (("networks", "Id", SHORT_ID, ""), ("services", "ID", None, ""), ("containers", "Id", None, "/json"))
"""What is inspected one by one, by which key, with how much of it, and what ends the path."""


def _model(kind: str) -> SimulatedEngine:
    if kind in ("small", "cluster"):
        return build(kind, api_version={"small": "1.51", "cluster": "1.52"}[kind])
    engine = SimulatedEngine(EngineInfo(kind.partition(" ")[2] or "1.41"), DEFAULT_DATE - timedelta(hours=1))
    ipam = {"Driver": "default", "Config": [{"Subnet": "10.0.1.0/28"}]}
    engine.networks.create({"Name": "proxy", "Driver": "overlay", "Attachable": True, "IPAM": ipam})
    engine.advance(1.0)
    leaking = deploy(engine, "nightly", (Part("app", ("proxy",), grace_s=2.0), Part("db", grace_s=2.0)))
    engine.advance(60.0)
    remove_at_once(engine, leaking)
    engine.advance(60.0)
    for stack in ("traefik", "drone", "web", "ghost", "late", "waits"):
        deploy(engine, stack, (Part("app", ("proxy",)), Part("db")))
        engine.advance(300.0)
    engine.advance((DEFAULT_DATE - engine.now).total_seconds())
    return engine


@cache
def answers_of(kind: str) -> Mapping[str, bytes]:
    """Return what a simulated engine answers to all that is read of it, by path without version and filters."""
    with simulation(_model(kind)) as simulated:
        first = SocketClient(str(simulated.socket), "", 30)
        version = first.newest_version()
        first.close()
        client = SocketClient(str(simulated.socket), version, 30)
        answers = {"/_ping": b"OK", "version": version.encode()}
        for name in _LISTS:
            answers[f"/{name}"] = client.get(f"/{name}")
        answers["/containers/json"] = client.get(CONTAINERS)
        answers["/tasks"] = client.get(TASKS)
        end = parse.parse_moment(json.loads(answers["/info"])["SystemTime"])
        answers["/events"] = client.get(events_path(end - timedelta(hours=2), end))
        for name, key, size, ending in _PARTS:
            for row in json.loads(answers[CONTAINERS.partition("?")[0] if ending else f"/{name}"]):
                path = f"/{name}/{row[key][:size]}{ending}"
                with suppress(ErrorReply):
                    answers[path] = client.get(path)
        client.close()
    return answers


def plain(answers: Mapping[str, bytes], path: str) -> bytes:
    """Return a whole HTTP response with an answer, as an engine writes it."""
    body = answers.get(path)
    status = "200 OK"
    if body is None:
        status, body = "404 Not Found", b'{"message":"no such thing"}'
    return response(body, status, answers["version"].decode("latin-1"))


def where(host: str, folder: Path) -> tuple[str, ...]:
    """Return the arguments for an engine, with settings that wait for nothing."""
    path = folder / "config.toml"
    path.write_text(SETTINGS)
    return ("--host", host, "--config", str(path))


class HastyClock(SystemClock):
    """Time that flows a hundred times faster."""

    HASTE = 100

    def monotonic(self) -> float:
        return super().monotonic() * self.HASTE

    async def sleep(self, seconds: float) -> None:
        await super().sleep(seconds / self.HASTE)


@contextmanager
def hasty_recorder() -> Iterator[None]:
    """Let a recorder of this process pause for no long."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(record, "SystemClock", HastyClock)
        yield
