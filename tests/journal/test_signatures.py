"""Each signature, by lines that dockerd wrote; and every way to pass for one that was thought of."""

import json
import re
from collections import Counter
from pathlib import Path

import pytest

from console.journal.gossip import GOSSIP
from console.journal.matching import LogEvent, LogMatcher, UnexplainedError, match_line
from console.journal.parsing import parse_line
from console.journal.signatures import SIGNATURES, SUPPRESSION, LogSeverity, Signature
from tests.journal.journals import NEW, OLD
from tests.journal.lines import (
    AGENT,
    NO_ATTACHMENT,
    NO_VIP,
    NODE,
    TIME,
    VIP_LINE,
    N,
    R,
    S,
    T,
    entry,
    go_quote,
    line,
)


def found(message: str) -> tuple[str, dict[str, str]] | None:
    """Return the signature of a line that is not the first of its stream, and the identifiers in it."""
    recogniser = LogMatcher()
    recogniser.recognise(entry(f"{TIME} level=info msg=before"))
    event = recogniser.recognise(entry(message))
    return (event.signature.id, dict(event.ids)) if isinstance(event, LogEvent) else None


# What dockerd 20.10.24 and 28.5.2 wrote here, counted in the recordings; the rest of the table is below.
SEEN = {
    "vip-create": (8, 8), "vip-update": (1, 1), "vip-init": (3, 3), "task-pending": (4, 4),
    "task-pending-init": (1, 1), "task-address": (8, 8), "node-address": (8, 8),
    "node-attachment-missing": (8, 5), "network-gone-under-tasks": (8, 8), "commit-lost": (5, 5),
    "pool-overlap": (1, 0), "pool-overlap-new": (0, 1), "pools-used-up": (2, 0), "pools-used-up-27": (0, 2),
    "network-unallocated": (2, 2), "key-modified": (8, 8), "remove-failed": (7, 9),
    "remove-failed-task": (7, 0), "daemon-starting": (3, 3), "daemon-ready": (3, 3), "daemon-stopped": (2, 2),
    "leader-changed": (3, 3), "crash-signal": (1, 1), "crash-goroutine": (1, 1),
}  # fmt: skip

# Written after the sources, for what did not happen in the recordings.
_NO_NETWORK = "networkallocator: could not find local network state"
_NO_TASK_ADDRESS = f"failed to allocate network IP for task {T} network {N}: "
_DRIVER = f"failed while allocating driver state for network {N}: "
_MARKING = f"error while removing network: error marking network proxy ({N}) for deletion: "
WRITTEN = {
    "vip-retry": line(f"Failed allocation of unallocated service {S}", NO_VIP, level="debug"),
    "task-pending-old": line(
        "task allocation failure", f"service {S} to which this task {T} belongs has pending allocations"
    ),
    "task-address-init": line(
        f"failed allocating task {T} during init", _NO_TASK_ADDRESS + "could not find an available IP"
    ),
    "task-address-taken": line(
        f"failed allocating task {T} during init",
        _NO_TASK_ADDRESS + "could not allocate IP from IPAM: Address already in use",
    ),
    "vxlan-taken": line(
        f"Failed allocation for network {N}",
        _DRIVER + "could not assign vxlan id 4097 to pool 10.0.1.0/24: requested bit is already allocated",
    ),
    "network-unallocated-update": line(f"Failed allocation during update of service {S}", _NO_NETWORK),
    "network-unallocated-task": line(
        "task allocation failure", f"network {N} attached to task {T} not allocated yet", level="debug"
    ),
    "network-removed-task": line(
        "task allocation failure", f"failed to retrieve network {N} while allocating task {T}"
    ),
    "remove-failed-key": line(
        f"network proxy remove failed: {_MARKING}Unable to complete atomic operation, key modified",
        tail=AGENT,
    ),
}
PEER, OTHER = "90ca27933dd9", "2b156e2a49ab"
_UNSENT = "write udp [::]:7946->10.99.0.4:7946: sendto: operation not permitted"
_MISCONFIGURED = "failed, network may be misconfigured"


def gossip(message: str, level: str, error: str = "") -> str:
    """Return a line of the gossip, which has no fields."""
    return line(message, error, tail="", level=level)


