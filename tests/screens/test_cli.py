"""The front door, as a process."""

import gc
import json
import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from console.simulator.scenarios import build
from console.swarm.engine_client import SocketClient
from screens.cli.arguments import build_parser
from screens.cli.commands import glance
from screens.cli.demo import SIMULATED
from screens.cli.main import RARE_COLLECTIONS, main
from screens.present.text import typed_here
from tests.support.engines import Simulation, read_swarm, simulation
from tests.support.program import PATIENT, PROGRAM, vipconsole


@pytest.fixture(scope="module")
def evening() -> Iterator[Simulation]:
    with simulation("evening") as running:
        yield running


@pytest.mark.parametrize("width", [60, 100])
def test_help_is_as_wide_as_columns_says(width: int) -> None:
    lines = vipconsole("glance", "--help", environment={"COLUMNS": str(width)}).out.splitlines()
    assert width - 12 < max(map(len, lines)) < width


def test_the_demo_tells_the_evening_before_in_one_command() -> None:
    said = vipconsole("glance", "--demo")
    assert said.code == 2
    first, second, *_ = said.out.splitlines()
    assert first == SIMULATED
    assert second == " CRITICAL  2 deploys wait for an address; proxy has 4 of 253 free, 12 leaked; 1 more"
    assert "dockerd's log: \N{MULTIPLICATION SIGN}2 in 60 min" in said.out
    assert "ghost_app for 14 min, discourse_app for 3 min" in said.out
    assert re.search(r"! proxy +10\.0\.1\.0/24 +█+░ 249/253 +\d+ +\d+ +1 +12 +4\n", said.out)
    assert "ci-host  engine 29.1.0  manager, leader of 1 node" in said.out
    assert said.err == ""


def test_an_older_engine_shows_bounds_and_unknowns() -> None:
    with simulation("older") as older:
        said = vipconsole("glance", "--host", older.host, "proxy")
    assert re.search(r"! proxy .* \? +≤ 16\n", said.out)
    assert "Leaked addresses cannot be counted: engine 28.5.2" in said.out


def test_docker_host_is_followed_and_host_goes_before_it(evening: Simulation) -> None:
    environment = {"DOCKER_HOST": evening.host}
    assert vipconsole("glance", "--quick", "--json", environment=environment).json["host"] == evening.host
    other = vipconsole("glance", "--json", "--host", "unix:///nonexistent", environment=environment)
    assert (other.code, other.json["host"]) == (3, "unix:///nonexistent")


def test_where_it_looks_may_stand_before_the_command(evening: Simulation) -> None:
    said = vipconsole("--host", evening.host, "glance", "--quick", "--json")
    assert said.json["host"] == evening.host
    assert said.json["engine"]["name"] == "ci-host"


def test_a_quick_look_is_one_look_and_claims_no_leak(evening: Simulation) -> None:
    (proxy,) = vipconsole("glance", "--quick", "--json", "--host", evening.host, "proxy").json["networks"]
    assert (proxy["leaked"], proxy["free"], proxy["free_is_exact"]) == (None, 4, True)


