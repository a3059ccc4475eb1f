"""A real engine whose network fills up while nobody looks: the alert command runs once, and once more when it is over."""

import json
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.engine.lab import Engine
from tests.support.program import PROGRAM, program_environment

pytestmark = [pytest.mark.engine, pytest.mark.long, pytest.mark.timeout(400)]

PATIENCE_S = 180
SETTINGS = """
[[alert]]
name = "ops"
command = ["/bin/sh", "-c", 'tr -d "\\n" < /dev/stdin >> "$1"; echo >> "$1"', "sh", "TOLD"]
"""


def documents(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def eventually(holds: Callable[[], bool], said: Path) -> None:
    end_s = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end_s, said.read_text()
        time.sleep(0.2)


def test_the_command_runs_once_when_the_network_is_full_and_once_when_it_is_over(
    engine: Engine, tmp_path: Path
) -> None:
    told, said = tmp_path / "told", tmp_path / "said"
    (tmp_path / "settings.toml").write_text(SETTINGS.replace("TOLD", str(told)))
    engine.docker("network", "create", "--driver", "overlay", "--subnet", "10.77.0.0/28", "proxy")
    create = ("service", "create", "--detach", "--no-resolve-image", "--network", "proxy", "--name", "app")
    engine.docker(*create, "--stop-grace-period", "1s", "lab/box:1", "sleep", "86400")
    command = [
        str(PROGRAM), "record", "--host", engine.host, "--state-dir", "state", "--config", "settings.toml",
    ]  # fmt: skip
    with (
        said.open("wb") as log,
        subprocess.Popen(
            command, cwd=tmp_path, stdout=log, stderr=log, env=program_environment()
        ) as recorder,
    ):
        try:
            eventually(lambda: "Watching since" in said.read_text(), said)
            assert documents(told) == []
            engine.docker("service", "scale", "--detach", "app=11")
            eventually(lambda: "network-full" in {each["code"] for each in documents(told)}, said)
            # It stays full for a while, in which snapshots are taken and nothing is told again.
            for _ in range(5):
                engine.docker("service", "update", "--detach", "--label-add", f"a={time.time()}", "app")
                time.sleep(1)
            engine.docker("service", "scale", "--detach", "app=1")
            eventually(
                lambda: (
                    ("network-full", "end") in {(each["code"], each["occasion"]) for each in documents(told)}
                ),
                said,
            )
            recorder.send_signal(signal.SIGTERM)
            assert recorder.wait(60) == 0, said.read_text()
        finally:
            recorder.kill()
    about = [
        (each["subject"], each["occasion"]) for each in documents(told) if each["code"] == "network-full"
    ]
    assert about == [("proxy", "rise"), ("proxy", "end")]
    assert {each["severity"] for each in documents(told)} == {"critical"}
    keys = [(each["code"], each["subject"], each["occasion"]) for each in documents(told)]
    assert len(keys) == len(set(keys))
