"""One state, one verdict: glance in its three forms, the console's header and the guard say the same first."""

import asyncio
import json
import re
from collections.abc import Callable
from contextlib import closing
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest

from console.diagnosis.values import Severity
from console.guard.policy import decide
from console.guard.values import GuardVerdict
from console.host.identity import boot_id, machine_id
from console.monitor.values import MonitorState
from console.runbook.language.values import Answer, Call, CheckResult, Effect
from console.runbook.run import events
from console.runbook.run.header import StepHeader
from console.runbook.store import database
from console.runbook.store.finished import LOG
from console.runbook.store.folders import create_run
from console.simulator.engine import SimulatedEngine
from screens.cli.main import main
from screens.present.header import Freshness, age_of, headline
from tests.guard.test_act import ALLOWED, SETTINGS, bench
from tests.simulator.swarms import a_network, a_swarm
from tests.support.engines import simulation
from tests.support.monitors import simulated_monitor
from tests.support.runs import ALICE, START, header

RUN = header().run_id
HEADS = (StepHeader("recreate", "Recreate", "network.recreate", Effect.OUTAGE),)
BEGUN = (
    events.RunnerStarted(1, boot_id(), "0"),
    events.Intended(
        "recreate", 1, Call("network.recreate"), "digest", CheckResult(Answer.NO, "It is not done.")
    ),
)
CHOICES = (events.Choice.RETRY, events.Choice.SKIP, events.Choice.STOP)

Prepare = Callable[[SimulatedEngine, Path], None]


def a_run(*more: events.Event) -> Prepare:
    """Return what puts a run with these events into a state folder."""

    def prepare(_: SimulatedEngine, state: Path) -> None:
        folder = create_run(state, events.Began(header(), HEADS, ALICE), b"", START)
        with closing(database.connect(folder / LOG)) as log:
            for each in (*BEGUN, *more):
                database.append(log, each, START)

    return prepare


def parked_by(machine: str) -> Prepare:
    """Return what parks a service by a run of a machine."""

    def prepare(engine: SimulatedEngine, _: Path) -> None:
        label = json.dumps({"machine": machine, "run": "20260101-020000-proxy-16"})
        engine.services.create(
            {
                "Name": "shop_app",
                "Labels": {"vipconsole.parked": label},
                "TaskTemplate": {"ContainerSpec": {"Image": "busybox"}},
                "Mode": {"Replicated": {"Replicas": 0}},
            }
        )

    return prepare


def nothing(_: SimulatedEngine, __: Path) -> None:
    """Leave a healthy swarm as it is."""


def unreadable(_: SimulatedEngine, state: Path) -> None:
    """Leave a run that cannot be read."""
    folder = create_run(state, events.Began(header(), HEADS, ALICE), b"", START)
    (folder / LOG).write_bytes(b"damaged")


STOPPED = a_run(events.Stopped(events.Why.FAILED, "It failed."))
CASES: dict[str, tuple[Prepare, Severity, str, GuardVerdict]] = {
    "healthy": (nothing, Severity.OK, "2 overlays, fullest is ingress at 0.4 %", GuardVerdict.GO),
    "stopped run": (STOPPED, Severity.CRITICAL, f"the run {RUN} has stopped", GuardVerdict.STOP),
    "run that was interrupted": (
        a_run(),
        Severity.CRITICAL,
        f"the run {RUN} was interrupted",
        GuardVerdict.STOP,
    ),
    "run that waits": (
        a_run(events.Asked("recreate", 1, events.QuestionKind.FAILURE, "digest", "", CHOICES)),
        Severity.CRITICAL,
        f"the run {RUN} is waiting for a decision",
        GuardVerdict.STOP,
    ),
    "unreadable run": (unreadable, Severity.UNKNOWN, "maintenance runs cannot be read", GuardVerdict.UNKNOWN),
    "parked here": (parked_by(machine_id()), Severity.CRITICAL, "1 service is parked", GuardVerdict.STOP),
    "parked elsewhere": (parked_by("another"), Severity.CRITICAL, "1 service is parked", GuardVerdict.STOP),
}


def a_healthy_swarm() -> SimulatedEngine:
    engine = a_swarm()
    a_network(engine)
    return engine


