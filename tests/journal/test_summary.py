"""Many events in few lines."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

from console.journal.signatures import LogSeverity
from console.journal.summary import Summariser, describe, summarise
from console.journal.tallies import MAX_OBJECTS, MAX_PATTERNS
from console.journal.values import Batch, JournalEntry, JournalGap
from tests.journal.lines import (
    AGENT,
    LOST_LINE,
    NO_ATTACHMENT,
    NODE,
    START_LINE,
    VIP_LINE,
    S,
    entry,
    line,
    vip_line,
)

NIGHT = datetime(2026, 11, 22, 3, 12, tzinfo=UTC)


def at(message: str, minutes: float = 0.0) -> JournalEntry:
    return replace(entry(message), realtime=NIGHT + timedelta(minutes=minutes))


def service(number: int) -> str:
    return f"{number:025d}"


def test_a_finding_is_told_in_one_line() -> None:
    ids = [S, *(service(number) for number in range(1, 13))]
    lines = [at(vip_line(each), 88 * number / 12) for number, each in enumerate(ids)]
    names = {S: "ghost_app", **{service(number): "discourse_app" for number in range(1, 13)}}
    summary = summarise([Batch(tuple(lines))], names)
    (finding,) = summary.findings
    assert describe(finding, 7200) == (
        "\N{MULTIPLICATION SIGN}13 in 2 h, first 03:12, last 04:40 UTC, services ghost_app, discourse_app"
    )
    assert describe(finding, 7200, timezone(timedelta(hours=1))).endswith(
        "first 04:12, last 05:40 UTC+01:00, services ghost_app, discourse_app"
    )
    assert (summary.worst, summary.entries, summary.is_complete) == (LogSeverity.CRITICAL, 13, True)
    assert finding.objects["node"] == (NODE,)


def test_a_finding_over_days_tells_the_days_and_one_line_its_minute() -> None:
    lines = (at(VIP_LINE), at(VIP_LINE, 24 * 60))
    assert "first 2026-11-22 03:12, last 2026-11-23 03:12" in describe(
        summarise([Batch(lines)], {}).findings[0]
    )
    once = summarise([Batch(lines[:1])], {}).findings[0]
    assert "\N{MULTIPLICATION SIGN}1 in 2 h, at 03:12" in describe(once, 7200)
    # Who reads a recording, or days back, cannot take a time for one of today.
    assert "\N{MULTIPLICATION SIGN}1, at 2026-11-22 03:12" in describe(once)
    assert ", at 2026-11-22 03:12" in describe(once, 2 * 86_400)


def test_objects_without_a_name_keep_their_identifier_and_names_are_clean() -> None:
    lines = (at(VIP_LINE), at(vip_line(service(1))))
    (finding,) = summarise([Batch(lines)], {service(1): "evil\x1b[2J"}).findings
    assert finding.objects["service"] == (S, "evil\\x1b[2J")


def test_each_commit_failure_is_a_lost_address_until_the_allocator_begins_anew() -> None:
    summary = summarise([Batch((at(LOST_LINE), at(LOST_LINE, 1), at(START_LINE, 2), at(LOST_LINE, 3)))], {})
    assert (summary.lost_addresses, summary.rebuilt_at) == (1, NIGHT + timedelta(minutes=2))
    lost = next(each for each in summary.findings if each.signature.id == "commit-lost")
    assert lost.lost_addresses == 3
    assert "3 addresses lost" in describe(lost)


def test_the_worst_comes_first_and_then_the_latest() -> None:
    rejected = line("fatal task error", NO_ATTACHMENT, AGENT)
    summary = summarise([Batch((at(START_LINE), at(VIP_LINE, 1), at(rejected, 2), at(LOST_LINE, 3)))], {})
    assert [each.signature.id for each in summary.findings] == [
        "node-attachment-missing",
        "vip-create",
        "commit-lost",
        "daemon-starting",
    ]
    assert describe(summary.findings[0]).endswith("likely")


def test_whatever_may_be_missing_makes_the_sum_incomplete() -> None:
    suppression = replace(at("Suppressed 77 messages"), transport="driver", dropped=77)
    summary = summarise([Batch((suppression,))], {})
    assert not summary.is_complete
    assert "77 messages dropped" in describe(summary.findings[0])
    assert not summarise([Batch(is_partial=True)], {}).is_complete
    assert not summarise([Batch(unreadable=1)], {}).is_complete
    gap = JournalGap("The journal was vacuumed.")
    summary = summarise([Batch(gaps=(gap,))], {})
    assert (summary.gaps, summary.is_complete) == ((gap,), False)


def test_unexplained_errors_are_counted_and_kept() -> None:
    summary = summarise(
        [
            Batch(
                (
                    at(line("something 1 broke", "because")),
                    at(line("something 2 broke", "because"), 5),
                    at(START_LINE),
                )
            )
        ],
        {},
    )
    assert summary.unexplained_count == 2
    (kind,) = summary.error_patterns
    assert (kind.count, kind.text) == (2, "something 2 broke: because")


def test_memory_is_bounded_whatever_comes() -> None:
    summariser = Summariser()
    for number in range(3000):
        word = "".join(chr(ord("a") + int(digit)) for digit in str(number))
        batch = Batch(
            (
                at(vip_line(service(number))),
                at(line(word)),
            ),
            gaps=(JournalGap("gap"),),
        )
        assert len(summariser.add(batch)) == 2
    summary = summariser.summary({})
    assert len(summary.findings[0].objects["service"]) == MAX_OBJECTS
    assert (summary.findings[0].count, summary.findings[0].unnamed_count) == (3000, 3000 - MAX_OBJECTS)
    assert (len(summary.error_patterns), summary.unexplained_count) == (MAX_PATTERNS, 3000)
    assert len(summary.gaps) <= 16
