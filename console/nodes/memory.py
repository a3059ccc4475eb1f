"""When each node last answered and since when it has not, kept in the state directory: a glance alone cannot know."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from console.durations import parse_time
from console.errors import DAMAGE, HostError
from console.nodes.values import NodeStatus, NodeStatuses
from console.storage.state import make_private, write_atomically

FILE = "nodes.json"
FRESH_S = 5.0
"""A node that answers is written down again after this time: a glance every few seconds need not write each time."""
Row = dict[str, Any]


class NodeMemory:
    """What earlier readings knew of nodes, by name and address; nothing is kept where there is no state directory.

    It is a convenience: what cannot be read or written is forgotten, and never keeps anything from being shown.
    """

    def __init__(self, state: Path | None) -> None:
        self._path = None if state is None else state / FILE
        self._rows: dict[str, Row] | None = None

    def with_past(self, status: NodeStatus) -> NodeStatus:
        """Return the status of a node that does not answer, with what was known of it before."""
        row = self._known().get(_key(status), {})
        try:
            failing_since = _time(row.get("failing_since")) or status.failing_since
            return replace(
                status,
                answered_at=_time(row.get("answered_at")),
                failing_since=failing_since,
                node_id=str(row.get("node_id") or ""),
                address=str(row.get("address") or ""),
            )
        except DAMAGE:
            return status

    def keep(self, statuses: NodeStatuses) -> None:
        """Remember how nodes are now, for this process and, where it can be written, for later ones."""
        before = self._known()
        now = {_key(status): _row(status) for status in statuses}
        self._rows = {**before, **now}
        if self._path is None or not any(_is_news(before.get(key), row) for key, row in now.items()):
            return
        try:
            make_private(self._path.parent)
            write_atomically(self._path, json.dumps(now, indent=1) + "\n", 0o600)
        except HostError:
            return

    def _known(self) -> Mapping[str, Row]:
        if self._rows is None:
            self._rows = {} if self._path is None else _read(self._path)
        return self._rows


def _read(path: Path) -> dict[str, Row]:
    try:
        rows = json.loads(path.read_bytes())
    except (OSError, *DAMAGE):
        return {}
    return {key: row for key, row in rows.items() if isinstance(row, dict)} if isinstance(rows, dict) else {}


def _key(status: NodeStatus) -> str:
    return f"{status.name} {status.where}"


def _row(status: NodeStatus) -> Row:
    return {
        "answered_at": status.answered_at and status.answered_at.isoformat(),
        "failing_since": status.failing_since and status.failing_since.isoformat(),
        "node_id": status.node_id,
        "address": status.address,
    }


def _is_news(before: Row | None, now: Row) -> bool:
    """Whether a row is worth writing: another state than before, or an answer some time after the last that was written."""
    if before is None or any(before.get(key) != now[key] for key in now if key != "answered_at"):
        return True
    old, new = _time(before.get("answered_at")), _time(now["answered_at"])
    return old != new and (old is None or new is None or abs((new - old).total_seconds()) >= FRESH_S)


def _time(text: object) -> datetime | None:
    return parse_time(str(text)) if text else None
