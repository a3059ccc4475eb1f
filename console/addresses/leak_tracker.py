"""Follows live tasks and keeps the log of leaks that were watched happening, from one snapshot to the next. Pure.

A task that was seen alive while one of its networks was gone leaks, whenever it ends, its addresses on the networks that
remain: a removed network does not come back. One that ended while all its networks were there has leaked nothing. Where
one snapshot showed the task and the network, and the next neither, which of them went first was not seen: then nothing is
entered, and the leak log says so. All this holds only if a snapshot asks for the tasks after the networks.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from ipaddress import IPv4Address

from console.addresses.holders import task_name
from console.addresses.leaks import Allocator, Entry, Ledger, Unwatched, allocator_of
from console.errors import Unknown, known
from console.swarm.values import Attachment, Network, SwarmState, Task
from console.text import listed, plural


@dataclass(frozen=True, slots=True)
class Ward:
    """A live task that has addresses on several networks, and what is remembered of it."""

    task: Task
    name: str
    service_name: str
    stack: str
    stopping_s: float | None
    """Since when it was seen stopping, by the monotonic clock."""
    removed: str = ""
    """The network that was removed under it; nothing while all are there."""
    is_past: bool = False
    """Whether the allocator was rebuilt after that: then it is unknown what it holds."""

    @property
    def placed(self) -> tuple[Attachment, ...]:
        """The networks on which it has addresses."""
        return tuple(each for each in self.task.attachments if each.addresses)


Services = Mapping[str, tuple[str, str]]
"""Name and stack by ID, also of services that are gone and still have live tasks."""


@dataclass(frozen=True, slots=True)
class Land:
    """Which networks are there and which are gone."""

    there: Mapping[str, Network]
    """Overlays of the swarm, by ID."""
    gone: Mapping[str, str]
    """Names of removed ones that live tasks may still be on."""
    missing: frozenset[str] = frozenset()
    """Never there, and yet tasks are on them: those that are missing twice are gone."""


def wards_of(
    swarm: SwarmState, before: Mapping[str, Ward], services: Services, land: Land, seen_s: float
) -> tuple[Mapping[str, Ward], frozenset[str]]:
    """Return the wards of a snapshot by task ID, and the networks that are missing for the first time.

    `before` are those of the last snapshot; `seen_s` is when this one was over, by the monotonic clock.
    """
    names = {key: name for key, (name, _) in services.items()}
    nodes = {each.id: each.hostname for each in known(swarm.nodes, ())}
    found: dict[str, Ward] = {}
    missing = set[str]()
    for task in known(swarm.tasks, ()):
        if not task.is_alive or sum(bool(each.addresses) for each in task.attachments) < 2:
            continue
        ward = before.get(task.id) or _new_ward(task, swarm, services, names, nodes)
        stopping_s = seen_s if task.is_stopping and ward.stopping_s is None else ward.stopping_s
        removed = ward.removed
        for each in ward.placed:
            if each.network_id in land.there or removed:
                continue
            if each.network_id in land.gone:
                removed = land.gone[each.network_id]
            elif each.network_id in land.missing:
                removed = each.network_name or each.network_id[:12]
            else:
                missing.add(each.network_id)
        if ward.task is not task or (stopping_s, removed) != (ward.stopping_s, ward.removed):
            ward = replace(ward, task=task, stopping_s=stopping_s, removed=removed)
        found[task.id] = ward
    return found, frozenset(missing)


def _new_ward(
    task: Task, swarm: SwarmState, services: Services, names: Mapping[str, str], nodes: Mapping[str, str]
) -> Ward:
    service, stack = services.get(task.service_id) or (_service_by_container(task, swarm), task.stack)
    if service:
        names = {**names, task.service_id: service} if task.service_id not in names else names
    return Ward(task, task_name(task, names, nodes), service, stack, None)


def _service_by_container(task: Task, swarm: SwarmState) -> str:
    """Return the name in that of the task's container, such as `web_app.1.<task>`, which only its own node tells."""
    for network in known(swarm.networks, ()):
        for endpoint in () if isinstance(network.detail, Unknown) else network.detail.endpoints:
            if endpoint.key == task.container_id and endpoint.name.endswith(f".{task.id}"):
                return endpoint.name.removesuffix(f".{task.id}").rpartition(".")[0]
    return ""


CLOSE_S = 1.5
"""While tasks are ending, so long without a snapshot may leave something out."""
LOOSE_S = 10.0
"""The same with nothing ending: a stack takes longer to come, to run and to go."""
PATIENCE_S = 120.0
"""A task that has been stopping for so long is no reason any more to look closely."""
ENTRIES_KEPT = 5000
GAPS_KEPT = 50
HALF_LISTS = 3
"""After this many in a row it is believed."""
HALF_A_LIST = Unknown(
    "The engine listed only its own networks, not the swarm's.", "Its leader may be changing."
)


