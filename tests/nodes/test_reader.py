"""Other nodes are asked at once, each within its time, and what fails is told with since when."""

import json
import os
import socket
import stat
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import pytest

from console.errors import Unknown
from console.nodes.memory import FILE
from console.nodes.settings import NodeSettings
from console.nodes.values import OtherNodes
from tests.journal.lines import vip_line
from tests.nodes.scripted import read, reason, scripted, status
from tests.support.engines import Simulation, simulation


@pytest.fixture(scope="module")
def engine() -> Iterator[Simulation]:
    with simulation("evening") as running:
        yield running


def test_without_nodes_in_the_settings_nobody_is_asked() -> None:
    assert read("unix:///nonexistent") == OtherNodes()


def test_the_node_that_shows_the_swarm_stands_once_under_its_name(engine: Simulation) -> None:
    nodes = read(engine.host, NodeSettings("first", engine.host))
    assert [(each.name, each.is_here) for each in nodes.statuses] == [("first", True)]
    view = nodes.statuses[0].view
    assert view is not None
    assert (view.state, view.node_id) == ("active", nodes.statuses[0].node_id)
    assert "proxy" in {copy.name for copy in view.copies}


def test_it_stands_first_where_no_setting_names_it(engine: Simulation) -> None:
    nodes = read(engine.host, NodeSettings("away", "unix:///nonexistent"))
    assert [each.is_here for each in nodes.statuses] == [True, False]
    assert "does not exist" in reason(status(nodes, "away").failure)


def test_a_node_that_hangs_keeps_nobody_waiting(tmp_path: Path) -> None:
    with silent_socket(tmp_path) as hanging, scripted(tmp_path, "a", "10.9.0.1", ONE) as a:
        began = time.monotonic()
        nodes = read(a, NodeSettings("hangs", hanging), NodeSettings("well", a), call_timeout_s=3)
        assert time.monotonic() - began < 20
    assert "did not answer in time" in reason(status(nodes, "hangs").failure)
    assert status(nodes, "well").view is not None


BOTH, ONE = ["10.9.0.1", "10.9.0.2"], ["10.9.0.1"]


@pytest.mark.parametrize(
    ("peers_of_a", "missing"),
    [
        ([BOTH], set()),
        ([ONE], {("a", "10.9.0.2")}),
        # Gossip was only late.
        ([ONE, BOTH], set()),
    ],
)
def test_peers_differ_only_where_they_still_do_after_a_moment(
    tmp_path: Path, peers_of_a: list[list[str]], missing: set[tuple[str, str]]
) -> None:
    with (
        scripted(tmp_path, "a", "10.9.0.1", *peers_of_a) as a,
        scripted(tmp_path, "b", "10.9.0.2", BOTH) as b,
    ):
        nodes = read("unix:///nonexistent", NodeSettings("a", a), NodeSettings("b", b))
    assert {(each.who, each.address) for each in nodes.missing} == missing
    assert [each.failure for each in nodes.statuses] == [None, None]


def test_the_time_limit_is_for_all_that_a_node_is_asked_together(tmp_path: Path) -> None:
    holding = threading.Event()
    with scripted(tmp_path, "a", "10.9.0.1", BOTH, holding=holding) as a:
        nodes = read("unix:///nonexistent", NodeSettings("a", a), call_timeout_s=1)
        holding.set()
    # Not the one call ran out of time, each of which has as much.
    assert "(asked to describe itself and its networks)" in reason(status(nodes, "a").failure)