# dockerd 20.10.24 and 28.5.2 wrote these here with port 7946 blocked between two of three nodes, or with one of them killed.
GOSSIPED = {
    "gossip-ping-unsent": gossip(f"memberlist: Failed to send ping: {_UNSENT}", "warning"),
    "gossip-udp-blocked": gossip(
        f"memberlist: Was able to connect to {PEER} but other probes {_MISCONFIGURED}", "warning"
    ),
    "gossip-udp-ping-unsent": gossip(f"memberlist: Failed to send UDP ping: {_UNSENT}", "warning"),
    "gossip-udp-blocked-tcp": gossip(
        f"memberlist: Was able to connect to {PEER} over TCP but UDP probes {_MISCONFIGURED}", "warning"
    ),
    "gossip-unsent": gossip(f"Failed to send gossip to 10.99.0.4: {_UNSENT}", "error"),
    "gossip-member-unsent": gossip(
        f"memberlist: Failed to send gossip to 10.99.0.4:7946: {_UNSENT}", "warning"
    ),
    "gossip-suspect": gossip(f"memberlist: Suspect {PEER} has failed, no acks received", "info"),
    "gossip-failed": gossip(
        f"memberlist: Marking {PEER} as failed, suspect timeout reached (0 peer confirmations)", "info"
    ),
    "gossip-refuted": gossip(f"memberlist: Refuting a suspect message (from: {PEER})", "warning"),
    "gossip-sync-failed": gossip(
        f"bulk sync to node {PEER} failed: failed to send a TCP message during bulk sync: "
        "dial tcp 10.99.0.4:7946: i/o timeout", "warning",
    ),
}  # fmt: skip
# Written after the sources.
GOSSIP_WRITTEN = {
    "gossip-tcp-failed": gossip(
        "memberlist: Failed fallback ping: dial tcp 10.99.0.4:7946: i/o timeout", "warning"
    ),
    "gossip-tcp-ping-failed": gossip(
        "memberlist: Failed fallback TCP ping: dial tcp [fd00::4]:7946: i/o timeout", "warning"
    ),
    "gossip-health": gossip(
        f"NetworkDB stats node1({PEER}) - healthscore:2 (connectivity issues)", "warning"
    ),
    "gossip-queue": gossip(
        f"NetworkDB stats node1({PEER}) - netID:{N} leaving:false netPeers:3 entries:812 Queue qLen:1204 netMsg/s:40",
        "info",
    ),
    "gossip-sync-late": gossip(f"Bulk sync to node {PEER} timed out", "error"),
    "gossip-sync-periodic": gossip(
        f"periodic bulk sync failure for network {N}: bulk sync to node {PEER} failed: EOF", "error"
    ),
    "gossip-sync-joining": gossip(
        f"Error bulk syncing while joining network {N}: bulk sync failed on node {PEER}: EOF", "error"
    ),
    "gossip-join-retry": gossip(
        "Failed to join memberlist [10.99.0.2] on retry: 1 error occurred: dial tcp 10.99.0.2:7946: i/o timeout",
        "error",
    ),
    "gossip-join-old": gossip(
        "Error in joining gossip cluster : could not join node to memberlist: EOF(join will be retried in background)",
        "error",
    ),
    "gossip-join": gossip(
        "Error in joining gossip cluster: join will be retried in background", "error",
        "could not join node to memberlist: EOF",
    ),
}  # fmt: skip
BARE = {
    "crash-panic": "panic: runtime error: invalid memory address or nil pointer dereference",
    "crash-fatal": "fatal error: concurrent map writes",
}


@pytest.mark.parametrize(("path", "column"), [(OLD, 0), (NEW, 1)], ids=["20.10.24", "28.5.2"])
def test_every_line_that_dockerd_wrote_has_its_signature(path: Path, column: int) -> None:
    recogniser = LogMatcher()
    events = [recogniser.recognise(entry(each)) for each in path.read_text().splitlines()]
    counts = Counter(each.signature.id for each in events if isinstance(each, LogEvent))
    assert counts == {key: each[column] for key, each in SEEN.items() if each[column]}
    # Nothing that speaks of addresses is left unexplained.
    left = [each.text for each in events if isinstance(each, UnexplainedError)]
    telling = [
        each for each in left if re.search("allocation (for|failure|during)|exhausted|allocator state", each)
    ]
    assert [each for each in telling if "executable file not found" not in each] == []


@pytest.mark.parametrize("key", [*WRITTEN, *BARE, *GOSSIPED, *GOSSIP_WRITTEN])
def test_every_sentence_from_the_sources_has_its_signature(key: str) -> None:
    event = found((WRITTEN | BARE | GOSSIPED | GOSSIP_WRITTEN)[key])
    assert event is not None
    assert event[0] == key


