"""One look proves what leaked, or a second one is needed: never a leak that is none, never one that is missed."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from console.addresses.accounting import account
from console.addresses.settling import KEPT_EVENTS, events_tell_all, proves_no_leak, quiet_s
from console.errors import known
from console.swarm.model import Event, Node, Service, SwarmState, Task
from tests.support.swarms import HERE, LONG_AGO, NOW, network, service, swarm, task

PROXY = "id-proxy"
SUBNET = "10.0.1.0/24"
RESERVED = 3
SETTLE_S = 2.0
BRIDGE = network("bridge", driver="bridge", scope="local")
ELSEWHERE = Node("n2", "far", "ready", "active", is_manager=False, is_leader=False)


def event(kind: str, action: str, at_ms: int) -> Event:
    return Event(kind, action, "swarm", f"{kind}-{at_ms}", "", NOW + timedelta(milliseconds=at_ms), {})


@dataclass
class Holder:
    """A task or a service in a swarm's last seconds. Times are milliseconds after the look began; -10 days is ever."""

    kind: str
    taken: int
    """When the allocator took its address."""
    written: int
    """When the store had it with the address."""
    ended: int | None = None
    """When it ended, or was removed, in the store."""
    listed_for: int = 0
    """So long after its end it is still listed."""
    release: int | None = None
    """So long after its end the allocator has the address back; None: never, it leaks."""

    def is_taken(self, at: int) -> bool:
        if at < self.taken:
            return False
        return self.ended is None or self.release is None or at < self.ended + self.release

    def has_leaked(self, at: int) -> bool:
        return self.ended is not None and self.release is None and at >= self.ended


EVER = -864_000_000


@dataclass
class World:
    """What happened, and what a look at it shows: the clock at 0, the count a moment later, then the lists, then events."""

    holders: list[Holder]
    count_at: int = 30
    lists_at: int = 60
    event_lag: int = 0
    nodes: tuple[Node, ...] = (HERE,)
    others: list[Event] = field(default_factory=list)

    def taken(self) -> int:
        return sum(holder.is_taken(self.count_at) for holder in self.holders)

    def leaked(self) -> int:
        return sum(holder.has_leaked(self.count_at) for holder in self.holders)

    def look(self) -> SwarmState:
        services: list[Service] = [service("anchor", (PROXY, "10.0.1.3"))]
        tasks: list[Task] = [self._task(0, "10.0.1.4", EVER)]
        for number, holder in enumerate(self.holders, start=5):
            address = f"10.0.1.{number}"
            is_listed = holder.ended is None or self.lists_at < holder.ended + holder.listed_for
            if not is_listed:
                continue
            if holder.kind == "service":
                if self.lists_at >= holder.written:
                    updated = NOW + timedelta(milliseconds=holder.written)
                    services.append(service(f"s{number}", (PROXY, address), updated=updated))
            elif holder.ended is not None and self.lists_at >= holder.ended:
                tasks.append(self._task(number, address, holder.ended, "shutdown"))
            elif self.lists_at >= holder.written:
                tasks.append(self._task(number, address, holder.written))
            elif self.lists_at >= holder.taken - 10:
                waiting = self._task(number, address, holder.taken - 10, "new")
                tasks.append(replace(waiting, attachments=(), node_id=""))
        in_use = RESERVED + 3 + self.taken()
        proxy = network("proxy", SUBNET, load_balancer="10.0.1.2", use={SUBNET: (in_use, 256 - in_use)})
        return swarm([proxy, BRIDGE], services, tasks, self.nodes, api=(1, 52))

    def _task(self, number: int, address: str, written: int, state: str = "running") -> Task:
        made = task(f"t{number}", (PROXY, address), state=state, since=LONG_AGO)
        updated = NOW + timedelta(milliseconds=written)
        return replace(made, updated=updated, created=LONG_AGO, network_ids=frozenset((PROXY,)))

    def events(self) -> list[Event]:
        """Return what the engine has told by the time that it is asked, 50 ms after the lists."""
        told = list(self.others)
        for holder in self.holders:
            if holder.kind == "service":
                told.append(event("service", "create", holder.written))
                if holder.ended is not None:
                    told.append(event("service", "remove", holder.ended + self.event_lag))
            elif holder.ended is not None:
                told.append(event("container", "die", holder.ended))
        until = self.lists_at + 50
        return [each for each in told if -SETTLE_S <= (each.at - NOW).total_seconds() <= until / 1000]


@st.composite
def holders(draw: st.DrawFn) -> Holder:
    kind = draw(st.sampled_from(("task", "service")))
    written = draw(st.sampled_from((EVER, None)))
    if written is None:
        written = draw(st.integers(-4000, 200))
    ended = draw(st.none() | st.integers(max(written + 1, -4000), 300))
    is_task = kind == "task"
    return Holder(
        kind,
        taken=written - draw(st.integers(0, 40)),
        written=written,
        ended=ended,
        # The reaper waits for 250 ms; a service that is removed is gone at once.
        listed_for=draw(st.integers(250, 600)) if is_task else 0,
        release=draw(st.integers(0, 1500) | st.none()) if is_task else draw(st.integers(0, 1500)),
    )