@contextmanager
def silent_socket(folder: Path) -> Iterator[str]:
    """Give the address of something that accepts and never answers."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "silent.sock"))
        listener.listen()
        yield f"unix://{folder}/silent.sock"


def test_what_answers_with_nonsense_is_told(engine: Simulation) -> None:
    with simulation("evening") as broken:
        broken.break_call("*/info", "garbage")
        nodes = read(engine.host, NodeSettings("odd", broken.host))
    assert status(nodes, "odd").failure is not None


def test_since_when_a_node_fails_outlives_the_process(engine: Simulation, tmp_path: Path) -> None:
    with simulation("evening") as other:
        node = NodeSettings("b", other.host)
        well = status(read(engine.host, node, state=tmp_path), "b")
        assert well.answered_at is not None
    gone = status(read(engine.host, node, state=tmp_path), "b")
    assert (gone.view, gone.answered_at, gone.node_id) == (None, well.answered_at, well.node_id)
    assert gone.failing_since is not None
    again = status(read(engine.host, node, state=tmp_path), "b")
    assert again.failing_since == gone.failing_since
    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        "[" * 30_000,
        '{"b unix:///nonexistent": 3}',
        '{"b unix:///nonexistent": {"answered_at": "x"}}',
    ],
)
def test_a_memory_that_cannot_be_read_is_forgotten(engine: Simulation, tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text)
    nodes = read(engine.host, NodeSettings("b", "unix:///nonexistent"), state=tmp_path)
    assert status(nodes, "b").failing_since is not None


def test_a_state_directory_that_cannot_be_written_changes_nothing(engine: Simulation) -> None:
    nodes = read(engine.host, NodeSettings("b", "unix:///nonexistent"), state=Path("/proc/nonexistent"))
    assert status(nodes, "b").failing_since is not None


def test_a_docker_context_names_an_engine(
    engine: Simulation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    nodes = read(engine.host, NodeSettings("b", context="absent"))
    assert "There is no docker context absent." in reason(status(nodes, "b").failure)
    assert status(nodes, "b").where == "context absent"
    place = tmp_path / "contexts" / "meta" / sha256(b"odd").hexdigest()
    place.mkdir(parents=True)
    for host, told in ((engine.host, ""), ("npipe:////./pipe/docker_engine", "its host must be ssh://")):
        (place / "meta.json").write_text(json.dumps({"Endpoints": {"docker": {"Host": host}}}))
        odd = status(read(engine.host, NodeSettings("b", context="odd")), "b")
        assert told in reason(odd.failure) if told else odd.view is not None


def test_a_recording_is_a_nodes_journal(engine: Simulation, tmp_path: Path) -> None:
    path = tmp_path / "b.json"
    path.write_text(json.dumps(row(vip_line())) + "\n")
    nodes = read(
        engine.host,
        NodeSettings("b", engine.host, journal=str(path)),
        NodeSettings("c", "unix:///nonexistent", journal=str(path)),
        NodeSettings("d", "unix:///nonexistent", journal="/nonexistent"),
        NodeSettings("e", "unix:///nonexistent"),
    )
    for name in "bc":
        journal = status(nodes, name).journal
        assert not isinstance(journal, Unknown)
        assert [each.signature.id for each in journal.findings] == ["vip-create"]
    assert "cannot be read" in reason(status(nodes, "d").journal)
    assert "No way to this node's journal is known." in reason(status(nodes, "e").journal)


def row(message: str) -> dict[str, str]:
    return {
        "__CURSOR": "c1", "__REALTIME_TIMESTAMP": str(int(time.time() * 1e6)), "_BOOT_ID": "0" * 32,
        "_SYSTEMD_UNIT": "docker.service", "_TRANSPORT": "stdout", "MESSAGE": message,
    }  # fmt: skip


SSH = """#!{python}
import json, os, shutil, socket, sys, threading
words = sys.argv[1:]
with open({log!r}, "a") as log:
    log.write(json.dumps(words) + "\\n")
at = words.index("--")
assert "BatchMode=yes" in words[:at]
if words[at + 1] == "denied":
    print("No entry.\\r\\nops@denied: Permission denied (publickey).\\r", file=sys.stderr)
    sys.exit(255)
