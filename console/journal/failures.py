"""Failures whose error stands behind changing words: of an allocation on a manager, of a task on its node.

The strict signatures come first (`console.journal.signatures`); these here come from the table of causes that
`why` uses too. A line counts as one of these only with its parsed level, its whole message and its whole error. No
decision to restart dockerd rests on them: guard knows the strict signatures of an exhausted network by name.
"""

import re
from collections.abc import Mapping
from functools import cache
from itertools import count
from types import MappingProxyType

from console.causes.registry import CAUSES, cause_of
from console.causes.values import Cause, ErrorSource, fill_command
from console.journal.gossip import GOSSIP
from console.journal.signatures import SIGNATURES, SUPPRESSION, Confidence, LogSeverity, Signature
from console.journal.values import DaemonLine

_ID = "(?:[0-9a-z]{25}|[0-9][0-9a-z]{1,11})"
"""An identifier of swarmkit's, or one that was shortened in what somebody passed on."""
_SOME_ID = re.compile(_ID)
_FULL_ID = re.compile("[0-9a-z]{25}")
_NAME = re.compile("[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
_KINDS = ("service", "task", "network", "node")
FIELDS = {
    "service.id": "service", "service_id": "service", "task.id": "task", "node.id": "node",
    "network.id": "network", "vip.network": "network", "network_id": "network", "nid": "network",
}  # fmt: skip
"""Fields beside the message that hold an identifier, and of what (swarmkit, cnmallocator and the overlay driver)."""
_ID_FIELDS = ("service.id", "task.id", "node.id")
_NAME_FIELDS = {"network": "network", "network.name": "network", "service.name": "service"}
_SECOND_INGRESS = "Cannot allocate ingress network "
"""The one failure of an allocation that is logged as a message alone."""
_NO_STATE = re.compile(f"could not get networker state for network {_ID}")
"""A network that had nothing is removed: there was nothing to give back."""
_AGENT = re.compile(
    "fatal task error|controller resolution failed|task operation failed|task manager failed.{0,40}"
)
_BY_HAND = re.compile(
    r"Handler for POST /(?:v[0-9.]+/)?(?:containers|networks)/[A-Za-z0-9_.-]+/(?:start|restart|connect)(?:\?\S*)? "
    r"returned error: (?P<error>.+)",
    re.DOTALL,
)
_WRAPPERS = re.compile(
    rf"\b(?:ip for|allocation for|pools and gateway ip for|driver state for|attached to|while allocating|retrieve|state for)"
    rf" (?:task (?P<task>{_ID})|network (?P<network>{_ID}))(?: network (?P<network_too>{_ID}))?",
    re.IGNORECASE,
)
_NAMED_ID = re.compile(r"\b(service|task|network|node) ([0-9a-z]{25})\b")
UNKNOWN_ALLOCATION = Signature(
    "allocation-unknown", "allocation failed, reason unknown", ("error", "debug"), "", "",
    "An allocation failed for a reason that this version does not know. Something waits for an address, a subnet or a "
    "port, and may wait until that reason is gone.",
    "The end of the line gives the reason in dockerd's own words. Check the network and the service that it names.",
    LogSeverity.WARNING, Confidence.POSSIBLE, shows_line=True,
)  # fmt: skip
RELEASE_FAILURE = Signature(
    "release-failed", "address or subnet not released", ("error", "debug"), "", "",
    "Swarm could not release an address, a subnet or an allocation. It may stay taken until dockerd restarts or the "
    "leader changes.",
    "Compare the engine's count with the known holders (glance), or take a census.",
    LogSeverity.WARNING, Confidence.POSSIBLE, shows_line=True,
)  # fmt: skip
_SignatureMatch = tuple[Signature, Mapping[str, str]] | None


@cache
def _messages(templates: tuple[str, ...]) -> re.Pattern[str]:
    """Return a pattern for whole messages; `<service>` is an identifier of one. Made once a line needs it."""
    body = "|".join(re.sub("<([a-z]+)>", rf"(?P<\1_@>{_ID})", template) for template in templates)
    number = count()
    return re.compile(re.sub("_@>", lambda _: f"_{next(number)}>", body))


_ALLOCATION = (
    "task allocation failure",
    "failed allocating (?:ingress network|network <network>|service <service>|task <task>) during init",
    "Failed allocation for (?:network <network>|service <service>|task <task>)",
    "Failed allocation during update of service <service>",
    "Failed allocation of unallocated (?:network <network>|service <service>|task <task>)",
    "Failed to allocate network resources for node <node>",
    "error reallocating node <node>",
    "allocation commit failure for task <task>",
    "Failed to commit allocation (?:for|during update for) (?:network <network>|service <service>)",
    "Failed to commit allocation of network resources for (?:nodes|node <node>)",
    "Failed to commit allocation of unallocated (?:networks|services|network <network>|service <service>)",
    (
        "failed committing allocation of (?:ingress network|networks|network <network>|service <service>|task <task>) "
        "during init"
    ),
)
_RELEASE = (
    "error deallocating vip",
    "IPAM failure while releasing (?:VIP|IP) address .{1,60}",
    "Could not parse (?:VIP|IP) address .{0,60} while releasing",
    "Failed deallocation during delete of service <service>",
    "Failed freeing network resources for (?:task <task>|node <node>)",
    "Failed during network free for network <network>",
    "Failed to release (?:address|pool) .{1,80}",
    "error deallocating attachment for network <network> on node <node>",
    "failed to release IP addresses while rolling back allocation for task <task> network <network>",
    "failed rolling back allocation of (?:task <task>|node <node>|service <service>|network <network>)",
    "Failed to commit deallocation of network resources for node <node>",
)


def _signature(cause: Cause) -> Signature:
    return Signature(
        cause.id, cause.title, ("error", "debug"), "", "", cause.meaning, fill_command(cause.advice, {}),
        cause.severity or LogSeverity.NOTE, cause.certainty,
        is_about_node=cause.place is ErrorSource.TASK, shows_line=True,
    )  # fmt: skip


_BY_CAUSE: Mapping[str, Signature] = {
    cause.id: _signature(cause) for cause in CAUSES if cause.severity is not None
}
FAILURES: tuple[Signature, ...] = (*_BY_CAUSE.values(), UNKNOWN_ALLOCATION, RELEASE_FAILURE)
ALL_SIGNATURES: tuple[Signature, ...] = (*SIGNATURES, *GOSSIP, *FAILURES, SUPPRESSION)
"""Everything that a line can be recognised as."""
ALLOCATIONS = frozenset(
    (*(cause.id for cause in CAUSES if cause.place is ErrorSource.ALLOCATOR), UNKNOWN_ALLOCATION.id)
)
"""Those that tell why an allocation failed, in other words than the strict signatures."""


def match_failure(line: DaemonLine) -> tuple[Signature, Mapping[str, str]] | None:
    """Return what a line means that has no strict signature, and the objects in it; None where it is no such failure."""
    if line.level not in ("error", "debug") or not _has_identifiers(line):
        return None
    if line.level != "error":
        return _match_allocation(line)
    return _match_allocation(line) or _match_release(line) or _match_task_failure(line)


def _match_allocation(line: DaemonLine) -> _SignatureMatch:
    if not line.error and line.message.startswith(_SECOND_INGRESS):
        match = cause_of(line.message, ErrorSource.ALLOCATOR)
        return None if match is None else (_BY_CAUSE[match.cause.id], _objects(line, {}, is_agent=False))
    message_match = _messages(_ALLOCATION).fullmatch(line.message)
    if message_match is None or not line.error or line.error != line.error.strip():
        return None
    if not _is_about_the_same(line.error, message_match.groupdict()):
        return None
    match = cause_of(line.error, ErrorSource.ALLOCATOR)
    signature = UNKNOWN_ALLOCATION if match is None else _BY_CAUSE[match.cause.id]
    return signature, _objects(line, message_match.groupdict(), is_agent=False)


def _match_release(line: DaemonLine) -> _SignatureMatch:
    message_match = _messages(_RELEASE).fullmatch(line.message)
    if message_match is None or _NO_STATE.fullmatch(line.error):
        return None
    return RELEASE_FAILURE, _objects(line, message_match.groupdict(), is_agent=False)


def _match_task_failure(line: DaemonLine) -> _SignatureMatch:
    by_hand = None if line.error else _BY_HAND.fullmatch(line.message)
    error = line.error if _AGENT.fullmatch(line.message) else by_hand["error"] if by_hand else ""
    match = cause_of(error) if error else None
    if match is None or match.cause.id not in _BY_CAUSE:
        return None
    return _BY_CAUSE[match.cause.id], _objects(line, match.names, is_agent=True)


def _has_identifiers(line: DaemonLine) -> bool:
    """Whether the fields that swarmkit fills with identifiers hold some: else the line is no sentence of dockerd's."""
    return all(_SOME_ID.fullmatch(line.fields[key]) for key in _ID_FIELDS if key in line.fields)


def _is_about_the_same(error: str, groups: Mapping[str, str | None]) -> bool:
    """Whether the error names no other task or service than the message does."""
    message_ids = _by_kind(groups)
    return all(
        message_ids.get(kind, value) == value for kind, value in _NAMED_ID.findall(error) if kind != "network"
    )


def field_objects(line: DaemonLine) -> Mapping[str, str]:
    """Return the objects that the fields beside a message name, by their kinds; what is no identifier is left out."""
    objects = {
        kind: line.fields[key]
        for key, kind in _NAME_FIELDS.items()
        if _NAME.fullmatch(line.fields.get(key, ""))
    }
    objects |= {
        kind: line.fields[key] for key, kind in FIELDS.items() if _FULL_ID.fullmatch(line.fields.get(key, ""))
    }
    return MappingProxyType(objects)


def is_from_agent(line: DaemonLine) -> bool:
    """Whether an agent wrote the line, so that its node is the one on which something went wrong."""
    return line.fields.get("module", "").startswith("node/agent")


def _objects(line: DaemonLine, groups: Mapping[str, str | None], *, is_agent: bool) -> Mapping[str, str]:
    """Return the objects that a line names: those of its fields, of its error, and of its message, which wins."""
    objects = dict(field_objects(line))
    if not is_agent:
        # Every line of a manager names that manager, which is not at fault.
        objects.pop("node", None)
    error = line.error or line.message
    objects |= dict(_NAMED_ID.findall(error))
    for wrapper in _WRAPPERS.finditer(error):
        objects |= _by_kind(wrapper.groupdict())
    return MappingProxyType(objects | _by_kind(groups))


def _by_kind(groups: Mapping[str, str | None]) -> dict[str, str]:
    pairs = ((key.partition("_")[0], value) for key, value in groups.items())
    return {kind: value for kind, value in pairs if value and kind in _KINDS}
