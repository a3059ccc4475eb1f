"""Follows live tasks and keeps the log of leaks that were watched happening, from one snapshot to the next. Pure.

A task that was seen alive while one of its networks was gone leaks, whenever it ends, its addresses on the networks that
remain: a removed network does not come back. One that ended while all its networks were there has leaked nothing. Where
one snapshot showed the task and the network, and the next neither, which of them went first was not seen: then nothing is
entered, and the leak log says so. All this holds only if a snapshot asks for the tasks after the networks.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import field, replace
from datetime import datetime
from ipaddress import IPv4Address

from console.addresses.holders import task_name
from console.addresses.leaks import (
    AllocatorGeneration,
    LeakEntry,
    LeakLog,
    MonitoringGap,
    allocator_of,
    subtract_addresses,
    valid_entries,
)
from console.errors import Unknown, known
from console.frozen import frozen
from console.swarm.model import Attachment, Network, SwarmState, Task
from console.text import listed, plural

Services = Mapping[str, tuple[str, str]]
"""Name and stack by ID, also of services that are gone and still have live tasks."""
ENDING_INTERVAL_S = 1.5
"""While tasks are ending, so long without a snapshot may leave something out."""
IDLE_INTERVAL_S = 10.0
"""The same with nothing ending: a stack takes longer to come, to run and to go."""
MAX_WAIT_S = 120.0
"""A task that has been stopping for so long is no longer a reason for frequent snapshots."""
MAX_ENTRIES = 5000
MAX_GAPS = 50
MAX_INCOMPLETE_LISTS = 3
"""After so many incomplete lists in a row the next one counts as complete."""
INCOMPLETE_LIST = Unknown(
    "The engine listed only its own networks, not the swarm's.", "Its leader may be changing."
)


@frozen
class TrackedTask:
    """A live task that has addresses on several networks, and what the tracker remembers of it."""

    task: Task
    name: str
    service_name: str
    stack: str
    stopping_s: float | None
    """Since when it was seen stopping, by the monotonic clock."""
    removed_network: str = ""
    """The network that was removed under it; nothing while all are there."""
    is_past: bool = False
    """Whether the allocator was rebuilt after that: then it is unknown what it holds."""

    @property
    def attachments(self) -> tuple[Attachment, ...]:
        """The networks on which it has addresses."""
        return tuple(attachment for attachment in self.task.attachments if attachment.addresses)


@frozen
class KnownNetworks:
    """The overlays of a swarm, those removed lately, and those that tasks name but no list shows."""

    there: Mapping[str, Network]
    """Overlays of the swarm, by ID."""
    removed_names: Mapping[str, str]
    """Names of removed ones that live tasks may still be on."""
    missing: frozenset[str] = frozenset()
    """Never there, and yet tasks are on them: those that are missing twice are gone."""


def track_tasks(
    swarm: SwarmState,
    before: Mapping[str, TrackedTask],
    services: Services,
    known_networks: KnownNetworks,
    ended_s: float,
) -> tuple[Mapping[str, TrackedTask], frozenset[str]]:
    """Return the tracked tasks of a snapshot by ID, and the networks that are missing for the first time.

    `before` are those of the last snapshot; `ended_s` is when this one was over, by the monotonic clock.
    """
    names = {key: name for key, (name, _) in services.items()}
    nodes = {node.id: node.hostname for node in known(swarm.nodes, ())}
    tracked_tasks: dict[str, TrackedTask] = {}
    missing = set[str]()
    for task in known(swarm.tasks, ()):
        if not task.is_alive or sum(bool(attachment.addresses) for attachment in task.attachments) < 2:
            continue
        tracked_task = before.get(task.id) or _track_task(task, swarm, services, names, nodes)
        stopping_s = (
            ended_s if task.is_stopping and tracked_task.stopping_s is None else tracked_task.stopping_s
        )
        removed_network = tracked_task.removed_network
        for attachment in tracked_task.attachments:
            if attachment.network_id in known_networks.there or removed_network:
                continue
            if attachment.network_id in known_networks.removed_names:
                removed_network = known_networks.removed_names[attachment.network_id]
            elif attachment.network_id in known_networks.missing:
                removed_network = attachment.network_name or attachment.network_id[:12]
            else:
                missing.add(attachment.network_id)
        if tracked_task.task is not task or (stopping_s, removed_network) != (
            tracked_task.stopping_s,
            tracked_task.removed_network,
        ):
            tracked_task = replace(
                tracked_task, task=task, stopping_s=stopping_s, removed_network=removed_network
            )
        tracked_tasks[task.id] = tracked_task
    return tracked_tasks, frozenset(missing)


def _track_task(
    task: Task, swarm: SwarmState, services: Services, names: Mapping[str, str], nodes: Mapping[str, str]
) -> TrackedTask:
    service, stack = services.get(task.service_id) or (_service_by_container(task, swarm), task.stack)
    if service:
        names = {**names, task.service_id: service} if task.service_id not in names else names
    return TrackedTask(task, task_name(task, names, nodes), service, stack, None)


def _service_by_container(task: Task, swarm: SwarmState) -> str:
    """Return the name in that of the task's container, such as `web_app.1.<task>`, which only its own node tells."""
    for network in known(swarm.networks, ()):
        for endpoint in () if isinstance(network.detail, Unknown) else network.detail.endpoints:
            if endpoint.key == task.container_id and endpoint.name.endswith(f".{task.id}"):
                return endpoint.name.removesuffix(f".{task.id}").rpartition(".")[0]
    return ""


