"""How a wait for quiet counts its time, in a time that passes only as far as it is slept through."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import pytest

from console.diagnosis.quiescence.values import QuiescenceRules, QuiescenceVerdict
from console.diagnosis.quiescence.waiter import WaitDependencies, WaitProgress, wait_for_quiet
from console.errors import Unknown
from console.host.activity import HostActivity, Inapplicable, OwnProcess
from console.settings import QuiescenceSettings, SnapshotSettings, Thresholds
from console.swarm.events import EventGap, Listening, StreamItem
from console.swarm.model import Event, SwarmState
from tests.support.hosts import OWN, activity
from tests.support.swarms import NOW, service, swarm, task

STEP_S = 0.25
CALM = swarm(services=[service("web")], tasks=[task("web")])
BUSY = replace(CALM, tasks=(task("web"), task("gone", desired="shutdown")))
BLIND = replace(CALM, services=Unknown("no answer"))


@dataclass
class Time:
    """A clock that is there as soon as somebody sleeps."""

    passed_s: float = 0.0

    def now(self) -> datetime:
        return NOW + timedelta(seconds=self.passed_s)

    def monotonic(self) -> float:
        return self.passed_s

    async def sleep(self, seconds: float) -> None:
        # In small steps, between which others take their turns: who sleeps can be woken in the middle.
        end_s = self.passed_s + seconds
        while self.passed_s < end_s:
            self.passed_s = min(self.passed_s + STEP_S, end_s)
            for _ in range(10):
                await asyncio.sleep(0)


@dataclass
class World:
    """A swarm and a host as functions of time, and the events of each second."""

    time: Time
    state_at: Callable[[float], SwarmState] = lambda _: CALM
    told: tuple[tuple[float, StreamItem], ...] = ((0.0, Listening()),)
    own_host: HostActivity = activity()  # noqa: RUF009 - frozen
    host: str = "tcp://elsewhere:2375"
    slow_at_s: float | None = None
    since: datetime | None = None
    is_listening: bool = False
    look_takes_s: float = 0.0
    deadlines: list[tuple[float, float]] = field(default_factory=list)
    """When snapshots began, and their deadlines."""

    async def lists(self, deadline_s: float) -> SwarmState:
        if self.slow_at_s is not None and self.time.passed_s >= self.slow_at_s:
            self.slow_at_s = None
            self.time.passed_s += 100
        self.deadlines.append((self.time.passed_s, deadline_s))
        self.time.passed_s += min(self.look_takes_s, deadline_s)
        return self.state_at(self.time.passed_s)

    def own(self) -> OwnProcess:
        return OWN

    async def take(self) -> HostActivity:
        return self.own_host

    @asynccontextmanager
    async def listening(self, since: datetime) -> AsyncIterator[AsyncIterator[StreamItem]]:
        self.since, self.is_listening = since, True
        try:
            yield self._stream_items()
        finally:
            self.is_listening = False

    async def _stream_items(self) -> AsyncIterator[StreamItem]:
        for at, each in self.told:
            while self.time.passed_s < at:  # noqa: ASYNC110 - time passes by others' sleeping, and tells nobody
                await asyncio.sleep(0)
            yield each
        await asyncio.Event().wait()


def event(name: str = "web") -> Event:
    return Event("service", "update", "swarm", f"id-{name}", name, NOW, {"name": name})


async def wait(world: World, dwell_s: float = 60, timeout_s: float = 900) -> list[WaitProgress]:
    rules = QuiescenceRules(QuiescenceSettings(), Thresholds(), dwell_s)
    states = wait_for_quiet(
        WaitDependencies(world, world, world), world.time, rules, SnapshotSettings(), timeout_s
    )
    async with aclosing(states):
        return [each async for each in states]


def ended(states: list[WaitProgress]) -> tuple[QuiescenceVerdict | None, float]:
    assert all(each.outcome is None for each in states[:-1])
    assert states[-1].outcome is not None
    return states[-1].outcome, states[-1].waited_s


async def test_quiet_is_seen_for_the_whole_dwell_time_and_not_longer() -> None:
    world = World(Time())
    outcome, waited_s = ended(await wait(world))
    assert outcome is QuiescenceVerdict.QUIET
    assert 60 <= waited_s <= 61.5
    assert world.since == NOW
    assert not world.is_listening


async def test_what_is_seen_in_between_begins_the_time_anew() -> None:
    world = World(Time(), lambda at: BUSY if 40 <= at < 45 else CALM)
    states = await wait(world)
    outcome, waited_s = ended(states)
    assert outcome is QuiescenceVerdict.QUIET
    assert 105 <= waited_s <= 107.5
    assert any(each.report.verdict is QuiescenceVerdict.BUSY for each in states)


async def test_what_is_heard_in_between_begins_the_time_anew_though_no_look_saw_it() -> None:
    told = ((0.0, Listening()), (40.5, event()))
    outcome, waited_s = ended(await wait(World(Time(), told=told)))
    assert outcome is QuiescenceVerdict.QUIET
    assert 100.5 <= waited_s <= 102.5


async def test_a_change_is_told_at_once_and_not_only_at_the_next_look() -> None:
    world = World(Time(), told=((0.0, Listening()), (32.0, event())))
    rules = QuiescenceRules(replace(QuiescenceSettings(), poll_s=15), Thresholds(), 60)
    states = [
        each
        async for each in wait_for_quiet(
            WaitDependencies(world, world, world), world.time, rules, SnapshotSettings(), 900
        )
    ]
    first = next(each for each in states if each.report.verdict is QuiescenceVerdict.BUSY)
    assert first.report.blocking[0].blockers[0].name == "service web"
    assert 32 <= first.waited_s <= 33


async def test_a_gap_in_what_is_heard_begins_the_time_anew_when_it_is_over() -> None:
    told = ((0.0, Listening()), (30.0, EventGap(Unknown("it restarts"))), (50.0, Listening()))
    states = await wait(World(Time(), told=told))
    outcome, waited_s = ended(states)
    assert outcome is QuiescenceVerdict.QUIET
    assert 110 <= waited_s <= 112.5
    deaf = [each for each in states if 31 < each.waited_s < 49]
    assert deaf
    assert all(each.report.verdict is QuiescenceVerdict.UNKNOWN for each in deaf)
    # The gap stays visible for as long as it counts.
    after = next(each for each in states if each.waited_s > 55)
    assert after.report.blocking[0].blockers[0].name == "the engine's events"


async def test_what_is_never_heard_is_unknown_at_the_time_limit() -> None:
    outcome, waited_s = ended(await wait(World(Time(), told=()), timeout_s=90))
    assert outcome is QuiescenceVerdict.UNKNOWN
    assert 90 <= waited_s <= 92


async def test_a_part_that_cannot_be_read_for_a_while_begins_the_time_anew() -> None:
    world = World(Time(), lambda at: BLIND if 20 <= at < 30 else CALM)
    outcome, waited_s = ended(await wait(world))
    assert outcome is QuiescenceVerdict.QUIET
    assert 90 <= waited_s <= 92.5


async def test_a_time_in_which_nobody_looked_does_not_count() -> None:
    outcome, waited_s = ended(await wait(World(Time(), slow_at_s=30)))
    assert outcome is QuiescenceVerdict.QUIET
    assert waited_s >= 190


@pytest.mark.parametrize(
    ("state", "outcome"), [(BUSY, QuiescenceVerdict.BUSY), (BLIND, QuiescenceVerdict.UNKNOWN)]
)
async def test_the_time_limit_tells_why(state: SwarmState, outcome: QuiescenceVerdict) -> None:
    found, waited_s = ended(await wait(World(Time(), lambda at: state if at else CALM), 60, 120))
    assert found is outcome
    assert 120 <= waited_s <= 122


async def test_a_look_is_given_no_longer_than_is_left_of_the_time_limit() -> None:
    deadline_s = SnapshotSettings().deadline_s
    world = World(Time(), lambda at: BUSY if at else CALM, look_takes_s=0.9 * deadline_s)
    outcome, waited_s = ended(await wait(world, 60, 125))
    assert outcome is QuiescenceVerdict.BUSY
    assert 125 <= waited_s <= 126.5
    given = [each for _, each in world.deadlines]
    assert given == [min(deadline_s, max(125 - began, 1.0)) for began, _ in world.deadlines]
    assert (given[0], given[-1] < deadline_s) == (deadline_s, True)


async def test_the_first_look_keeps_to_the_time_limit_too_and_a_single_look_has_none() -> None:
    world = World(Time())
    await wait(world, dwell_s=1, timeout_s=2)
    assert world.deadlines[0] == (0.0, 2.0)
    world = World(Time())
    await wait(world, dwell_s=0, timeout_s=2)
    assert world.deadlines == [(0.0, SnapshotSettings().deadline_s)]


async def test_changes_that_never_end_are_busy_at_the_time_limit() -> None:
    told: list[tuple[float, StreamItem]] = [(float(each), event()) for each in range(10, 400, 40)]
    assert (
        ended(await wait(World(Time(), told=((0.0, Listening()), *told)), 60, 300))[0]
        is QuiescenceVerdict.BUSY
    )


@pytest.mark.parametrize(
    ("state", "outcome"),
    [(CALM, QuiescenceVerdict.QUIET), (BUSY, QuiescenceVerdict.BUSY), (BLIND, QuiescenceVerdict.UNKNOWN)],
)
async def test_without_a_dwell_time_there_is_one_look(state: SwarmState, outcome: QuiescenceVerdict) -> None:
    world = World(Time(), lambda _: state)
    (only,) = await wait(world, dwell_s=0)
    assert only.outcome is outcome
    assert world.since is None


async def test_an_engine_that_does_not_answer_at_first_is_unknown_at_once() -> None:
    world = World(Time(), lambda _: replace(CALM, engine=Unknown("not a manager")))
    (only,) = await wait(world)
    assert only.outcome is QuiescenceVerdict.UNKNOWN


async def test_what_the_settings_ask_for_and_cannot_be_had_is_unknown_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("console.diagnosis.quiescence.waiter.why_engine_is_foreign", lambda *_: None)
    world = World(Time(), own_host=activity(units=Inapplicable("no systemd", is_configured=True)))
    outcome, waited_s = ended(await wait(world))
    assert outcome is QuiescenceVerdict.UNKNOWN
    assert waited_s < 1


async def test_the_host_is_not_looked_at_while_the_engine_is_elsewhere() -> None:
    world = World(Time(), own_host=activity(lock_holder="somebody"))
    (only,) = await wait(world, dwell_s=0)
    assert only.outcome is QuiescenceVerdict.QUIET
    run = next(each for each in only.report.checks if each.code == "run")
    assert "is not on this host" in run.note


async def test_a_listener_that_fails_is_not_taken_for_silence() -> None:
    class Failing(World):
        async def _stream_items(self) -> AsyncIterator[StreamItem]:
            yield Listening()
            raise RuntimeError("a bug")

    world = Failing(Time())
    with pytest.raises(RuntimeError, match="a bug"):
        await wait(world)
    assert world.time.passed_s < 5