def test_two_looks_some_time_apart_count_the_leak(evening: Simulation, tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text("[snapshot]\nsettle_s = 0.2\n")
    said = vipconsole(
        "glance", "--config", str(tmp_path / "c.toml"), "--json", "--host", evening.host, "proxy"
    )
    (proxy,) = said.json["networks"]
    assert proxy["leaked"] == 12
    assert proxy["accounted"] + proxy["leaked"] + proxy["free"] == proxy["capacity"] == 253
    assert said.json["took_s"] >= 0.2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "`vipconsole glance` works on any terminal"),
        (("glace",), "unknown command glace (did you mean glance?)\n  `vipconsole --help` lists"),
        (
            ("glance", "--jsn"),
            "unknown option --jsn (did you mean --json?)\n  `vipconsole glance --help` lists",
        ),
        (("--jsn", "glance"), "vipconsole glance: unknown option --jsn (did you mean --json?)"),
        (("--hots",), "vipconsole: unknown option --hots (did you mean --host?)"),
        (("guard", "proxy"), "vipconsole guard: unexpected argument proxy"),
        # What a shell gives for a variable that is not set: never the default.
        (("glance", ""), "vipconsole glance: argument NETWORK: it is empty"),
        (("abandon", ""), "vipconsole abandon: argument RUN: it is empty"),
        (("stack-rm", "web", ""), "vipconsole stack-rm: argument STACK: it is empty"),
        (("glance", "--require", "journall"), "journall is not one of journal (did you mean journal?)"),
        (("glance", "--evil\x1b[31m"), "unknown option --evil\\x1b[31m"),
        (("glance", "--json", "--prometheus"), "not allowed with"),
        (("glance", "--output", "x"), "--output needs"),
        (("glance", "--demo", "--host", "x"), "cannot be combined"),
        (("glance", "--host", "ssh://u@h"), "Forward the socket"),
        (("glance", "--host", "evil\x1b[31m"), "evil\\x1b[31m is not an engine address"),
        (("journal", "--since", "99999999d"), "longer than ten years"),
        (("glance", "--config", "/nonexistent.toml"), "There is no settings file"),
    ],
)
def test_wrong_usage_is_64_and_says_what_is_wrong(arguments: tuple[str, ...], said: str) -> None:
    outcome = vipconsole(*arguments)
    assert outcome.code == 64
    assert said in outcome.err
    assert "usage:" not in outcome.err
    assert outcome.out == ""


def test_metrics_are_written_whole_and_readable_by_the_collector(evening: Simulation, tmp_path: Path) -> None:
    path = tmp_path / "vipconsole.prom"
    said = vipconsole("glance", "--quick", "--prometheus", "--output", str(path), "--host", evening.host)
    assert (said.code, said.out) == (2, "")
    assert "vipconsole_up 1.0\n" in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o644


def test_an_output_that_cannot_be_written_is_an_error_with_its_path(evening: Simulation) -> None:
    said = vipconsole(
        "glance", "--quick", "--json", "--output", "/nonexistent/x.json", "--host", evening.host
    )
    assert said.code == 3
    assert "/nonexistent/x.json cannot be written" in said.err


def test_there_is_no_colour_outside_a_terminal_and_ascii_without_utf8(evening: Simulation) -> None:
    forced = {"LC_ALL": "C", "FORCE_COLOR": "1", "TTY_COMPATIBLE": "1"}
    said = vipconsole("glance", "--quick", "--host", evening.host, environment=forced)
    assert "\x1b" not in said.out
    assert said.out.isascii()
    assert "#######. 249/253" in said.out


def test_a_name_that_the_output_cannot_encode_is_an_escape() -> None:
    engine = build("quiet")
    engine.networks.create(
        {"Name": "pröxy", "Driver": "overlay", "IPAM": {"Config": [{"Subnet": "10.88.0.0/24"}]}}
    )
    engine.advance(10)
    with simulation(engine) as served:
        for form in ("--prometheus", "--all"):
            said = vipconsole(
                "glance", form, "--host", served.host, environment={"PYTHONIOENCODING": "ascii"}
            )
            assert said.code < 3
            assert "pr\\xf6xy" in said.out


def test_a_reader_that_goes_away_is_no_bug(evening: Simulation, tmp_path: Path) -> None:
    command = f"{PROGRAM} glance --quick --json --host {evening.host} | true; echo ${{PIPESTATUS[0]}}"
    environment = {**os.environ, "VIPCONSOLE_STATE_DIR": str(tmp_path), **PATIENT}
    said = subprocess.run(
        ["bash", "-c", command], capture_output=True, check=True, text=True, timeout=100, env=environment
    )
    assert said.stdout in ("141\n", "2\n")
    assert said.stderr == ""
    assert not list(tmp_path.iterdir())