@frozen
class LeakTracker:
    """The leak log, and what the next step must know of the snapshots before it."""

    leak_log: LeakLog = field(default_factory=LeakLog)
    last_snapshot_s: float = 0.0
    """When the swarm was last seen, by the monotonic clock."""
    last_snapshot_at: datetime | None = None
    """The same by the engine's clock; None before the first time."""
    allocator: AllocatorGeneration | None = None
    rebuilt_at: datetime | None = None
    tracked_tasks: Mapping[str, TrackedTask] = field(default_factory=dict)
    known_networks: KnownNetworks = field(default_factory=lambda: KnownNetworks({}, {}))
    services: Services = field(default_factory=dict)
    incomplete_lists: int = 0
    """How many incomplete lists came in a row."""
    longest_idle_s: float = IDLE_INTERVAL_S
    """With nothing ending, so long until the next snapshot leaves nothing out: longer where events tell of changes."""

    def without_leftovers(self, swarm: SwarmState) -> SwarmState:
        """Return a swarm without the networks that it has removed, where the list still has this node's copies.

        The very same swarm where there are none.
        """
        networks = known(swarm.networks, ())
        leftovers = [
            network
            for network in networks
            if network.is_overlay and network.id in self.known_networks.removed_names
        ]
        return (
            replace(swarm, networks=tuple(network for network in networks if network not in leftovers))
            if leftovers
            else swarm
        )

    def is_ending(self) -> bool:
        """Whether any task is ending that may leak, and has not been doing so for too long to wait for it."""
        stopping = (task.stopping_s for task in self.tracked_tasks.values())
        return any(
            stopping_s is not None and self.last_snapshot_s - stopping_s <= MAX_WAIT_S
            for stopping_s in stopping
        )