@st.composite
def worlds(draw: st.DrawFn) -> World:
    count_at = draw(st.integers(1, 150))
    return World(
        draw(st.lists(holders(), max_size=6)),
        count_at,
        count_at + draw(st.integers(1, 200)),
        event_lag=draw(st.integers(0, 40)),
    )


def surplus(seen: SwarmState) -> int | None:
    (found,) = account(seen, seen)
    return found.leaked


@settings(max_examples=20 * settings().max_examples)
@given(worlds())
def test_no_leak_is_missed_and_none_is_made_up(world: World) -> None:
    seen = world.look()
    if proves_no_leak(seen):
        assert world.leaked() == 0
    quiet = quiet_s(seen, world.events(), SETTLE_S) if events_tell_all(seen) else None
    if quiet is not None and quiet >= SETTLE_S:
        assert surplus(seen) == world.leaked()


def lasting(kind: str = "task", ended: int | None = None, release: int | None = 0) -> Holder:
    return Holder(kind, EVER, EVER, ended, 300 if kind == "task" else 0, release)


def proofs(world: World) -> tuple[bool, bool]:
    """Return whether a look proves that nothing leaked, and whether events prove what leaked."""
    seen = world.look()
    quiet = quiet_s(seen, world.events(), SETTLE_S) if events_tell_all(seen) else None
    return proves_no_leak(seen), quiet is not None and quiet >= SETTLE_S


def test_where_nothing_changes_one_look_is_enough() -> None:
    still = [lasting() for _ in range(3)]
    assert proofs(World(still)) == (True, True)
    leaky = World([*still, lasting(ended=-60_000, release=None)])
    assert proofs(leaky) == (False, True)
    assert surplus(leaky.look()) == leaky.leaked() == 1


def test_what_is_being_given_back_is_no_leak_and_what_came_since_hides_none() -> None:
    removed = World([lasting("service", ended=20, release=100)])
    assert surplus(removed.look()) == 1
    assert proofs(removed) == (False, False)
    # One leaked, and one that came after the count makes up for it.
    hidden = World([lasting(ended=-60_000, release=None), Holder("task", 35, 40)])
    assert surplus(hidden.look()) == 0
    assert proofs(hidden) == (False, False)


def test_what_ended_a_while_ago_makes_the_wait_shorter() -> None:
    world = World([lasting(ended=-1500, release=100)])
    quiet = quiet_s(world.look(), world.events(), SETTLE_S)
    assert quiet == 1.5


def test_nobody_believes_events_that_may_be_incomplete() -> None:
    still = [lasting(), lasting(ended=-60_000, release=None)]
    noise = [event("container", "exec_start: true", -ago) for ago in range(KEPT_EVENTS)]
    assert proofs(World(still, others=noise[:-1])) == (False, True)
    assert proofs(World(still, others=noise)) == (False, False)
    # The containers of another node end without a word here.
    assert proofs(World(still, nodes=(HERE, ELSEWHERE))) == (False, False)
    follower = replace(HERE, is_leader=False)
    assert proofs(World(still, nodes=(follower,))) == (False, False)
    restarted = replace(BRIDGE, created=NOW - timedelta(seconds=1))
    seen = World(still).look()
    networks: Iterable[object] = seen.networks  # type: ignore[assignment] # they are known
    fresh = replace(seen, networks=tuple(restarted if each is BRIDGE else each for each in networks))  # type: ignore[misc] # as above
    assert quiet_s(fresh, (), SETTLE_S) is None


def test_a_load_balancer_that_may_be_gone_or_still_to_come_hides_no_leak() -> None:
    seen = World([]).look()
    (proxy, bridge) = seen.networks  # type: ignore[misc] # they are known
    assert proves_no_leak(seen)
    gone = replace(seen, tasks=())
    assert not proves_no_leak(gone)
    starting = replace(seen, tasks=tuple(replace(each, state="preparing") for each in seen.tasks))  # type: ignore[union-attr] # as above
    assert not proves_no_leak(starting)
    peers = replace(proxy, detail=replace(proxy.detail, peers=2))
    assert not proves_no_leak(replace(seen, networks=(peers, bridge)))


def test_who_waits_for_an_address_may_have_taken_one_without_a_word() -> None:
    seen = World([lasting(ended=-60_000, release=None)]).look()
    assert events_tell_all(seen)
    waits = replace(task("t9", state="new", since=LONG_AGO), node_id="")
    assert not events_tell_all(replace(seen, tasks=(*known(seen.tasks, ()), waits)))
    lacks = replace(service("late"), network_ids=(PROXY,))
    assert not events_tell_all(replace(seen, services=(*known(seen.services, ()), lacks)))