def test_a_bug_leaves_a_report_that_only_its_user_can_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_: object) -> int:
        secret = "hunter2"  # noqa: S105 - a value that must not be in the report
        raise RuntimeError(f"{len(secret)} letters")

    monkeypatch.setattr(glance, "run", fail)
    monkeypatch.setenv("VIPCONSOLE_STATE_DIR", str(tmp_path / "state"))
    assert main(["glance"]) == 70
    (report,) = (tmp_path / "state").iterdir()
    assert str(report) in capsys.readouterr().err
    assert report.stat().st_mode & 0o777 == 0o600
    assert "RuntimeError: 7 letters" in report.read_text()


def test_only_what_soon_ends_seldom_looks_for_garbage(monkeypatch: pytest.MonkeyPatch) -> None:
    thresholds = list[tuple[int, ...]]()
    monkeypatch.setattr(gc, "set_threshold", lambda *each: thresholds.append(each))
    # Neither asks an engine.
    main(["schema"])
    assert thresholds == []
    main(["glance", "--output", "file"])
    assert thresholds == [RARE_COLLECTIONS]


def test_an_interrupted_look_is_130(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(glance, "run", interrupt)
    assert main(["glance"]) == 130


async def test_a_look_only_ever_gets(evening: Simulation, monkeypatch: pytest.MonkeyPatch) -> None:
    methods: list[str] = []
    call: Any = SocketClient.call

    def recorded(self: SocketClient, method: str, path: str, body: bytes | None, kind: str) -> object:
        methods.append(method.upper())
        return call(self, method, path, body, kind)

    monkeypatch.setattr(SocketClient, "call", recorded)
    await read_swarm(evening.host)
    assert len(methods) > 100
    assert set(methods) == {"GET"}


@pytest.mark.parametrize("output", ["", "/", "."])
def test_an_output_without_a_name_is_an_error(evening: Simulation, output: str) -> None:
    said = vipconsole("glance", "--quick", "--json", "--output", output, "--host", evening.host)
    assert said.code == 3
    assert "is not a writable file" in said.err


@pytest.mark.parametrize(("redirected", "code"), [(">/dev/full", 3), (">&-", 2), (">&- 2>&-", 2)])
def test_an_output_that_is_lost_is_no_bug(
    evening: Simulation, tmp_path: Path, redirected: str, code: int
) -> None:
    environment = {**os.environ, "VIPCONSOLE_STATE_DIR": str(tmp_path), **PATIENT}
    command = f"{PROGRAM} glance --quick --host {evening.host} {redirected}"
    assert subprocess.run(["sh", "-c", command], check=False, timeout=100, env=environment).returncode == code
    assert not list(tmp_path.iterdir())


def test_commands_of_a_demo_without_a_host_are_for_the_demo_and_those_of_the_next_command_are_not(
    capsys: pytest.CaptureFixture[str],
) -> None:
    main(["glance", "--demo", "--json"])
    hints = [finding["hint"] for finding in json.loads(capsys.readouterr().out)["findings"]]
    assert [hint for hint in hints if "`vipconsole --demo reclaim" in hint]
    assert not [hint for hint in hints if "`vipconsole reclaim`" in hint]
    assert typed_here("vipconsole reclaim") == "vipconsole reclaim"


def test_every_command_that_the_demo_has_is_told_for_the_demo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("screens.present.text.is_demo", lambda: True)
    commands = build_parser()._actions[-1].choices
    assert isinstance(commands, Mapping)
    of_the_demo = {name for name, parser in commands.items() if "--demo" in parser._option_string_actions}
    # It refuses this one: the demo is a rehearsal itself.
    of_the_demo.remove("rehearse")
    told = {name for name in commands if typed_here(f"`vipconsole {name}`") == f"`vipconsole --demo {name}`"}
    assert told == of_the_demo
