"""Where the engine is asked for what: the paths of its API, with the filters that are part of a question."""

import json
from datetime import UTC, datetime
from urllib.parse import quote

SHORT_ID = 12
"""Characters of an ID to inspect a network by. By its full ID a node that takes part in it answers with its own
counters instead of the leader's (docker-v29.7.2, daemon/server/router/network/network_routes.go), and by name a
healthy network can be answered 404 while another one is unallocated."""

EVERY_RUNTIME = {"runtime": ["container", "attachment", ""]}
"""Without it the engine hides the tasks behind standalone containers (moby daemon/cluster/tasks.go)."""
TASKS = f"/tasks?filters={quote(json.dumps(EVERY_RUNTIME))}"
MANAGERS = f"/nodes?filters={quote(json.dumps({'role': ['manager']}))}"
"""The filter goes by the role that a node has. What a node shows is only the role that it is to get
(moby daemon/cluster/convert/node.go)."""
CONTAINERS = "/containers/json?all=1"
RUNNING_CONTAINERS = "/containers/json"


def path_of(network_id: str) -> str:
    """Return where a network is inspected."""
    return f"/networks/{quote(network_id[:SHORT_ID], safe='')}"


def events_path(since: datetime, until: datetime) -> str:
    """Return where the events between two moments of the engine's clock are read, kept ones and new ones.

    While `until` is to come, the engine answers what happens, and ends its answer then (moby
    daemon/server/router/system/system_routes.go).
    """
    return f"/events?since={moment_text(since)}&until={moment_text(until)}"


def moment_text(at: datetime) -> str:
    """Return a moment as the engine reads it: seconds and nine decimals."""
    whole = at.astimezone(UTC)
    return f"{int(whole.timestamp())}.{whole.microsecond * 1000:09d}"