def test_the_table_is_covered_whole() -> None:
    table = (*SIGNATURES, *GOSSIP)
    ids = [each.id for each in table]
    assert sorted(ids) == sorted({*SEEN, *WRITTEN, *BARE, *GOSSIPED, *GOSSIP_WRITTEN})
    assert all(each.meaning.endswith((".", "why.")) and each.advice.endswith(".") for each in table)


def test_what_a_restarted_node_leaves_in_the_gossip_is_only_noted() -> None:
    noted = {each.id for each in GOSSIP if each.severity is LogSeverity.NOTE}
    assert noted == {"gossip-suspect", "gossip-failed", "gossip-refuted"}


@pytest.mark.parametrize(
    ("message", "ids"),
    [
        (GOSSIPED["gossip-suspect"], {"peer": PEER}),
        (GOSSIPED["gossip-unsent"], {"address": "10.99.0.4"}),
        (GOSSIP_WRITTEN["gossip-tcp-ping-failed"], {"address": "[fd00::4]"}),
        (GOSSIP_WRITTEN["gossip-queue"], {"network": N}),
        (GOSSIP_WRITTEN["gossip-health"], {}),
    ],
)
def test_the_gossip_names_the_other_node(message: str, ids: dict[str, str]) -> None:
    event = found(message)
    assert event is not None
    assert event[1] == ids


@pytest.mark.parametrize(
    "message",
    [
        # Every five minutes each network says how long its queue is; a short one is nothing to tell.
        GOSSIP_WRITTEN["gossip-queue"].replace("1204", "499"),
        # Two different nodes in one line.
        GOSSIPED["gossip-unsent"].replace("gossip to 10.99.0.4", "gossip to 10.99.0.5"),
        GOSSIPED["gossip-suspect"].replace(PEER, "node3"),
    ],
)
def test_what_only_looks_like_trouble_of_the_gossip_is_none(message: str) -> None:
    assert found(message) is None


def test_what_looks_like_the_leak_is_no_evidence_of_it() -> None:
    evidence = {each.id for each in SIGNATURES if each.is_leak_evidence}
    assert evidence == {"network-gone-under-tasks", "commit-lost"}
    assert {each.id for each in SIGNATURES if each.lost_addresses} == {"commit-lost"}
    noise = [each for each in SIGNATURES if each.id.startswith(("key-modified", "remove-failed"))]
    assert len(noise) == 4
    assert all("No sign of a leak." in each.meaning for each in noise)


@pytest.mark.parametrize(
    ("message", "ids"),
    [
        (VIP_LINE, {"service": S, "node": NODE}),
        (
            line("task allocation failure", _NO_TASK_ADDRESS + "could not find an available IP"),
            {"task": T, "network": N, "node": NODE},
        ),
        (
            line(
                f"Failed to allocate network resources for node {NODE}",
                f"could not find network allocator state for network {R}",
            ),
            {"removed": R, "node": NODE},
        ),
        (line("fatal task error", NO_ATTACHMENT, AGENT), {"service": S, "task": T, "node": NODE}),
        (
            json.dumps(
                {
                    "time": "t",
                    "level": "error",
                    "msg": f"Failed allocation for service {S}",
                    "error": NO_VIP,
                    "node.id": NODE,
                }
            ),
            {"service": S, "node": NODE},
        ),
    ],
)
def test_the_objects_are_named(message: str, ids: dict[str, str]) -> None:
    event = found(message)
    assert event is not None
    assert event[1] == ids


OUTER = "starting container failed: OCI runtime create failed: exec: {}: executable file not found in $PATH: unknown"


