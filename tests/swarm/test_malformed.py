"""Answers that no engine gives: each is unknown with a reason, whatever reading it raises."""

import json
from pathlib import Path

import pytest

from console.errors import MalformedReply, Unknown
from console.swarm.client import EngineConnection
from console.swarm.membership import EngineMembership
from console.swarm.model import Engine
from tests.support.engines import read_swarm
from tests.support.scripted import Reply, response, scripted

NESTED = b"[" * 30_000 + b"]" * 30_000
AT = "2026-06-01T00:00:00.5Z"
NETWORK = {"Id": "n", "Name": "proxy", "Driver": "bridge", "Scope": "local", "Created": AT}
SERVICE = {
    "ID": "s",
    "Spec": {"Name": "web"},
    "CreatedAt": AT,
    "UpdatedAt": AT,
    "Version": {"Index": 1},
}
REPLICAS = {"Name": "web", "Mode": {"Replicated": {"Replicas": "many"}}}
RECORDED = Path(__file__).parent / "recorded"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffff\r\nx"


def only(path: str, data: bytes) -> Reply:
    """Return what answers one path with this, and every other one with an empty list."""
    return lambda _, asked: (data, True) if asked == path else (response(b"[]"), False)


@pytest.mark.parametrize(
    ("path", "data"),
    [
        ("/_ping", CHUNKED),
        ("/services", response(b"[", length=10**15)),
        ("/services", CHUNKED),
        ("/services", response(NESTED)),
        ("/nodes", response(b'[{"ID": ' + NESTED + b"}]")),
        ("/tasks", response(b'[{"ID": "t", "Slot": Infinity, "Spec": {}, "Status": {"State": "new"}}]')),
        ("/nodes", response(b"[[]]")),
        ("/networks", response(json.dumps([{**NETWORK, "Created": "2026-06-01T00:00:00"}]).encode())),
        ("/networks", response(json.dumps([{**NETWORK, "Created": "9999-12-31T23:59:59Z"}]).encode())),
        ("/services", response(json.dumps([{**SERVICE, "UpdatedAt": "2026-06-01T00:00:00"}]).encode())),
        ("/services", response(json.dumps([{**SERVICE, "Spec": REPLICAS}]).encode())),
        ("/networks", response(b"[" + b"9" * 5000 + b"]")),
        ("/networks", response(json.dumps([{**NETWORK, "IPAM": {"Config": [{"Subnet": True}]}}]).encode())),
        ("/networks", response(json.dumps([{**NETWORK, "IPAM": {"Config": [{"Subnet": 17}]}}]).encode())),
    ],
)
async def test_what_cannot_be_read_is_unknown_and_no_bug(path: str, data: bytes, tmp_path: Path) -> None:
    with scripted(tmp_path / "engine.sock", only(path, data)) as engine:
        state = await read_swarm(engine.host, timeout_s=10)
    part = getattr(state, path[1:].replace("_ping", "engine"))
    assert isinstance(part, Unknown)
    assert part.reason.endswith(".")
    assert part.hint


@pytest.mark.parametrize(
    ("pool", "kind"), [("10.0.0.0/8", Engine), (True, Unknown), (17, Unknown), ("10.0.0.1/8", Unknown)]
)
async def test_a_pool_of_addresses_is_a_network_in_words(
    pool: object, kind: type[object], tmp_path: Path
) -> None:
    info = json.loads((RECORDED / "20.10.24/info.json").read_text())
    info["Swarm"]["Cluster"]["DefaultAddrPool"] = [pool]
    with scripted(tmp_path / "engine.sock", only("/info", response(json.dumps(info).encode()))) as engine:
        state = await read_swarm(engine.host, timeout_s=10)
    assert isinstance(state.engine, kind)


@pytest.mark.parametrize(("path", "row"), [("/networks", NETWORK), ("/services", SERVICE)])
async def test_the_rows_of_these_tests_are_right_but_for_one_thing(
    path: str, row: object, tmp_path: Path
) -> None:
    with scripted(tmp_path / "engine.sock", only(path, response(json.dumps([row]).encode()))) as engine:
        state = await read_swarm(engine.host, timeout_s=10)
    assert len(getattr(state, path[1:])) == 1


@pytest.mark.parametrize("answer", [None, [], {}, {"Version": {}}, {"Version": {"Index": "x"}, "Spec": {}}])
async def test_settings_of_a_swarm_that_are_none_are_a_malformed_reply(
    answer: object, tmp_path: Path
) -> None:
    with scripted(tmp_path / "engine.sock", only("/swarm", response(json.dumps(answer).encode()))) as engine:
        connection = EngineConnection(engine.host, 10)
        try:
            membership = EngineMembership(connection, lambda _: None)
            with pytest.raises(MalformedReply):
                await membership.settings()
        finally:
            connection.close()


async def test_an_unlock_key_that_is_none_is_a_malformed_reply(tmp_path: Path) -> None:
    with scripted(tmp_path / "engine.sock", only("/swarm/unlockkey", response(b"[]"))) as engine:
        connection = EngineConnection(engine.host, 10)
        try:
            with pytest.raises(MalformedReply):
                await EngineMembership(connection, lambda _: None).has_unlock_key("x")
        finally:
            connection.close()
