"""`units.ok` and `journal.clean_since`: what this host tells, where the engine is its own."""

from collections.abc import Iterator, Sequence
from datetime import timedelta

import pytest

from console.journal.values import JournalGap
from console.runbook.contracts import Answer
from console.runbook.language.values import Json
from console.runbook.predicates import host as predicates
from console.runbook.predicates.host import UnitsOk, UnitsParameters
from tests.support.benches import Bench, bench, is_yes

FAILED = (
    'time="2026-06-12T04:00:00.990593341Z" level=error msg="Failed allocation for service zjb7cnl5h3e2sqferkromw62i" '
    'error="could not find an available IP while allocating VIP" module=node node.id=pdig3szmn3wtl1ynnwhueo36j'
)
INNOCENT = 'time="2026-06-12T04:20:00Z" level=info msg="Loading containers: done."'
UNITS = {
    "docker.service": "LoadState=loaded\nActiveState=active\nSubState=running\nResult=success",
    "swarm-init.service": "LoadState=loaded\nActiveState=active\nSubState=exited\nResult=success",
    "deploy-web.service": "LoadState=loaded\nActiveState=inactive\nSubState=dead\nResult=success",
    "broken.service": "LoadState=loaded\nActiveState=failed\nSubState=failed\nResult=exit-code",
    "starting.service": "LoadState=loaded\nActiveState=activating\nSubState=start\nResult=success",
    "ended-badly.service": "LoadState=loaded\nActiveState=inactive\nSubState=dead\nResult=timeout",
}


@pytest.fixture
def host() -> Iterator[Bench]:
    with bench("quiet") as ready:
        yield ready


@pytest.fixture
def ours(host: Bench, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setattr("console.journal.reader.why_engine_is_foreign", lambda *_: None)
    monkeypatch.setattr(predicates, "has_systemd", lambda _: True)
    return host


async def systemctl(argv: Sequence[str], _: float) -> bytes:
    assert argv[:2] == ("systemctl", "show")
    names = argv[list(argv).index("--") + 1 :]
    unknown = "LoadState=not-found\nActiveState=inactive\nSubState=dead\nResult=success"
    return "\n\n".join(f"Id={each}\n{UNITS.get(each, unknown)}" for each in names).encode()


@pytest.mark.parametrize(
    ("units", "finished", "said"),
    [
        (["docker.service", "swarm-init.service"], [], ""),
        (["docker.service"], ["deploy-web.service"], ""),
        (["docker"], ["deploy-web"], ""),
        (["deploy-web.service"], [], "deploy-web.service is inactive."),
        (["docker.service", "broken.service"], [], "broken.service is failed (exit-code)."),
        ([], ["broken.service"], "broken.service is failed (exit-code)."),
        ([], ["ended-badly.service"], "ended-badly.service is inactive (timeout)."),
        (["starting.service"], [], "starting.service is activating."),
        (["nobody.service"], [], "nobody.service is not a unit of this host."),
    ],
)
async def test_units_are_well_or_named(ours: Bench, units: list[str], finished: list[str], said: str) -> None:
    found = await UnitsOk(systemctl).check(ours, UnitsParameters(units=units, finished=finished))
    assert is_yes(found) == (not said)
    assert not said or found.sentence == said


async def test_no_unit_proves_nothing(ours: Bench) -> None:
    assert (await ours.holds("units.ok")).answer is Answer.CANNOT_TELL


async def test_units_of_another_host_are_not_known(host: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    found = await host.holds("units.ok", units=["docker.service"])
    assert found.answer is Answer.CANNOT_TELL
    assert found.sentence.startswith("The units of the engine's host are unknown here. ")
    monkeypatch.setattr("console.journal.reader.why_engine_is_foreign", lambda *_: None)
    monkeypatch.setattr(predicates, "has_systemd", lambda _: False)
    found = await host.holds("units.ok", units=["docker.service"])
    assert found.sentence == "systemd does not run this machine."


async def test_a_failure_since_then_is_told(host: Bench) -> None:
    now = host.clock.now()
    host.journal.messages = [(now - timedelta(minutes=20), FAILED), (now - timedelta(minutes=1), INNOCENT)]
    assert is_yes(await host.holds("journal.clean_since", since="10m"))
    found = await host.holds("journal.clean_since", since="30m")
    assert not is_yes(found)
    assert found.sentence.startswith("dockerd has logged failures since ")
    (code,) = found.evidence["failures"] if isinstance(found.evidence["failures"], dict) else ("",)
    assert code in found.sentence
    assert is_yes(await host.holds("journal.clean_since", since="30m", accept=[code]))
    since: Json = (now - timedelta(minutes=30)).isoformat()
    assert not is_yes(await host.holds("journal.clean_since", since=since))
    assert host.journal.windows[-1].since == now - timedelta(minutes=30)


async def test_what_was_not_read_as_a_whole_proves_nothing(host: Bench) -> None:
    host.journal.gaps = (JournalGap("The journal was rotated."),)
    found = await host.holds("journal.clean_since", since="10m")
    assert found.answer is Answer.CANNOT_TELL
    assert "The journal was rotated." in found.sentence


async def test_the_journal_of_another_host_proves_nothing(host: Bench) -> None:
    host.log = type(host.log)(host.journal)
    found = await host.holds("journal.clean_since", since="10m")
    assert found.answer is Answer.CANNOT_TELL
    assert not host.journal.windows
