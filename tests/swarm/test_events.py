"""The stream of changes, heard from a simulated engine."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from console.clock import SystemClock
from console.simulator.engine import SimulatedEngine
from console.simulator.scenarios import build
from console.simulator.server import RunningEngine, serve_in_thread
from console.swarm.client import EngineConnection
from console.swarm.events import EventGap, EventSource, Listening, StreamItem
from console.swarm.model import Event

SPEC = {"Name": "web", "TaskTemplate": {"ContainerSpec": {"Image": "x"}}}
WITHIN_S = 60.0


@pytest.fixture
def socket(tmp_path: Path) -> Path:
    return tmp_path / "engine.sock"


@pytest.fixture
def engine(socket: Path) -> Iterator[RunningEngine]:
    with serve_in_thread(build("quiet"), socket) as running:
        yield running


@contextmanager
def source(socket: Path) -> Iterator[EventSource]:
    connection = EngineConnection(f"unix://{socket}", 10)
    try:
        yield EventSource(connection, SystemClock())
    finally:
        connection.close()


def now_of(engine: RunningEngine) -> datetime:
    return engine.run(lambda model: model.now)


def create(engine: RunningEngine, name: str) -> None:
    def act(model: SimulatedEngine) -> None:
        model.advance(1)
        model.services.create({**SPEC, "Name": name})

    engine.run(act)


async def stream_item(stream: AsyncIterator[StreamItem]) -> StreamItem:
    async with asyncio.timeout(WITHIN_S):
        return await anext(stream)


async def listeners_have_ended() -> None:
    for each in threading.enumerate():
        if each.name == "events":
            await asyncio.to_thread(each.join, WITHIN_S)
            assert not each.is_alive()


async def test_changes_are_heard_as_they_happen_and_closing_is_prompt(
    engine: RunningEngine, socket: Path
) -> None:
    with source(socket) as changes:
        async with changes.listening(now_of(engine) + timedelta(microseconds=1)) as stream:
            assert await stream_item(stream) == Listening()
            create(engine, "web")
            said = await stream_item(stream)
            assert isinstance(said, Event)
            assert (said.kind, said.action, said.scope, said.name) == ("service", "create", "swarm", "web")
            assert said.at == now_of(engine)
            began = time.monotonic()
        await listeners_have_ended()
        assert time.monotonic() - began < 30


async def test_what_happened_since_the_moment_asked_for_is_heard_too(
    engine: RunningEngine, socket: Path
) -> None:
    before = now_of(engine)
    create(engine, "early")
    with source(socket) as changes:
        async with changes.listening(before + timedelta(microseconds=1)) as stream:
            assert await stream_item(stream) == Listening()
            said = await stream_item(stream)
            assert isinstance(said, Event)
            assert said.name == "early"
        async with changes.listening(now_of(engine) + timedelta(seconds=1)) as stream:
            assert await stream_item(stream) == Listening()
            create(engine, "late")
            said = await stream_item(stream)
            assert isinstance(said, Event)
            assert said.name == "late"


async def test_a_broken_stream_is_a_gap_and_what_happened_meanwhile_is_heard_once(
    socket: Path,
) -> None:
    model = build("quiet")
    with source(socket) as changes:
        with serve_in_thread(model, socket) as engine:
            listening = changes.listening(now_of(engine) + timedelta(microseconds=1))
            stream = await listening.__aenter__()
            assert await stream_item(stream) == Listening()
            create(engine, "web")
            assert isinstance(await stream_item(stream), Event)
        said = await stream_item(stream)
        assert isinstance(said, EventGap)
        assert said.why.reason
        model.advance(1)
        model.services.create({**SPEC, "Name": "meanwhile"})
        with serve_in_thread(model, socket):
            said = await stream_item(stream)
            while isinstance(said, EventGap):
                said = await stream_item(stream)
            assert said == Listening()
            again = await stream_item(stream)
            assert isinstance(again, Event)
            assert again.name == "meanwhile"
            await listening.__aexit__(None, None, None)
            await listeners_have_ended()


async def test_an_engine_that_is_not_there_is_a_gap_with_its_reason(socket: Path) -> None:
    with source(socket) as changes:
        async with changes.listening(datetime.fromisoformat("2026-01-01T00:00:00Z")) as stream:
            said = await stream_item(stream)
    assert isinstance(said, EventGap)
    assert "There is no engine at" in said.why.reason


async def test_hostile_names_are_heard_escaped(engine: RunningEngine, socket: Path) -> None:
    from console.simulator.objects import SimEvent  # noqa: PLC0415 - only this test writes one by hand

    with source(socket) as changes:
        async with changes.listening(now_of(engine) + timedelta(microseconds=1)) as stream:
            assert await stream_item(stream) == Listening()
            engine.run(
                lambda model: model.store.events.publish(
                    SimEvent("service", "create", "x", model.now, {"name": "a\x1b[2Jb"})
                )
            )
            said = await stream_item(stream)
    assert isinstance(said, Event)
    assert said.name == r"a\x1b[2Jb"
