"""`vipconsole quiet`: as a process, and what it says while it waits."""

import io
import os
import pty
import re
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import docker
import pytest

from console.diagnosis.quiescence.values import Blocker, Check, CheckState, QuiescenceVerdict, Report
from console.diagnosis.quiescence.waiter import WaitProgress
from screens.cli.demo import SIMULATED
from screens.output.quiet import QuietProgress, verdict_line
from tests.support.engines import Simulation, simulation
from tests.support.program import PATIENT, PROGRAM, vipconsole
from tests.support.quiet_command import quiet_process
from tests.support.swarms import NOW, ago
from tests.test_layers import modules_after


@pytest.fixture
def calm() -> Iterator[Simulation]:
    with simulation("quiet") as running:
        yield running


def test_a_quiet_swarm_is_quiet_after_the_dwell_time(calm: Simulation) -> None:
    said = vipconsole("quiet", "--host", calm.host, "--for", "2s", "--timeout", "1m", "--json")
    assert (said.code, said.json["schema"], said.json["outcome"]) == (0, "vipconsole.quiet/1", "quiet")
    assert said.json["quiet_for_s"] >= 2
    assert said.json["dwell_s"] == 2
    assert said.took_s >= 2
    assert {each["code"] for each in said.json["checks"]} >= {
        "managers",
        "tasks",
        "stuck",
        "changes",
        "tools",
    }
    assert said.out.isascii()


def test_text_tells_the_verdict_first_and_every_check(calm: Simulation) -> None:
    said = vipconsole("quiet", "--host", calm.host, "--for", "0")
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith(" QUIET  right now\n")
    assert re.search(r"^   stuck services +quiet$", said.out, re.MULTILINE)
    assert re.search(r"^ - 6 checks +not checked The engine calls itself ci-host", said.out, re.MULTILINE)
    assert "\x1b" not in said.out


def test_the_demo_is_one_look_that_names_who_is_stuck() -> None:
    said = vipconsole("quiet", "--demo")
    assert said.code == 2
    assert said.out.startswith(
        f"{SIMULATED}\n BUSY  ghost_app waits for an address on one of proxy, ghost_internal"
    )
    accepted = vipconsole("quiet", "--demo", "--accept", "ghost_app", "--accept", "discourse_app")
    assert accepted.code == 0
    assert "QUIET  right now; stuck but accepted: ghost_app, discourse_app" in accepted.out


def test_the_time_limit_is_2_and_names_what_blocked() -> None:
    with simulation("evening") as evening:
        said = vipconsole("quiet", "--host", evening.host, "--for", "1", "--timeout", "2")
    assert said.code == 2
    assert "waiting: ghost_app waits for an address" in said.err
    assert "ghost_app waits for an address" in said.out
    assert said.took_s < 60


def test_an_engine_that_is_not_there_is_3_at_once() -> None:
    said = vipconsole("quiet", "--host", "unix:///nonexistent")
    assert said.code == 3
    assert said.out.startswith(" UNKNOWN")
    assert "There is no engine at unix:///nonexistent" in said.out
    assert said.took_s < 60


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--for", "soon"), "is not a duration"),
        (("--for", "-1"), "is not a duration"),
        (("--for", "1y"), "is not a duration"),
        (("--timeout", ""), "is not a duration"),
        (("--timeout", "\u0661m"), "is not a duration"),
        (("--for", "1h"), "Quiet for 60 min cannot fit into a timeout of 15 min"),
        (("--demo", "--host", "x"), "cannot be combined"),
    ],
)
def test_wrong_usage_is_64_and_says_what_is_wrong(arguments: tuple[str, ...], said: str) -> None:
    outcome = vipconsole("quiet", *arguments)
    assert (outcome.code, outcome.out) == (64, "")
    assert said in outcome.err


def test_a_change_is_told_when_it_happens(calm: Simulation) -> None:
    with quiet_process("--host", calm.host, "--for", "60") as wait:
        wait.wait_for("quiet so far")
        began = time.monotonic()
        create_service(calm)
        wait.wait_for("newcomer", after=began)


def create_service(running: Simulation) -> None:
    client: Any = docker.APIClient(base_url=running.host, version="auto", timeout=30)
    try:
        client.create_service({"ContainerSpec": {"Image": "x"}}, name="newcomer")
    finally:
        client.close()


def test_an_interrupted_wait_is_130_at_once_and_says_no_more(calm: Simulation) -> None:
    with quiet_process("--host", calm.host, "--for", "10m") as wait:
        wait.wait_for("quiet so far")
        wait.process.send_signal(signal.SIGINT)
        assert wait.process.wait(60) == 130
        assert wait.process.stdout is not None
        assert wait.process.stdout.read() == ""
    assert "Traceback" not in repr(wait.said)


