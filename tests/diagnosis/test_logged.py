"""What dockerd logged, as findings of a snapshot."""

from datetime import timedelta

from console.diagnosis.assess import assess
from console.diagnosis.findings.sources import find_log_failures, is_past
from console.diagnosis.values import Assessment, Severity
from console.errors import Result, Unknown
from console.journal.summary import Summary, summarise
from console.journal.values import Batch, JournalEntry, JournalGap
from console.settings import Thresholds
from tests.support.swarms import NOW, snapshot, swarm

SERVICE = "1" * 25
WHEN = 'time="2026-06-12T02:00:00.123456789Z" '
VIP = (
    f'{WHEN}level=error msg="Failed allocation for service {SERVICE}" '
    'error="could not find an available IP while allocating VIP" module=node'
)
OVERLAP = (
    f'{WHEN}level=error msg="Failed allocation for network {SERVICE}" error="failed allocating pools and gateway IP for '
    f'network {SERVICE}: Pool overlaps with other one on this address space" module=node'
)
START = f'{WHEN}level=info msg="Starting up"'
NOISE = f'{WHEN}level=error msg="network proxy remove failed: error while removing network: unknown network proxy id {SERVICE}"'


def entry(message: str, ago_s: float = 60, number: int = 1) -> JournalEntry:
    at = NOW - timedelta(seconds=ago_s)
    return JournalEntry(
        f"c{number}",
        at,
        "0" * 32,
        "stdout",
        "docker.service",
        "dockerd",
        1,
        message,
    )


def summary(*entries: JournalEntry, gaps: tuple[JournalGap, ...] = ()) -> Summary:
    return summarise([Batch(entries, gaps)], {SERVICE: "ghost_app"}, 3600)


def assessed(journal: Result[Summary], *, required: bool = False) -> Assessment:
    return assess(snapshot(swarm(api=(1, 52)), journal=journal), Thresholds(), journal_required=required)


def test_a_recent_vip_failure_is_critical_and_names_the_service() -> None:
    found = assessed(summary(entry(VIP), entry(VIP, 30)))
    assert (found.severity, found.headline) == (Severity.CRITICAL, "dockerd logged 2 failures")
    (finding,) = [each for each in found.findings if each.code == "logged-vip-create"]
    assert "dockerd's log: ×2 in 60 min, first 01:59, last 01:59 UTC, service ghost_app." in finding.sentence  # noqa: RUF001 - as shown
    assert finding.names == ("ghost_app",)


def test_an_overlap_is_a_warning_and_noise_is_nothing() -> None:
    assert assessed(summary(entry(OVERLAP))).severity is Severity.WARNING
    assert assessed(summary(entry(NOISE))).severity is Severity.OK


def test_failures_before_the_allocator_was_rebuilt_are_past() -> None:
    healed = summary(entry(VIP, 60), entry(START, 30))
    assert assessed(healed).severity is Severity.OK
    assert all(is_past(each, healed) for each in healed.findings if each.signature.id == "vip-create")
    assert assessed(summary(entry(START, 60), entry(VIP, 30))).severity is Severity.CRITICAL


def test_an_unread_journal_is_said_and_decides_only_when_required() -> None:
    unread = Unknown("No permission.", "Run it as root.")
    said = assessed(unread)
    assert said.severity is Severity.OK
    assert [(each.code, each.severity) for each in said.findings] == [("journal-unread", Severity.OK)]
    assert assessed(unread, required=True).severity is Severity.UNKNOWN


def test_a_journal_with_gaps_says_that_silence_proves_nothing() -> None:
    found = assessed(summary(gaps=(JournalGap("journald dropped 9 messages."),)))
    (finding,) = found.findings
    assert (finding.code, found.severity) == ("journal-incomplete", Severity.OK)
    assert "journald dropped 9 messages." in finding.sentence


def test_a_complete_journal_without_errors_is_no_finding() -> None:
    assert not list(find_log_failures(summary(), is_required=True))
