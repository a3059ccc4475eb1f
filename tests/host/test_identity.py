import json
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from console.errors import Unknown
from console.host.identity import static_addresses, why_engine_is_foreign

NAME = socket.gethostname()


@pytest.fixture
def listening(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "engine.sock"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        yield path


def reason(refusal: Unknown | None) -> str:
    assert refusal is not None
    return refusal.reason


def test_an_engine_of_this_name_and_network_is_ours(listening: Path) -> None:
    assert why_engine_is_foreign(f"unix://{listening}", NAME) is None


def test_an_engine_of_another_name_is_not(listening: Path) -> None:
    assert "calls itself ci-host" in reason(why_engine_is_foreign(f"unix://{listening}", "ci-host"))


def test_an_engine_behind_tcp_is_not() -> None:
    assert "not on this host" in reason(why_engine_is_foreign("tcp://127.0.0.1:2375", NAME))


def test_a_socket_that_nobody_serves_leaves_doubt(tmp_path: Path) -> None:
    assert "is not known" in reason(why_engine_is_foreign(f"unix://{tmp_path}/none", NAME))


def test_a_daemon_in_a_network_of_its_own_is_not_ours(tmp_path: Path) -> None:
    path = tmp_path / "engine.sock"
    code = (
        "import socket, sys; server = socket.socket(socket.AF_UNIX); "
        f"server.bind({str(path)!r}); server.listen(); print('ready', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        ["unshare", *([] if os.geteuid() == 0 else ["--user"]), "--net", "python3", "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as daemon:
        assert daemon.stdout is not None
        assert daemon.stdout.readline() == b"ready\n"
        found = why_engine_is_foreign(f"unix://{path}", NAME)
        daemon.communicate()
    assert "its own network" in reason(found)


def test_dockerd_notes_whose_choice_an_address_was(tmp_path: Path) -> None:
    def write(container: str, endpoint: object) -> None:
        folder = tmp_path / "containers" / container
        folder.mkdir(parents=True)
        (folder / "config.v2.json").write_text(
            json.dumps({"NetworkSettings": {"Networks": {"proxy": endpoint}}})
        )

    write("chosen", {"IPAMConfig": {"IPv4Address": "10.0.1.5"}, "IPAMOperational": True})
    write("given", {"IPAMConfig": {"IPv4Address": "10.0.1.6"}, "IPAMOperational": False})
    write("none", {"IPAMConfig": None, "IPAMOperational": False})
    write("other", {"IPAMConfig": {"IPv4Address": "10.0.1.7"}})

    found = static_addresses(tmp_path, ["chosen", "given", "none", "other", "absent"], "proxy")

    assert found == {"chosen": False, "given": True, "none": False}