def glance(state: Path, capsys: pytest.CaptureFixture[str], host: str, *form: str) -> tuple[int, str]:
    """Return the exit code and the output of a glance, made in this process."""
    empty = state / "empty.journal"
    empty.touch()
    try:
        code: Any = main(["glance", "--quick", "--host", host, "--journal", str(empty), *form])
    except SystemExit as error:
        code = error.code
    return int(code or 0), capsys.readouterr().out


def severity_and_headline(monitor_state: MonitorState) -> tuple[Severity, str]:
    snapshot = monitor_state.snapshot.value
    assert snapshot is not None
    return snapshot.assessment.severity, snapshot.assessment.headline


@pytest.mark.parametrize("case", CASES)
def test_every_face_says_the_same(
    case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare, severity, short, verdict = CASES[case]
    engine = a_healthy_swarm()
    prepare(engine, tmp_path)
    monkeypatch.setenv("VIPCONSOLE_STATE_DIR", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    with simulation(engine) as simulated:
        as_json = glance(tmp_path, capsys, simulated.host, "--json")
        as_text = glance(tmp_path, capsys, simulated.host)
        as_metrics = glance(tmp_path, capsys, simulated.host, "--prometheus")

        async def in_the_console() -> tuple[Severity, str, str]:
            async with simulated_monitor(simulated.host, simulated.running, state=tmp_path) as watched:
                monitor_state = await watched.until(lambda each: each.snapshot.value is not None)
                age = age_of(monitor_state, watched.clock.now(), watched.clock.monotonic())
                assert age.freshness is Freshness.LIVE
                line = "".join(text for text, _ in headline(monitor_state, age, UTC))
                return *severity_and_headline(monitor_state), line

        shown = asyncio.run(in_the_console())
    told = json.loads(as_json[1])
    found = {
        "json": (told["severity"], told["headline"]),
        "console": shown[:2],
    }
    assert found == {"json": (severity, short), "console": (severity, short)}
    assert re.sub(r"\s+", " ", as_text[1]).strip().startswith(f"{severity.upper()} {short}")
    assert shown[2] == f" {severity.upper()}  {short}"
    assert f"vipconsole_severity {severity.exit_code}.0\n" in as_metrics[1]
    assert {each[0] for each in (as_json, as_text, as_metrics)} == {severity.exit_code}

    async def by_the_guard() -> tuple[str, GuardVerdict, str]:
        async with bench(engine, tmp_path) as guard:
            inputs = await guard.collector.inputs()
            decision = decide(inputs, ALLOWED, SETTINGS.thresholds)
            return inputs.assessment.severity, decision.verdict, decision.sentence

    guarded = asyncio.run(by_the_guard())
    assert guarded[:2] == (severity, verdict)
    if severity is Severity.CRITICAL:
        # It says what every face says of it.
        sentences = [each["sentence"] for each in told["findings"] if each["severity"] == severity]
        assert any(each.split(" at step ")[0] in guarded[2] for each in sentences)


async def test_a_run_is_told_while_the_engine_does_not_answer(tmp_path: Path) -> None:
    engine = a_healthy_swarm()
    STOPPED(engine, tmp_path)
    with simulation(engine) as simulated:
        simulated.break_call("*", "refuse")
        async with simulated_monitor(simulated.host, simulated.running, state=tmp_path) as watched:
            monitor_state = await watched.until(
                lambda each: each.snapshot.failure is not None and each.run_findings
            )
            age = age_of(monitor_state, watched.clock.now(), watched.clock.monotonic())
            line = "".join(text for text, _ in headline(monitor_state, age, UTC))
    assert line.startswith(f" CRITICAL  the run {RUN} has stopped; ")


async def test_a_run_that_is_over_is_told_no_more(tmp_path: Path) -> None:
    engine = a_healthy_swarm()
    STOPPED(engine, tmp_path)
    with simulation(engine) as simulated:
        async with simulated_monitor(simulated.host, simulated.running, state=tmp_path) as watched:
            await watched.until(lambda each: each.run_findings)
            with closing(database.connect(tmp_path / "runs" / RUN / LOG)) as log:
                database.append(log, events.Abandoned(ALICE, "Nothing is left."), START)
            monitor_state = await watched.until(lambda each: not each.run_findings)
            await watched.until(lambda each: severity_and_headline(each)[0] is Severity.OK)
    assert monitor_state.run_findings == ()
