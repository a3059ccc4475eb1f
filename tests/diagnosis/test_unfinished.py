from dataclasses import replace
from datetime import timedelta

from console.diagnosis.assess import assess
from console.diagnosis.values import Severity, UnfinishedRun
from console.errors import Unknown
from console.settings import Thresholds
from tests.support.swarms import NOW, network, snapshot, swarm

RUN = UnfinishedRun(
    "20260612-010000-proxy-16",
    "Recreate proxy",
    "recreate",
    "was interrupted",
    NOW - timedelta(hours=1),
    "`vipconsole resume 20260612-010000-proxy-16` continues it.",
    is_in_outage=True,
)
SEEN = snapshot(swarm([network("proxy", "10.0.1.0/24")]))


def test_an_unfinished_run_is_the_first_thing_that_is_said() -> None:
    assessment = assess(replace(SEEN, runs=(RUN,)), Thresholds())
    first = assessment.findings[0]
    assert (first.code, first.severity, first.subject) == ("run-unfinished", Severity.CRITICAL, RUN.run_id)
    assert "was interrupted at step recreate; it began 60 min ago. Services may be down" in first.sentence
    assert first.hint == RUN.hint
    assert assessment.headline == f"the run {RUN.run_id} was interrupted"
    # An assessment of one network says so too.
    named = assess(replace(SEEN, runs=(RUN,)), Thresholds(), ("proxy",))
    assert named.findings[0].code == "run-unfinished"


def test_runs_that_cannot_be_read_are_unknown_and_none_is_nothing() -> None:
    assessment = assess(replace(SEEN, runs=Unknown("The log is damaged.", "Look at it.")), Thresholds())
    assert assessment.severity is Severity.UNKNOWN
    assert "not known: The log is damaged." in assessment.findings[0].sentence
    assert "run" not in {each.subject for each in assess(SEEN, Thresholds()).findings}