def step(
    leak_tracker: LeakTracker,
    swarm: SwarmState,
    ended_s: float,
    rebuilt_at: datetime | None = None,
    removed_ids: Collection[str] = (),
) -> LeakTracker:
    """Return the leak tracker after another snapshot, which was over at `ended_s` by the monotonic clock.

    `rebuilt_at` is when the allocator was rebuilt, by dockerd's log. `removed_ids` are networks that the engine's
    events reported as removed before the snapshot began.
    """
    engine = swarm.engine
    if isinstance(engine, Unknown):
        return _note_read_failure(leak_tracker, engine)
    for result in (swarm.networks, swarm.services, swarm.tasks):
        if isinstance(result, Unknown):
            return _note_read_failure(leak_tracker, result)
    now, known_networks = engine.time, _update_networks(leak_tracker, swarm, removed_ids)
    referenced_ids = {
        network_id for service in known(swarm.services, ()) for network_id in service.network_ids
    }
    if (
        not referenced_ids.isdisjoint(known_networks.removed_names)
        and leak_tracker.incomplete_lists < MAX_INCOMPLETE_LISTS
    ):
        # Swarm removes no network that a service names, but an engine that cannot reach the leader lists its own copies.
        return replace(
            _note_read_failure(leak_tracker, INCOMPLETE_LIST),
            incomplete_lists=leak_tracker.incomplete_lists + 1,
        )
    leak_tracker = _drop_stale_entries(leak_tracker, swarm, rebuilt_at)
    services = {
        **leak_tracker.services,
        **{service.id: (service.name, service.stack) for service in known(swarm.services, ())},
    }
    tracked_tasks, missing = track_tasks(swarm, leak_tracker.tracked_tasks, services, known_networks, ended_s)
    ended_tasks = [
        tracked_task for key, tracked_task in leak_tracker.tracked_tasks.items() if key not in tracked_tasks
    ]
    entries = valid_entries(
        (*_new_entries(ended_tasks, known_networks, now), *leak_tracker.leak_log.entries),
        swarm,
        known_networks.there,
    )
    gaps = (
        *_new_gaps(leak_tracker, _unclear_removals(ended_tasks, known_networks), now, ended_s),
        *leak_tracker.leak_log.past_gaps,
    )
    leak_log = LeakLog(leak_tracker.leak_log.monitored_since or now, entries[:MAX_ENTRIES], gaps[:MAX_GAPS])
    on = {attachment.network_id for task in tracked_tasks.values() for attachment in task.attachments}
    on |= {network.id for network in known(swarm.networks, ())}
    owners = {task.task.service_id for task in tracked_tasks.values()}
    there = {service.id for service in known(swarm.services, ())}
    return LeakTracker(
        # The identical object where nothing changed, so that a screen can tell by identity.
        leak_tracker.leak_log if leak_log == leak_tracker.leak_log else leak_log,
        ended_s,
        now,
        leak_tracker.allocator if isinstance(swarm.nodes, Unknown) else allocator_of(swarm),
        leak_tracker.rebuilt_at,
        tracked_tasks,
        KnownNetworks(
            known_networks.there,
            {key: name for key, name in known_networks.removed_names.items() if key in on},
            missing,
        ),
        {key: value for key, value in services.items() if key in there or key in owners},
    )


def add_entries(leak_tracker: LeakTracker, entries: tuple[LeakEntry, ...]) -> LeakTracker:
    """Add the entries of an earlier session; the next step drops those that are no longer valid."""
    return replace(
        leak_tracker,
        leak_log=replace(leak_tracker.leak_log, entries=(*leak_tracker.leak_log.entries, *entries)),
    )


def drop_addresses(
    leak_tracker: LeakTracker, network_id: str, addresses: Collection[IPv4Address]
) -> LeakTracker:
    """Drop addresses of a network from the leak log: the engine's own count says that they did not leak."""
    entries = tuple(
        remaining
        for entry in leak_tracker.leak_log.entries
        if (remaining := subtract_addresses(entry, addresses) if entry.network_id == network_id else entry)
        is not None
    )
    if entries == leak_tracker.leak_log.entries:
        return leak_tracker
    return replace(leak_tracker, leak_log=replace(leak_tracker.leak_log, entries=entries))


def _note_read_failure(leak_tracker: LeakTracker, why: Unknown) -> LeakTracker:
    if leak_tracker.last_snapshot_at is None or leak_tracker.leak_log.open_gap is not None:
        return leak_tracker
    gap = MonitoringGap(leak_tracker.last_snapshot_at, None, f"The swarm could not be read. {why.reason}")
    return replace(
        leak_tracker,
        leak_log=replace(leak_tracker.leak_log, gaps=(gap, *leak_tracker.leak_log.gaps)[:MAX_GAPS]),
    )


def _update_networks(
    leak_tracker: LeakTracker, swarm: SwarmState, removed_ids: Collection[str]
) -> KnownNetworks:
    before = leak_tracker.known_networks
    there = {
        network.id: network
        for network in known(swarm.networks, ())
        if network.is_overlay
        and network.id not in removed_ids
        and network.id not in before.removed_names
        # A node's copy of a removed network has its ID, and was made at another time.
        and (network.id not in before.there or before.there[network.id].created == network.created)
    }
    removed_names = {key: network.name for key, network in before.there.items() if key not in there}
    return KnownNetworks(there, {**before.removed_names, **removed_names}, before.missing)