def test_on_a_terminal_the_line_is_replaced_and_cleared(calm: Simulation) -> None:
    leader, follower = pty.openpty()
    said = bytearray()

    def read() -> None:
        # The other end closes with an error (EIO) once the program has ended.
        try:
            while piece := os.read(leader, 4096):
                said.extend(piece)
        except OSError:
            return

    with subprocess.Popen(
        [str(PROGRAM), "quiet", "--host", calm.host, "--for", "1", "--json"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=follower,
        env={
            "HOME": os.environ["HOME"],
            "VIPCONSOLE_STATE_DIR": os.environ["VIPCONSOLE_STATE_DIR"],
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "TERM": "xterm",
            **PATIENT,
        },
    ) as process:
        os.close(follower)
        reader = threading.Thread(target=read)
        reader.start()
        assert process.wait(60) == 0
        reader.join(60)
    os.close(leader)
    assert b"\rquiet so far: 0 s of 1 s\x1b[K" in said
    assert said.endswith(b"\r\x1b[K")
    assert b"\n" not in said


def progress(
    *checks: Check, outcome: QuiescenceVerdict | None = None, waited_s: float = 70, quiet_for_s: float = 0
) -> WaitProgress:
    return WaitProgress(Report(NOW, checks), waited_s, quiet_for_s, 60, outcome)


def blocked(*names: str, state: CheckState = CheckState.BUSY) -> Check:
    return Check("tasks", "tasks", state, tuple(Blocker(each, "is at work", ago(5)) for each in names))


CALM = Check("tasks", "tasks", CheckState.QUIET)


def changed(*names: str) -> Check:
    return Check(
        "changes", "engine events", CheckState.BUSY, tuple(Blocker(each, "created") for each in names)
    )


def said_line_by_line(*states: WaitProgress) -> list[str]:
    stream = io.StringIO()
    printer = QuietProgress(stream, {"COLUMNS": "200"})
    for state in states:
        printer.update(state)
    printer.end()
    return stream.getvalue().splitlines()


def test_talk_is_silent_while_nothing_changes() -> None:
    states = (
        progress(blocked("web"), waited_s=1),
        progress(blocked("web"), waited_s=2),
        progress(blocked("db"), waited_s=30),
        progress(CALM, waited_s=31),
        progress(CALM, waited_s=32, quiet_for_s=1),
        progress(blocked("web"), waited_s=33, outcome=QuiescenceVerdict.BUSY),
    )
    assert said_line_by_line(*states) == [
        "waiting: web is at work",
        "waiting (30 s so far): db is at work",
        "quiet so far: 0 s of 60 s",
    ]


def test_while_only_the_last_change_is_too_young_it_is_quiet_so_far_and_says_how_long_yet() -> None:
    states = (
        progress(blocked("web"), changed("service web"), waited_s=5),
        *(progress(CALM, changed("network a"), waited_s=6 + each, quiet_for_s=each) for each in range(40)),
    )
    assert said_line_by_line(*states) == [
        "waiting: web is at work",
        "quiet so far: 0 s of 60 s; last change: network a created",
        "quiet so far: 15 s of 60 s; last change: network a created",
        "quiet so far: 30 s of 60 s; last change: network a created",
    ]


def test_events_that_do_not_arrive_are_no_quiet() -> None:
    deaf = Check("changes", "engine events", CheckState.UNKNOWN, note="The stream ended.")
    assert said_line_by_line(progress(deaf, waited_s=1)) == ["waiting: The stream ended"]


def test_what_blocks_for_long_is_said_again() -> None:
    states = (progress(blocked("web"), waited_s=1 + each) for each in range(150))
    assert said_line_by_line(*states) == [
        "waiting: web is at work",
        "waiting (61 s so far): web is at work",
        "waiting (2 min so far): web is at work",
    ]


def test_after_a_change_a_wait_says_that_it_is_quiet_again_before_it_ends(calm: Simulation) -> None:
    with quiet_process("--host", calm.host, "--for", "2", "--timeout", "2m") as wait:
        wait.wait_for("quiet so far")
        client: Any = docker.APIClient(base_url=calm.host, version="auto", timeout=30)
        try:
            client.create_network("extra", driver="overlay")
        finally:
            client.close()
        code, said = wait.end()
    assert (code, said["outcome"]) == (0, "quiet")
    assert any(
        re.match(r"quiet so far: \d s of 2 s; last change: network extra created", line)
        for _, line in wait.said
    ), wait.said


def test_the_worst_is_named_first_and_accepted_ones_are_not_said_to_block() -> None:
    stuck = Check(
        "stuck", "stuck", CheckState.STUCK, (Blocker("a", "fails"), Blocker("b", "fails", is_accepted=True))
    )
    unknown = Check("jobs", "systemd jobs", CheckState.UNKNOWN, note="no answer.")
    said = verdict_line(progress(unknown, blocked("web"), stuck, outcome=QuiescenceVerdict.BUSY))
    assert said == ("BUSY", "a fails, web is at work, no answer (waited 70 s)")
    never = replace(progress(Check("tasks", "tasks", CheckState.QUIET)), outcome=QuiescenceVerdict.BUSY)
    assert verdict_line(never)[1].startswith("never quiet for 60 s")


def test_json_needs_nothing_to_draw_with() -> None:
    code = (
        "import screens.cli.main\nscreens.cli.main.main(['quiet', '--json', '--host', 'unix:///nonexistent'])"
    )
    assert not modules_after(code) & {"rich", "aiohttp"}


def test_settings_say_what_must_be_quiet(calm: Simulation, tmp_path: Path) -> None:
    config = tmp_path / "c.toml"
    config.write_text('[quiet]\nstacks = ["warm-*", "traefik", "drone"]\ndwell_s = 1\n')
    said = vipconsole("quiet", "--host", calm.host, "--config", str(config), "--timeout", "2", "--json")
    stacks = next(each for each in said.json["checks"] if each["code"] == "stacks")
    assert (said.code, stacks["state"]) == (2, "busy")
    assert {each["name"] for each in stacks["blockers"]} == {"bridge", "dashboard", "reports", "backups"}
