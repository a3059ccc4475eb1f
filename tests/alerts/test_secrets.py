"""A webhook may hold a secret: nothing that outlives the settings holds it."""

from pathlib import Path

from console.alerts.alert import Alert
from console.clock import SystemClock
from console.runbook.language.file import parse_runbook
from console.runbook.runner.context import RunWorld
from console.runbook.runner.creation import begin_run
from console.settings import Settings
from console.swarm.client import EngineConnection
from tests.support.engines import simulation
from tests.support.monitors import NO_LOG
from tests.support.runs import ALICE

RUNBOOK = b"""
schema: vipconsole.runbook/1
id: wait
title: Wait
steps:
  - id: quiescent
    title: Wait until nothing else is deployed
    uses: swarm.quiescent
    with: {stable_for: 30s}
    timeout: 10m
"""


async def test_a_run_does_not_keep_who_is_told(tmp_path: Path) -> None:
    settings = Settings("web", alert=(Alert(webhook="https://user:t0psecret@chat.test/t0psecret"),))
    with simulation("evening") as simulated:
        connection = EngineConnection(simulated.host, 60)
        try:
            world = RunWorld(connection, settings, SystemClock(), NO_LOG)
            source = tmp_path / "runbook.yaml"
            source.write_bytes(RUNBOOK)
            folder = await begin_run(
                tmp_path / "state", parse_runbook(RUNBOOK, str(source)), {}, world, ALICE
            )
        finally:
            connection.close()
    kept = [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
    assert any(b'"network":"web"' in text for text in kept)
    assert not any(b"t0psecret" in text for text in kept)