def _drop_stale_entries(
    leak_tracker: LeakTracker, swarm: SwarmState, rebuilt_at: datetime | None
) -> LeakTracker:
    """Drop the entries that became stale when the allocator was rebuilt."""
    then, now, leak_log = leak_tracker.allocator, allocator_of(swarm), leak_tracker.leak_log
    if rebuilt_at is not None and any(entry.ended_at <= rebuilt_at for entry in leak_log.entries):
        leak_log = replace(
            leak_log, entries=tuple(entry for entry in leak_log.entries if entry.ended_at > rebuilt_at)
        )
        leak_tracker = replace(leak_tracker, leak_log=leak_log)
    if leak_tracker.last_snapshot_at is not None and not isinstance(swarm.nodes, Unknown) and now != then:
        # Without a leader there is no allocator, and the next one is built from scratch.
        gaps = leak_log.gaps[:1] if leak_log.open_gap else ()
        if gaps and now and then and now.leader_id == then.leader_id and now.daemon_began is not None:
            gaps = (replace(gaps[0], since=max(gaps[0].since, now.daemon_began)),)
        leak_log = replace(leak_log, entries=(), gaps=gaps)
    elif rebuilt_at is not None and _is_news(rebuilt_at, leak_tracker):
        gaps = tuple(gap for gap in leak_log.gaps if gap.until is None or gap.until > rebuilt_at)
        leak_log = replace(leak_log, gaps=gaps)
    else:
        return leak_tracker
    tracked_tasks = {
        key: replace(tracked_task, is_past=bool(tracked_task.removed_network))
        for key, tracked_task in leak_tracker.tracked_tasks.items()
    }
    return replace(
        leak_tracker,
        leak_log=leak_log,
        rebuilt_at=rebuilt_at or leak_tracker.rebuilt_at,
        tracked_tasks=tracked_tasks,
    )


def _is_news(rebuilt_at: datetime, leak_tracker: LeakTracker) -> bool:
    known_since = leak_tracker.rebuilt_at or leak_tracker.leak_log.monitored_since
    return known_since is not None and rebuilt_at > known_since


def _new_entries(
    ended_tasks: list[TrackedTask], known_networks: KnownNetworks, now: datetime
) -> Iterator[LeakEntry]:
    for tracked_task in ended_tasks:
        if not tracked_task.removed_network or tracked_task.is_past:
            continue
        for attachment in tracked_task.attachments:
            addresses = tuple(address for address in attachment.addresses if isinstance(address, IPv4Address))
            if attachment.network_id in known_networks.there and addresses:
                yield LeakEntry(
                    attachment.network_id,
                    known_networks.there[attachment.network_id].name,
                    addresses,
                    tracked_task.task.id,
                    tracked_task.name,
                    tracked_task.service_name,
                    tracked_task.stack,
                    tracked_task.removed_network,
                    now,
                )


def _unclear_removals(ended_tasks: list[TrackedTask], known_networks: KnownNetworks) -> list[tuple[str, str]]:
    """Return (task, network) pairs of which the order of removal is unknown."""
    return [
        (tracked_task.name, known_networks.removed_names.get(attachment.network_id, attachment.network_name))
        for tracked_task in ended_tasks
        if not tracked_task.removed_network
        for attachment in tracked_task.attachments
        if attachment.network_id not in known_networks.there
    ]


def _new_gaps(
    leak_tracker: LeakTracker, unclear_removals: list[tuple[str, str]], now: datetime, ended_s: float
) -> Iterator[MonitoringGap]:
    """Yield why the time since the last snapshot was not watched closely enough, where it was not."""
    if leak_tracker.last_snapshot_at is None:
        return
    since, open_gap, apart_s = (
        min(leak_tracker.last_snapshot_at, now),
        leak_tracker.leak_log.open_gap,
        ended_s - leak_tracker.last_snapshot_s,
    )
    if unclear_removals:
        tasks = list(dict.fromkeys(task for task, _ in unclear_removals))
        networks = listed(list(dict.fromkeys(network for _, network in unclear_removals)))
        verb = "was" if len(unclear_removals) == 1 else "were"
        yield MonitoringGap(
            since,
            now,
            f"{plural(len(tasks), 'task')} ended ({listed(tasks)}) and {networks} {verb} removed between two snapshots: "
            "their order, and so what leaked, is unknown.",
        )
    elif apart_s > (ENDING_INTERVAL_S if leak_tracker.is_ending() else leak_tracker.longest_idle_s):
        why = f"No snapshot was taken for {apart_s:.1f} s." if open_gap is None else open_gap.why
        yield MonitoringGap(since if open_gap is None else min(open_gap.since, now), now, why)
