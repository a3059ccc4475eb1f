from dataclasses import replace
from datetime import timedelta

from console.diagnosis.assess import assess
from console.diagnosis.values import Assessment, Finding, Severity, UnfinishedRun
from console.diagnosis.why.evidence import ServiceStatus
from console.diagnosis.why.explain import explain
from console.errors import Unknown
from console.settings import Thresholds
from console.swarm.model import Service
from tests.support.swarms import NOW, network, service, snapshot, swarm

HERE, THERE = "0123456789abcdef0123456789abcdef", "fedcba9876543210fedcba9876543210"
RUN = "20260612-010000-proxy-16"
UNFINISHED = UnfinishedRun(
    RUN,
    "Recreate proxy",
    "recreate",
    "was interrupted",
    NOW - timedelta(minutes=2),
    f"`vipconsole resume {RUN}` continues it; `vipconsole abandon {RUN}` gives it up.",
    is_in_outage=True,
)


def parked(name: str, by: str = f"{HERE}/{RUN}") -> Service:
    # A parked service was detached after it was emptied: so a rollback would park it as well.
    return replace(service(name), parked_by=by, rolls_back_to_parked=True)


def assessed(
    *services: Service, runs: tuple[UnfinishedRun, ...] | Unknown = (), names: tuple[str, ...] = ()
) -> Assessment:
    seen = snapshot(swarm([network("proxy", "10.0.1.0/24")], services))
    return assess(replace(seen, runs=runs, machine=HERE), Thresholds(), names)


def find(assessment: Assessment, code: str) -> list[Finding]:
    return [each for each in assessment.findings if each.code == code]


def test_where_nothing_is_parked_nothing_is_said() -> None:
    assessment = assessed(service("web"))
    assert find(assessment, "services-parked") == find(assessment, "rollback-parks") == []


def test_parked_services_are_one_finding_with_the_run_that_brings_them_back() -> None:
    names = [f"shop{number}_web" for number in range(12)]
    assessment = assessed(service("other"), *(parked(each) for each in reversed(names)), names=("proxy",))
    (found,) = find(assessment, "services-parked")
    assert found.severity is Severity.CRITICAL
    assert (found.subject, found.short) == (RUN, "12 services are parked")
    assert f"until the run {RUN} of this machine brings them back" in found.sentence
    assert found.sentence.endswith("and 8 more.")
    assert found.names == tuple(sorted(names))
    assert f"`vipconsole resume {RUN}`" in found.hint
    assert "`way-back.sh`" in found.hint
    # They are parked now: what a rollback would do is beside the point.
    assert find(assessment, "rollback-parks") == []


def test_a_run_that_is_known_to_be_unfinished_is_told_alike_by_both_findings() -> None:
    assessment = assessed(parked("web"), runs=(UNFINISHED,))
    assert [each.code for each in assessment.findings][:2] == ["run-unfinished", "services-parked"]
    run, services = assessment.findings[:2]
    assert services.hint == run.hint == UNFINISHED.hint
    assert f"1 service is parked, without tasks until the run {RUN} (it was interrupted)" in services.sentence


def test_whether_a_run_is_over_is_not_claimed_where_runs_cannot_be_read() -> None:
    (found,) = find(assessed(parked("web"), runs=Unknown("The log is damaged.")), "services-parked")
    assert f"`vipconsole resume {RUN}`. If that run is over or lost" in found.hint


def test_another_machines_run_is_named_with_its_machine() -> None:
    # One of the same name is unfinished here; it is not that one.
    assessment = assessed(parked("web", f"{THERE}/{RUN}"), parked("app"), runs=(UNFINISHED,))
    here, there = find(assessment, "services-parked")
    assert (here.names, here.hint) == (("app",), UNFINISHED.hint)
    assert f"the run {RUN} of the machine {THERE} brings" in there.sentence
    assert there.hint.startswith(f"`vipconsole resume {RUN}` on that machine")


def test_a_label_that_does_not_tell_says_so_and_gives_no_command_from_it() -> None:
    strange = (
        parked("a", "?"),
        parked("b", "machine/"),
        parked("c", f"{HERE}/x; reboot"),
        parked("d", f"/{RUN}"),
    )
    (found,) = find(assessed(*strange), "services-parked")
    assert found.names == ("a", "b", "c", "d")
    assert "label does not say by which run" in found.sentence
    assert "`docker service inspect a`" in found.hint
    assert "reboot" not in found.sentence + found.hint


def test_what_a_rollback_would_park_is_a_warning_with_its_cure() -> None:
    left = [replace(service(f"shop{number}"), rolls_back_to_parked=True) for number in range(6)]
    assessment = assessed(service("web"), *left)
    assert assessment.severity is Severity.WARNING
    assert assessment.headline == "a rollback would stop 6 services"
    (found,) = find(assessment, "rollback-parks")
    assert "shop0, shop1, shop2, shop3 and 2 more" in found.sentence
    assert found.names == tuple(each.name for each in left)
    assert found.hint.startswith("Run `docker service update shop0`")


def test_a_parked_service_is_explained_by_its_run_and_not_as_one_that_is_scaled_to_nothing() -> None:
    seen = snapshot(swarm([network("proxy", "10.0.1.0/24")], [replace(parked("web"), replicas=0)]))
    answer = explain(replace(seen, runs=(UNFINISHED,), machine=HERE), Thresholds())
    (told,) = (each.explanation for each in answer.services)
    assert (told.cause, told.standing) == ("parked", ServiceStatus.BLOCKED)
    assert f"until the run {RUN} (it was interrupted) brings it back" in told.meaning
    assert UNFINISHED.hint in told.advice
    assert "scale or redeploy" in told.advice
    unnamed = replace(seen.swarm, services=(replace(parked("web", "?"), replicas=0),))
    (told,) = (each.explanation for each in explain(replace(seen, swarm=unnamed), Thresholds()).services)
    assert "`docker service inspect web` shows the label" in told.advice
