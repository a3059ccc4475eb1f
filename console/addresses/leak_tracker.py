"""Follows live tasks and keeps the log of leaks that were watched happening, from one snapshot to the next. Pure.

A task that was seen alive while one of its networks was gone leaks, whenever it ends, its addresses on the networks that
remain: a removed network does not come back. One that ended while all its networks were there has leaked nothing. Where
one snapshot showed the task and the network, and the next neither, which of them went first was not seen: the engine's
events may tell it (`settle`), and where they do not, nothing is entered, and the leak log says so. All this holds only if a
snapshot asks for the tasks after the networks.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import field, replace
from datetime import datetime
from ipaddress import IPv4Address

from console.addresses.leaks import (
    AllocatorGeneration,
    LeakEntry,
    LeakLog,
    MonitoringGap,
    allocator_of,
    subtract_addresses,
    valid_entries,
)
from console.addresses.removal_order import (
    EventTimes,
    RemovalOrder,
    UnsettledTask,
    ended_at,
    first_removed,
    order_of,
)
from console.addresses.tracked_tasks import KnownNetworks, Services, TasksBefore, TrackedTask, track_tasks
from console.errors import Unknown, known
from console.frozen import frozen
from console.swarm.model import SwarmState
from console.text import listed, plural

ENDING_INTERVAL_S = 1.5
"""While tasks are ending, so long without a snapshot may leave something out that no event tells."""
IDLE_INTERVAL_S = 10.0
"""The same with nothing ending: a stack takes longer to come, to run and to go."""
MAX_WAIT_S = 120.0
"""A task that has been stopping for so long is no longer a reason for frequent snapshots."""
ORDER_WAIT_S = 2.0
"""So long the events that tell an order may take to arrive."""
MAX_ENTRIES = 5000
MAX_GAPS = 50
MAX_INCOMPLETE_LISTS = 3
"""After so many incomplete lists in a row the next one counts as complete."""
INCOMPLETE_LIST = Unknown(
    "The engine listed only its own networks, not the swarm's.", "Its leader may be changing."
)


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
    has_events: bool = False
    """Whether the engine's events may tell what the next snapshot does not."""
    unsettled_tasks: tuple[UnsettledTask, ...] = ()
    """Tasks of which events have yet to tell whether they ended before their network went."""
    resumed_at: datetime | None = None
    """Until when an earlier session followed the tracked tasks, by the engine's clock; None after the first step."""

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
    events reported as removed before the snapshot began. Where the tracker has events, `settle` is to follow.
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
    last_at = leak_tracker.last_snapshot_at or leak_tracker.resumed_at
    tracked_tasks, missing = track_tasks(
        swarm, TasksBefore(leak_tracker.tracked_tasks, last_at), services, known_networks, ended_s
    )
    ended_tasks = [
        tracked_task for key, tracked_task in leak_tracker.tracked_tasks.items() if key not in tracked_tasks
    ]
    entries = valid_entries(
        (*_new_entries(ended_tasks, known_networks, now), *leak_tracker.leak_log.entries),
        swarm,
        known_networks.there,
    )
    unsettled_tasks = tuple(
        _unsettled_tasks(
            ended_tasks, known_networks, now if last_at is None else min(last_at, now), now, ended_s
        )
    )
    order_gaps = () if leak_tracker.has_events else tuple(_order_gaps(unsettled_tasks))
    gaps = (
        *(order_gaps or _late_gaps(leak_tracker, now, ended_s)),
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
        unsettled_tasks=(*leak_tracker.unsettled_tasks, *unsettled_tasks) if leak_tracker.has_events else (),
    )


