"""What people who run Swarm have reported, fed to the commands as it was: what is printed, and the exit code."""

import json
from pathlib import Path
from typing import Any

import pytest

from screens.cli.main import main
from tests.journal.lines import AGENT, NODE, N, S, line

UNKNOWN = "does not know"
CASES = [
    (line("task allocation failure",
          "failed to allocate network IP for task 5task network 9net: could not allocate IP from IPAM: "
          "Address already in use"), 2, "Address already in use"),
    (line("failed allocating service 3svc during init", "could not allocate VIP from IPAM: Address already in use"),
     2, "already counts that address as used"),
    (line("Failed allocation for network 9net",
          "failed allocating pools and gateway IP for network 9net: cannot find address pool for "
          "poolID:fd00:1::/64/invalid Prefix"), 2, "Docker 28 and later"),
    (line(f"Failed allocation for service {S}", "an error of a later version"), 1, UNKNOWN),
    (line("error deallocating vip", "x y", tail=f" vip.addr=10.0.1.9/24 vip.network={N}"), 1, f"network {N}"),
    (line("fatal task error",
          'subnet sandbox join failed for "10.0.2.0/24": error creating vxlan interface: file exists', AGENT),
     2, f"node {NODE}"),
    (line("fatal task error", "driver failed programming external connectivity on endpoint gw_1 (f3): "
          "Bind for 0.0.0.0:80 failed: port is already allocated", AGENT), 1, "port was already taken"),
    (line("fatal task error", "task: non-zero exit (1)", AGENT), 0, "not about addresses"),
]  # fmt: skip


def recording(folder: Path, text: str) -> Path:
    """Return a recording in the JSON of journalctl that holds this one line."""
    fields: dict[str, Any] = {
        "__CURSOR": "c", "__REALTIME_TIMESTAMP": "1770000000000000", "__MONOTONIC_TIMESTAMP": "1", "_BOOT_ID": "b" * 32,
        "_TRANSPORT": "stdout", "_SYSTEMD_UNIT": "docker.service", "SYSLOG_IDENTIFIER": "dockerd", "_PID": "1",
        "_STREAM_ID": "s", "MESSAGE": text,
    }  # fmt: skip
    path = folder / "journal.json"
    path.write_text(json.dumps(fields) + "\n")
    return path


@pytest.mark.parametrize(("text", "code", "words"), CASES)
def test_a_reported_line_is_told_with_its_meaning_and_its_exit_code(
    text: str, code: int, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = recording(tmp_path, text)
    assert main(["journal", "--host", "unix:///nonexistent.sock", "--journal", str(path)]) == code
    printed = " ".join(capsys.readouterr().out.split())
    assert words in printed
    if code:
        assert "not about addresses" not in printed
        assert "level=error" in printed
