"""Who does not answer over an overlay is told only where it is so twice, and asked only where it can be."""

from collections.abc import Iterable
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from console.errors import Unknown
from console.nodes.settings import NodeSettings
from console.nodes.values import OtherNodes
from tests.nodes.scripted import read, scripted

BOTH = ["10.9.0.1", "10.9.0.2"]
THERE = IPv4Address("10.0.1.10")


class Sandbox:
    """Stands for this node's place on an overlay: nobody answers there until so many times are over."""

    def __init__(self, silent_times: int, error: OSError | None = None) -> None:
        self.asked: list[tuple[str, list[IPv4Address]]] = []
        self._silent_times, self._error = silent_times, error

    async def answering(self, sandbox: Path, addresses: Iterable[IPv4Address]) -> frozenset[IPv4Address]:
        asked = list(addresses)
        self.asked.append((sandbox.name, asked))
        if self._error is not None:
            raise self._error
        return frozenset() if len(self.asked) <= self._silent_times else frozenset(asked)


def nodes_over(
    sandbox: Sandbox, folder: Path, monkeypatch: pytest.MonkeyPatch, foreign: Unknown | None = None
) -> OtherNodes:
    monkeypatch.setattr("console.nodes.reader.answering", sandbox.answering)
    monkeypatch.setattr("console.nodes.reader.why_engine_is_foreign", lambda _host, _name: foreign)
    with (
        scripted(folder, "a", "10.9.0.1", BOTH, load_balancer="10.0.1.9/24") as a,
        scripted(folder, "b", "10.9.0.2", BOTH, load_balancer=f"{THERE}/24") as b,
    ):
        return read(a, NodeSettings("b", b))


@pytest.mark.parametrize(("silent_times", "names"), [(0, []), (1, []), (2, ["b"])])
def test_a_node_is_silent_only_where_it_is_so_twice(
    silent_times: int, names: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox = Sandbox(silent_times)
    nodes = nodes_over(sandbox, tmp_path, monkeypatch)
    assert [(node.name, node.network) for node in nodes.silent] == [(name, "proxy") for name in names]
    # It is asked from this node's load balancer on that overlay, again only where there was no answer.
    assert sandbox.asked == [("lb_nnnnnnnnn", [THERE])] * (2 if silent_times else 1)


@pytest.mark.parametrize(
    "error", [PermissionError(1, "Operation not permitted"), FileNotFoundError(2, "No such file")]
)
def test_who_may_not_ask_tells_nothing(
    error: OSError, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not nodes_over(Sandbox(9, error), tmp_path, monkeypatch).silent


def test_from_another_host_nobody_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sandbox = Sandbox(9)
    assert not nodes_over(sandbox, tmp_path, monkeypatch, Unknown("It is another host's.")).silent
    assert sandbox.asked == []
