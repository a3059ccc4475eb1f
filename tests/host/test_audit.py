"""What is sent to the journal, as a socket in its place receives it."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from console.host.audit import Audit
from console.host.who import Who


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal"


@pytest.fixture
def journal(path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(path))
        listening.settimeout(5)
        yield listening


def fields(datagram: bytes) -> dict[str, str]:
    assert datagram.endswith(b"\n")
    return dict(line.split("=", 1) for line in datagram.decode().splitlines())


def test_each_change_is_one_entry_that_says_who_and_what(journal: socket.socket, path: Path) -> None:
    audit = Audit(Who("root", "alice", "pts/3", "192.0.2.7"), "vipconsole census proxy", path)
    assert audit.tell("remove the service x")
    assert fields(journal.recv(65536)) == {
        "MESSAGE": "root (login alice, from 192.0.2.7, pts/3): remove the service x (vipconsole census proxy)",
        "PRIORITY": "5",
        "SYSLOG_IDENTIFIER": "vipconsole",
        "SYSLOG_PID": str(os.getpid()),
        "VIPCONSOLE_COMMAND": "vipconsole census proxy",
        "VIPCONSOLE_USER": "root",
        "VIPCONSOLE_LOGIN": "alice",
        "VIPCONSOLE_PEER": "192.0.2.7",
    }


def test_no_text_can_add_a_field_of_its_own(journal: socket.socket, path: Path) -> None:
    Audit(Who("root"), "vipconsole x\n_UID=0", path).tell("remove y\nPRIORITY=0\x00\x1b[2J")
    received = fields(journal.recv(65536))
    assert received["PRIORITY"] == "5"
    assert received["MESSAGE"] == "root: remove y\\nPRIORITY=0\\x00\\x1b[2J (vipconsole x\\n_UID=0)"
    assert "_UID" not in received


def test_where_there_is_no_journal_it_says_so_and_stops_nothing(path: Path) -> None:
    assert not Audit(Who("root"), "x", path).tell("y")
    # Nobody listens any more.
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as gone:
        gone.bind(str(path))
    assert not Audit(Who("root"), "x", path).tell("y")