if words[at + 2:]:
    if words[at + 1] == "bare":
        print("bash: line 1: journalctl: command not found", file=sys.stderr)
        sys.exit(127)
    if words[at + 1] == "ops@secret":
        sys.exit("No journal files were opened due to insufficient permissions.")
    print("Welcome.", flush=True)
    shutil.copyfileobj(open({journal!r}), sys.stdout)
    sys.exit()
here, _, there = words[words.index("-L") + 1].partition(":")
listener = socket.socket(socket.AF_UNIX)
listener.bind(here)
listener.listen()
def pump(source, target):
    while data := source.recv(65536):
        target.sendall(data)
    target.shutdown(socket.SHUT_WR)
while True:
    near, _ = listener.accept()
    far = socket.socket(socket.AF_UNIX)
    far.connect(there)
    threading.Thread(target=pump, args=(near, far), daemon=True).start()
    threading.Thread(target=pump, args=(far, near), daemon=True).start()
"""


@pytest.fixture
def ssh_calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program in place of ssh that leads to this host; it writes down how it was called."""
    (tmp_path / "journal").write_text(json.dumps(row(vip_line())) + "\n")
    program = tmp_path / "bin" / "ssh"
    program.parent.mkdir()
    names = {"python": sys.executable, "log": str(tmp_path / "calls"), "journal": str(tmp_path / "journal")}
    program.write_text(SSH.format(**names))
    program.chmod(0o755)
    monkeypatch.setattr("console.host.process.PATH", f"{program.parent}:{os.environ['PATH']}")
    return tmp_path / "calls"


@pytest.mark.process
def test_a_node_behind_ssh_tells_its_networks_and_its_journal(engine: Simulation, ssh_calls: Path) -> None:
    nodes = read(engine.host, NodeSettings("b", f"ssh://ops@b:2222{engine.socket}"))
    b = status(nodes, "b")
    assert b.failure is None
    assert b.view is not None
    assert "proxy" in {copy.name for copy in b.view.copies}
    assert not isinstance(b.journal, Unknown)
    assert [each.signature.id for each in b.journal.findings] == ["vip-create"]
    calls = [json.loads(line) for line in ssh_calls.read_text().splitlines()]
    assert all(call[call.index("-p") :][:2] == ["-p", "2222"] for call in calls)
    ends = [call[call.index("--") + 1 :] for call in calls]
    assert ["ops@b"] in ends
    commands = [end[1] for end in ends if len(end) == 2]
    assert commands
    assert all(command.startswith("journalctl --") for command in commands)
    assert any("--since=@" in command and "_SYSTEMD_UNIT=docker.service" in command for command in commands)


@pytest.mark.process
def test_ssh_that_is_refused_is_told_with_what_would_help(engine: Simulation, ssh_calls: Path) -> None:
    nodes = read(engine.host, NodeSettings("b", "ssh://denied"))
    b = status(nodes, "b")
    assert reason(b.failure) == "ssh does not reach denied: ops@denied: Permission denied (publickey)."
    assert b.failure is not None
    assert "`ssh -o BatchMode=yes denied true` must work" in b.failure.hint
    assert ssh_calls.exists()
    assert b.journal == b.failure


@pytest.mark.process
@pytest.mark.usefixtures("ssh_calls")
def test_a_journal_that_is_refused_there_is_told_with_what_would_help(engine: Simulation) -> None:
    nodes = read(
        engine.host,
        NodeSettings("b", engine.host, journal="ssh://bare"),
        NodeSettings("c", engine.host, journal="ssh://ops@secret:2222"),
    )
    bare, secret = status(nodes, "b").journal_failure, status(nodes, "c").journal_failure
    assert bare is not None
    assert secret is not None
    assert bare.reason == "There is no journalctl on bare: bash: line 1: journalctl: command not found."
    assert "`journal`" in bare.hint
    assert secret.reason == (
        "dockerd's journal on ops@secret cannot be read: No journal files were opened due to insufficient permissions."
    )
    assert "`ssh -o BatchMode=yes -p 2222 ops@secret journalctl -n 1` must work" in secret.hint