@dataclass(frozen=True, slots=True)
class Books:
    """The leak log, and what the next step must know of the snapshots before it."""

    ledger: Ledger = field(default_factory=Ledger)
    seen_s: float = 0.0
    """When the swarm was last seen, by the monotonic clock."""
    seen_at: datetime | None = None
    """The same by the engine's clock; None before the first time."""
    allocator: Allocator | None = None
    rebuilt_at: datetime | None = None
    wards: Mapping[str, Ward] = field(default_factory=dict)
    land: Land = field(default_factory=lambda: Land({}, {}))
    services: Services = field(default_factory=dict)
    half_lists: int = 0
    """How many snapshots in a row were not believed."""

    def without_leftovers(self, swarm: SwarmState) -> SwarmState:
        """Return a swarm without the networks that it has removed, where the list still has this node's copies.

        The very same swarm where there are none.
        """
        networks = known(swarm.networks, ())
        gone = [each for each in networks if each.is_overlay and each.id in self.land.gone]
        return (
            replace(swarm, networks=tuple(each for each in networks if each not in gone)) if gone else swarm
        )

    def is_ending(self) -> bool:
        """Whether any task is ending that may leak, and has not been doing so for too long to wait for it."""
        stopping = (each.stopping_s for each in self.wards.values())
        return any(each is not None and self.seen_s - each <= PATIENCE_S for each in stopping)


def step(
    books: Books,
    swarm: SwarmState,
    seen_s: float,
    rebuilt_at: datetime | None = None,
    removed: Collection[str] = (),
) -> Books:
    """Return the books after another snapshot, which was over at `seen_s` by the monotonic clock.

    `rebuilt_at` is when the allocator was rebuilt, by dockerd's log. `removed` are networks (IDs) that the engine
    told to be removed before the snapshot began.
    """
    engine = swarm.engine
    if isinstance(engine, Unknown):
        return _blind(books, engine)
    for part in (swarm.networks, swarm.services, swarm.tasks):
        if isinstance(part, Unknown):
            return _blind(books, part)
    now, land = engine.time, _land(books, swarm, removed)
    referenced = {one for each in known(swarm.services, ()) for one in each.network_ids}
    if not referenced.isdisjoint(land.gone) and books.half_lists < HALF_LISTS:
        # Swarm removes no network that a service names, but an engine that cannot reach the leader lists its own copies.
        return replace(_blind(books, HALF_A_LIST), half_lists=books.half_lists + 1)
    books = _of_this_allocator(books, swarm, rebuilt_at)
    services = {**books.services, **{each.id: (each.name, each.stack) for each in known(swarm.services, ())}}
    wards, missing = wards_of(swarm, books.wards, services, land, seen_s)
    ended = [each for key, each in books.wards.items() if key not in wards]
    entries = still_lost((*_leaked(ended, land, now), *books.ledger.entries), swarm, land.there)
    gaps = (*_gaps(books, _doubtful(ended, land), now, seen_s), *_closed(books.ledger))
    ledger = Ledger(books.ledger.watched_since or now, entries[:ENTRIES_KEPT], gaps[:GAPS_KEPT])
    on = {one.network_id for each in wards.values() for one in each.placed}
    on |= {each.id for each in known(swarm.networks, ())}
    owners = {each.task.service_id for each in wards.values()}
    there = {each.id for each in known(swarm.services, ())}
    return Books(
        # The identical object where nothing changed, so that a screen can tell by identity.
        books.ledger if ledger == books.ledger else ledger,
        seen_s,
        now,
        books.allocator if isinstance(swarm.nodes, Unknown) else allocator_of(swarm),
        books.rebuilt_at,
        wards,
        Land(land.there, {key: name for key, name in land.gone.items() if key in on}, missing),
        {key: value for key, value in services.items() if key in there or key in owners},
    )


def seeded(books: Books, entries: tuple[Entry, ...]) -> Books:
    """Return books that know what an earlier session saw leaking; the next step takes out what holds no more."""
    return replace(books, ledger=replace(books.ledger, entries=(*books.ledger.entries, *entries)))


def without(books: Books, network_id: str, addresses: Collection[IPv4Address]) -> Books:
    """Return the books without these addresses of a network: the engine's own count says that they did not leak."""
    entries = tuple(
        left
        for each in books.ledger.entries
        if (left := _minus(each, addresses) if each.network_id == network_id else each) is not None
    )
    if entries == books.ledger.entries:
        return books
    return replace(books, ledger=replace(books.ledger, entries=entries))


def _blind(books: Books, why: Unknown) -> Books:
    if books.seen_at is None or _open(books.ledger) is not None:
        return books
    gap = Unwatched(books.seen_at, None, f"The swarm could not be read. {why.reason}")
    return replace(books, ledger=replace(books.ledger, gaps=(gap, *books.ledger.gaps)[:GAPS_KEPT]))


def _open(ledger: Ledger) -> Unwatched | None:
    return ledger.gaps[0] if ledger.gaps and ledger.gaps[0].until is None else None


def _closed(ledger: Ledger) -> tuple[Unwatched, ...]:
    return tuple(each for each in ledger.gaps if each.until is not None)


