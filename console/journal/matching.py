"""Which signature a line has. Pure but for the memory of streams that `LogMatcher` keeps.

A signature matches the parsed level, the whole message and the whole error, so that no name, command, image or
label quoted inside another sentence can pass for one. Two further ways in are closed here: journald cuts a line
longer than 48 KiB, and what follows the cut would begin wherever its author wants (`_LINE_BREAK`,
systemd.journal-fields(7)); and a line whose fields name something that is no identifier is no sentence of dockerd's.
"""

import re
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from functools import cache
from types import MappingProxyType

from console.frozen import frozen
from console.journal.failures import field_objects, is_from_agent, match_failure
from console.journal.gossip import GOSSIP
from console.journal.parsing import claimed_level, parse_line
from console.journal.signatures import BARE, SIGNATURES, SUPPRESSION, Signature
from console.journal.values import EMPTY, DaemonLine, JournalEntry
from console.text import clean_error

_OBJECT = "[0-9a-z]{25}"
_KINDS = {
    # identity.NewID of swarmkit: 25 digits to base 36, lower case.
    "service": _OBJECT, "task": _OBJECT, "network": _OBJECT, "removed": _OBJECT, "node": _OBJECT,
    "leader_now": _OBJECT,
    # getLeaderNodeID of swarmkit's manager.
    "leader": f"(?:{_OBJECT}|not yet part of a raft cluster|no cluster leader|an unknown node)",
    "endpoint": "[0-9a-f]{64}",
    # What the engine lets a swarm network be called.
    "name": "[A-Za-z0-9][A-Za-z0-9_-]{0,62}",
    "subnet": "[0-9a-f.:]{2,39}/[0-9]{1,3}",
    "number": "[0-9]{1,10}",
    # The first lines that Go's runtime writes when it dies, and the head of each stack.
    "signal": "SIG[A-Z]{2,8}",
    "goroutine": r"[0-9]{1,19}(?: gp=0x[0-9a-f]+ m=(?:nil|[0-9]+ mp=0x[0-9a-f]+))? \[[^\]\"=]{1,120}\]",
    "text": ".{1,2000}", "text_too": ".{1,2000}",
    # memberlist's names of nodes, and what libnetwork logs about its gossip (networkdb).
    "peer": "[0-9a-f]{12}", "self": "[0-9a-f]{12}",
    "address": r"(?:[0-9.]{7,15}|\[?[0-9a-f:.]{2,45}\]?)", "local": r"\[?[0-9a-f:.]{2,45}\]?:[0-9]{1,5}",
    "hostname": "[A-Za-z0-9][A-Za-z0-9._-]{0,253}",
    "entries": "[0-9]{1,10}", "rate": "[0-9]{1,10}", "queue": "(?:[5-9][0-9]{2}|[1-9][0-9]{3,9})",
}  # fmt: skip
_PLACEHOLDER = re.compile("<([a-z_]+)>")
_FIELDS = {"service.id": "service", "task.id": "task", "node.id": "node"}
_IDENTIFIERS = frozenset({"service", "task", "network", "removed", "node", "peer", "address"})
_LOUD = frozenset({"error", "fatal", "panic"})
_STREAMS = 256
_OBJECT_ID = re.compile(_OBJECT)
_PATTERN_LENGTH, _PATTERN_HEAD = 200, 100
_VARIES = re.compile(rf"\b(?:{_OBJECT}|[0-9a-f]{{12,64}}|\d[\d.:/]*)\b")
_CompiledSignature = tuple[Signature, re.Pattern[str], re.Pattern[str]]
_LEVELS = frozenset(level for signature in (*SIGNATURES, *GOSSIP) for level in signature.levels)


@frozen
class LogEvent:
    """Something known that dockerd or journald said.

    `ids` maps kinds (service, task, network, removed, node) to identifiers of 25 characters; a `peer` is a node by the 12
    hexadecimal digits of the gossip, an `address` that of a node. `text` is clean and
    at most 1000 characters. `dropped` counts messages lost, for a suppression.
    """

    signature: Signature
    at: datetime
    cursor: str
    boot_id: str
    text: str
    ids: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    dropped: int = 0


@frozen
class UnexplainedError:
    """An error of dockerd's that has no signature. `text` is clean, `pattern` the same without what varies.

    `ids` maps kinds to what the line's fields name: a network, a service, the node on which an agent met the error.
    """

    at: datetime
    cursor: str
    text: str
    pattern: str
    ids: Mapping[str, str] = field(default_factory=lambda: EMPTY)


def match_line(line: DaemonLine) -> tuple[Signature, Mapping[str, str]] | None:
    """Return the signature of a parsed line, and the identifiers in it; None when it has none.

    The strict signatures come first; a failure that only its cause identifies comes after them.
    """
    return _match_strictly(line) or match_failure(line)