@pytest.mark.parametrize(
    "message",
    [
        # The command of a service, as dockerd quotes it: once, twice, behind a newline, and all but whole.
        line("fatal task error", OUTER.format(VIP_LINE), AGENT),
        line("fatal task error", OUTER.format(go_quote(VIP_LINE)), AGENT),
        line("fatal task error", f"x\n{VIP_LINE}", AGENT),
        line("fatal task error", f"{NO_ATTACHMENT}: x", AGENT),
        # An image, a name or a label of that text, in other sentences.
        line(f"Not continuing with pull after error: {VIP_LINE}"),
        line("fatal task error", f"No such image: {NO_VIP}", AGENT),
        line(f"cleanup warnings {VIP_LINE}\n", level="warning"),
        # The text alone, before, behind and beside something else.
        "could not find an available IP while allocating VIP",
        f"x{VIP_LINE}",
        f"{VIP_LINE} x",
        f"{VIP_LINE}\n{VIP_LINE}",
        VIP_LINE.replace("allocating VIP", "allocating VIP "),
        VIP_LINE.replace("Failed allocation", "failed allocation"),
        # Another level, and identifiers that are none.
        VIP_LINE.replace("level=error", "level=info"),
        VIP_LINE.replace("level=error", "level=warning"),
        VIP_LINE.replace(S, "S" * 25),
        VIP_LINE.replace(S, "s" * 24),
        VIP_LINE.replace(S, "s" * 26),
        VIP_LINE.replace(S, "ghost_app"),
        VIP_LINE.replace(NODE, "somewhere"),
        # The two halves name different objects.
        line(
            f"allocation commit failure for task {T}",
            f"failed updating state in store transaction for task {S}: object does not exist",
        ),
        line(
            f"network proxy remove failed: error while removing network: unknown network other id {N}",
            tail=AGENT,
        ),
        # A second error, which logrus would have renamed.
        VIP_LINE + ' error="x"',
    ],
)
def test_nothing_else_passes_for_a_virtual_ip_failure(message: str) -> None:
    assert found(message) is None


def test_what_the_real_engine_said_about_a_command_of_that_text_is_unexplained() -> None:
    for path in (OLD, NEW):
        lines = [
            each for each in path.read_text().splitlines() if "executable file not found in $PATH" in each
        ]
        lines = [each for each in lines if "while allocating VIP" in each]
        assert lines
        for each in lines:
            assert match_line(parse_line(each)) is None
            assert isinstance(LogMatcher().recognise(entry(each)), UnexplainedError)


@pytest.mark.parametrize("text", [VIP_LINE, "panic: x", "goroutine 1 [running]:"])
def test_the_rest_of_a_line_that_journald_cut_is_no_line(text: str) -> None:
    recogniser = LogMatcher()
    assert recogniser.recognise(entry(f"{TIME} level=info msg=before")) is None
    recogniser.recognise(entry(f'{TIME} level=error msg="long', line_break="line-max"))
    assert not isinstance(recogniser.recognise(entry(text)), LogEvent)
    # The line after it is one again; a cut in one stream is none in another.
    assert isinstance(recogniser.recognise(entry(text)), LogEvent)
    recogniser.recognise(entry(f'{TIME} level=error msg="long', line_break="line-max"))
    assert isinstance(recogniser.recognise(entry(VIP_LINE, stream="b")), LogEvent)
    assert not isinstance(recogniser.recognise(entry(text, is_cut=True)), LogEvent)


def test_the_first_line_read_of_a_stream_is_not_believed_to_be_a_crash() -> None:
    recogniser = LogMatcher()
    assert recogniser.recognise(entry("panic: x")) is None
    assert isinstance(recogniser.recognise(entry("goroutine 1 [running]:")), LogEvent)


def test_an_error_that_journald_cut_is_counted_as_unexplained() -> None:
    event = LogMatcher().recognise(entry(f'{TIME} level=error msg="half', line_break="line-max"))
    assert isinstance(event, UnexplainedError)


def test_unexplained_errors_that_differ_in_names_only_are_alike() -> None:
    recogniser = LogMatcher()
    texts = [f'{TIME} level=error msg="Failed to find network {each} on node {NODE}"' for each in (N, R)]
    first, second = (recogniser.recognise(entry(each)) for each in texts)
    assert isinstance(first, UnexplainedError)
    assert isinstance(second, UnexplainedError)
    assert first.pattern == second.pattern == "Failed to find network … on node …"


def test_text_is_clean_before_it_leaves() -> None:
    event = LogMatcher().recognise(entry(f'{TIME} level=error msg="\x1b[2J\u202e"'))
    assert isinstance(event, UnexplainedError)
    assert event.text == "\\x1b[2J\\u202e"
    known = LogMatcher().recognise(entry(VIP_LINE.replace("time=", "time=\u202e")))
    assert known is None or known.text.isprintable()


def test_many_streams_do_not_fill_the_memory() -> None:
    recogniser = LogMatcher()
    for number in range(5000):
        recogniser.recognise(entry(VIP_LINE, stream=str(number)))
    assert len(recogniser._streams) <= 256


def test_suppression_is_known_by_its_count_not_by_its_text() -> None:
    assert found("Suppressed 77 messages from docker.service") is None
    assert isinstance(SUPPRESSION, Signature)