def settle(leak_tracker: LeakTracker, swarm: SwarmState, times: EventTimes, now_s: float) -> LeakTracker:
    """Enter what events tell of tasks that ended between two snapshots in which their network went too.

    Those of which they tell nothing are waited for a little, and then the leak log says so. `swarm` is that of the last step.
    """
    if not leak_tracker.unsettled_tasks or leak_tracker.leak_log.open_gap is not None:
        return leak_tracker
    there = leak_tracker.known_networks.there
    entries: list[LeakEntry] = []
    waiting: list[UnsettledTask] = []
    given_up: list[UnsettledTask] = []
    for task in leak_tracker.unsettled_tasks:
        order = order_of(task, times)
        if order is RemovalOrder.LEAKED:
            tracked_task = replace(task.tracked_task, removed_network=first_removed(task, times))
            entries += _entries_of(tracked_task, leak_tracker.known_networks, ended_at(task, times))
        elif order is RemovalOrder.UNKNOWN:
            (waiting if now_s - task.noticed_s < ORDER_WAIT_S else given_up).append(task)
    leak_log = leak_tracker.leak_log
    if entries or given_up:
        leak_log = replace(
            leak_log,
            entries=(*valid_entries(tuple(entries), swarm, there), *leak_log.entries)[:MAX_ENTRIES],
            gaps=(*_order_gaps(given_up), *leak_log.gaps)[:MAX_GAPS],
        )
    return replace(leak_tracker, leak_log=leak_log, unsettled_tasks=tuple(waiting))


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
        unsettled_tasks=(),
    )


def _is_news(rebuilt_at: datetime, leak_tracker: LeakTracker) -> bool:
    known_since = leak_tracker.rebuilt_at or leak_tracker.leak_log.monitored_since
    return known_since is not None and rebuilt_at > known_since


def _new_entries(
    ended_tasks: list[TrackedTask], known_networks: KnownNetworks, now: datetime
) -> Iterator[LeakEntry]:
    for tracked_task in ended_tasks:
        if tracked_task.removed_network and not tracked_task.is_past:
            yield from _entries_of(tracked_task, known_networks, now)


def _entries_of(
    tracked_task: TrackedTask, known_networks: KnownNetworks, at: datetime
) -> Iterator[LeakEntry]:
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
                at,
            )


def _unsettled_tasks(
    ended_tasks: list[TrackedTask],
    known_networks: KnownNetworks,
    since: datetime,
    now: datetime,
    ended_s: float,
) -> Iterator[UnsettledTask]:
    """Yield the tasks of which the order of their end and a removal was not seen."""
    for tracked_task in ended_tasks:
        removed_names = {
            attachment.network_id: known_networks.removed_names.get(
                attachment.network_id, attachment.network_name
            )
            for attachment in tracked_task.attachments
            if attachment.network_id not in known_networks.there
        }
        if removed_names and not tracked_task.removed_network:
            wanted_at = tracked_task.wanted_at if tracked_task.task.is_stopping else since
            yield UnsettledTask(tracked_task, removed_names, wanted_at, since, now, ended_s)


def _order_gaps(unsettled_tasks: Collection[UnsettledTask]) -> Iterator[MonitoringGap]:
    """Yield that the order of tasks and networks is unknown, newest first, once for those that went in the same snapshot."""
    for until in sorted({task.until for task in unsettled_tasks}, reverse=True):
        together = [task for task in unsettled_tasks if task.until == until]
        ends = [end for task in together for end in task.ends]
        tasks = list(dict.fromkeys(task for task, _ in ends))
        networks = list(dict.fromkeys(network for _, network in ends))
        verb = "was" if len(networks) == 1 else "were"
        yield MonitoringGap(
            min(task.since for task in together),
            until,
            f"{plural(len(tasks), 'task')} ended ({listed(tasks)}) and {listed(networks)} {verb} removed between two "
            "snapshots: their order, and so what leaked, is unknown.",
        )


def _late_gaps(leak_tracker: LeakTracker, now: datetime, ended_s: float) -> Iterator[MonitoringGap]:
    """Yield why the time since the last snapshot was not watched closely enough, where it was not."""
    if leak_tracker.last_snapshot_at is None:
        return
    since, open_gap = min(leak_tracker.last_snapshot_at, now), leak_tracker.leak_log.open_gap
    apart_s = ended_s - leak_tracker.last_snapshot_s
    # A task that ended with its network meanwhile is told of by itself where events may settle it.
    is_close = leak_tracker.is_ending() and not leak_tracker.has_events
    if apart_s > (ENDING_INTERVAL_S if is_close else leak_tracker.longest_idle_s):
        why = f"No snapshot was taken for {apart_s:.1f} s." if open_gap is None else open_gap.why
        yield MonitoringGap(since if open_gap is None else min(open_gap.since, now), now, why)