def _land(books: Books, swarm: SwarmState, removed: Collection[str]) -> Land:
    before = books.land
    there = {
        each.id: each
        for each in known(swarm.networks, ())
        if each.is_overlay
        and each.id not in removed
        and each.id not in before.gone
        # A node's copy of a removed network has its ID, and was made at another time.
        and (each.id not in before.there or before.there[each.id].created == each.created)
    }
    gone = {key: each.name for key, each in before.there.items() if key not in there}
    return Land(there, {**before.gone, **gone}, before.missing)


def _of_this_allocator(books: Books, swarm: SwarmState, rebuilt_at: datetime | None) -> Books:
    """Return the books without the entries that became stale when the allocator was rebuilt."""
    then, now, ledger = books.allocator, allocator_of(swarm), books.ledger
    if rebuilt_at is not None and any(each.ended_at <= rebuilt_at for each in ledger.entries):
        ledger = replace(ledger, entries=tuple(each for each in ledger.entries if each.ended_at > rebuilt_at))
        books = replace(books, ledger=ledger)
    if books.seen_at is not None and not isinstance(swarm.nodes, Unknown) and now != then:
        # Without a leader there is no allocator, and the next one is built from scratch.
        gaps = ledger.gaps[:1] if _open(ledger) else ()
        if gaps and now and then and now.leader_id == then.leader_id and now.daemon_began is not None:
            gaps = (replace(gaps[0], since=max(gaps[0].since, now.daemon_began)),)
        ledger = replace(ledger, entries=(), gaps=gaps)
    elif rebuilt_at is not None and _is_news(rebuilt_at, books):
        gaps = tuple(each for each in ledger.gaps if each.until is None or each.until > rebuilt_at)
        ledger = replace(ledger, gaps=gaps)
    else:
        return books
    wards = {key: replace(each, is_past=bool(each.removed)) for key, each in books.wards.items()}
    return replace(books, ledger=ledger, rebuilt_at=rebuilt_at or books.rebuilt_at, wards=wards)


def _is_news(rebuilt_at: datetime, books: Books) -> bool:
    began = books.rebuilt_at or books.ledger.watched_since
    return began is not None and rebuilt_at > began


def _leaked(ended: list[Ward], land: Land, now: datetime) -> Iterator[Entry]:
    for ward in ended:
        if not ward.removed or ward.is_past:
            continue
        for each in ward.placed:
            addresses = tuple(one for one in each.addresses if isinstance(one, IPv4Address))
            if each.network_id in land.there and addresses:
                yield Entry(
                    each.network_id,
                    land.there[each.network_id].name,
                    addresses,
                    ward.task.id,
                    ward.name,
                    ward.service_name,
                    ward.stack,
                    ward.removed,
                    now,
                )


def _doubtful(ended: list[Ward], land: Land) -> list[tuple[str, str]]:
    """Return (task, network) pairs of which the order of removal is unknown."""
    return [
        (ward.name, land.gone.get(each.network_id, each.network_name))
        for ward in ended
        if not ward.removed
        for each in ward.placed
        if each.network_id not in land.there
    ]


def _gaps(books: Books, doubtful: list[tuple[str, str]], now: datetime, seen_s: float) -> Iterator[Unwatched]:
    """Yield why the time since the last snapshot was not watched closely enough, where it was not."""
    if books.seen_at is None:
        return
    since, unseen, apart_s = min(books.seen_at, now), _open(books.ledger), seen_s - books.seen_s
    if doubtful:
        tasks = list(dict.fromkeys(task for task, _ in doubtful))
        networks = listed(list(dict.fromkeys(network for _, network in doubtful)))
        verb = "was" if len(doubtful) == 1 else "were"
        yield Unwatched(
            since,
            now,
            f"{plural(len(tasks), 'task')} ended ({listed(tasks)}) and {networks} {verb} removed between two snapshots: "
            "their order, and so what leaked, is unknown.",
        )
    elif apart_s > (CLOSE_S if books.is_ending() else LOOSE_S):
        why = f"No snapshot was taken for {apart_s:.1f} s." if unseen is None else unseen.why
        yield Unwatched(since if unseen is None else min(unseen.since, now), now, why)


def still_lost(
    entries: tuple[Entry, ...], swarm: SwarmState, there: Mapping[str, Network]
) -> tuple[Entry, ...]:
    """Return the entries without networks that are not `there`, and without addresses that somebody holds."""
    if not entries:
        return ()
    held: dict[str, set[object]] = {each.network_id: set() for each in entries}
    for service in known(swarm.services, ()):
        for vip in service.virtual_ips:
            held.get(vip.network_id, set()).add(vip.address)
    for task in known(swarm.tasks, ()):
        for each in task.attachments if task.is_alive else ():
            held.get(each.network_id, set()).update(each.addresses)
    for key in held.keys() & there.keys():
        detail = there[key].detail
        endpoints = () if isinstance(detail, Unknown) else detail.endpoints
        held[key].update(each.address for each in endpoints if each.is_load_balancer)
    left = (_minus(each, held[each.network_id]) for each in entries if each.network_id in there)
    return tuple(each for each in left if each is not None)


def _minus(entry: Entry, addresses: Collection[object]) -> Entry | None:
    left = tuple(each for each in entry.addresses if each not in addresses)
    if left == entry.addresses:
        return entry
    return replace(entry, addresses=left) if left else None