def _match_strictly(line: DaemonLine) -> tuple[Signature, Mapping[str, str]] | None:
    for signature, message, error in _patterns_of(line.level) if line.level in _LEVELS else ():
        message_match = message.fullmatch(line.message)
        if message_match is None:
            continue
        error_match = error.fullmatch(line.error)
        if error_match is None:
            continue
        groups = message_match.groupdict() | error_match.groupdict()
        # The same kind in message and error is the same object, or the line is not what it seems.
        if any(groups[kind] != message_match[kind] for kind in message_match.groupdict()):
            continue
        ids = {_FIELDS[key]: line.fields[key] for key in _FIELDS if key in line.fields}
        if not all(_OBJECT_ID.fullmatch(value) for value in ids.values()):
            continue
        ids |= {kind: value for kind, value in groups.items() if kind in _IDENTIFIERS}
        ids = {**field_objects(line), **ids} if "removed" not in ids else ids
        return signature, MappingProxyType(ids)
    return None


class LogMatcher:
    """Tells events from entries that are fed to it in the order of the journal."""

    def __init__(self) -> None:
        self._streams: OrderedDict[str, bool] = OrderedDict()

    def recognise(self, entry: JournalEntry) -> LogEvent | UnexplainedError | None:
        """Return what the entry says; None when it says nothing of interest."""
        return self.read(entry)[1]

    def read(self, entry: JournalEntry) -> tuple[DaemonLine, LogEvent | UnexplainedError | None]:
        """Return the entry's line, parsed, and what it says; None when it says nothing of interest."""
        line = parse_line(entry.message)
        return line, self._meaning_of(entry, line)

    def _meaning_of(self, entry: JournalEntry, line: DaemonLine) -> LogEvent | UnexplainedError | None:
        if entry.dropped:
            return _event(entry, SUPPRESSION, EMPTY)
        is_fragment, may_be_one = self._fragment_state(entry)
        is_crash = line.level in BARE and not may_be_one
        if not is_fragment and not entry.is_cut and (line.is_well_formed or is_crash):
            match = match_line(line)
            if match is not None:
                return _event(entry, *match)
        if (line.level or claimed_level(entry.message)) in _LOUD:
            return _unexplained_error(entry, line)
        return None

    def _fragment_state(self, entry: JournalEntry) -> tuple[bool, bool]:
        """Return whether the entry is part of a longer line, and whether it might be."""
        if not entry.stream:
            return bool(entry.line_break), bool(entry.line_break)
        was_broken = self._streams.pop(entry.stream, None)
        self._streams[entry.stream] = bool(entry.line_break)
        if len(self._streams) > _STREAMS:
            self._streams.popitem(last=False)
        is_fragment = bool(entry.line_break) or was_broken is True
        # Nothing is known of a stream before its first entry here, and a fragment needs no quotes to look like
        # a crash: a crash is believed only from the second line on.
        return is_fragment, is_fragment or was_broken is None


def _event(entry: JournalEntry, signature: Signature, ids: Mapping[str, str]) -> LogEvent:
    text = clean_error(entry.message)
    return LogEvent(signature, entry.realtime, entry.cursor, entry.boot_id, text, ids, entry.dropped)


def _unexplained_error(entry: JournalEntry, line: DaemonLine) -> UnexplainedError:
    text = f"{line.message}: {line.error}" if line.error else line.message
    text = clean_error(text)
    # Errors that begin alike may have different causes, and the cause stands last.
    alike = text if len(text) <= _PATTERN_LENGTH else f"{text[:_PATTERN_HEAD]}…{text[-_PATTERN_HEAD:]}"
    ids = {
        kind: value for kind, value in field_objects(line).items() if kind != "node" or is_from_agent(line)
    }
    return UnexplainedError(
        entry.realtime, entry.cursor, text, _VARIES.sub("…", alike), MappingProxyType(ids)
    )


def _compile(template: str) -> re.Pattern[str]:
    seen_kinds: set[str] = set()
    parts: list[str] = []
    for at, piece in enumerate(_PLACEHOLDER.split(template)):
        if at % 2 == 0:
            parts.append(re.escape(piece))
        elif piece in seen_kinds:
            parts.append(f"(?P={piece})")
        else:
            seen_kinds.add(piece)
            parts.append(f"(?P<{piece}>{_KINDS[piece]})")
    return re.compile("".join(parts))


@cache
def _patterns_of(level: str) -> tuple[_CompiledSignature, ...]:
    """Return the signatures of a level; compiled once a line of it needs them, which in a quiet log none does."""
    return tuple(
        (signature, _compile(signature.message), _compile(signature.error))
        for signature in (*SIGNATURES, *GOSSIP)
        if level in signature.levels
    )
