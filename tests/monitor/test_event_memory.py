"""What is remembered of the engine's events, and from when on it is everything."""

from datetime import datetime, timedelta

from console.monitor.event_memory import ALWAYS, ENGINE_EVENTS, MOST, EventMemory
from console.swarm.model import Event
from console.swarm.parse_engine import TASK_ID_LABEL
from tests.support.swarms import NOW


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def event(
    kind: str, action: str, identity: str, seconds: float, scope: str = "swarm", task: str = ""
) -> Event:
    return Event(kind, action, scope, identity, identity, at(seconds), {TASK_ID_LABEL: task} if task else {})


def die(task: str, seconds: float, action: str = "die") -> Event:
    return event("container", action, f"c-{task}", seconds, "local", task)


def noise(count: int, seconds: float = 0) -> list[Event]:
    return [event("image", "pull", f"i{number}", seconds + number / 1000, "local") for number in range(count)]


def test_ends_removals_and_updates_are_remembered_and_nothing_else() -> None:
    memory = EventMemory()
    memory.begin(at(0))
    told = [
        die("t", 1),
        die("t", 2, "destroy"),
        event("network", "remove", "n", 3),
        event("service", "update", "s", 4),
        event("service", "update", "s", 5),
        event("network", "remove", "copy", 6, "local"),
        event("container", "die", "shell", 7, "local"),
        event("service", "create", "x", 8),
    ]
    for one in told:
        memory.take(one)
    times = memory.times()
    assert times.ended == {"t": at(1)}
    assert times.cleared == {"t": at(2)}
    assert times.removed == {"n": at(3)}
    assert times.updated == {"s": at(5)}
    assert (times.cover(at(0)), times.cover(at(-1)), times.cover(None)) == (True, False, False)


def test_after_a_break_it_is_everything_from_the_first_event_on() -> None:
    memory = EventMemory()
    memory.begin(at(0))
    memory.take(die("t", 1))
    memory.lose()
    assert not memory.times().cover(at(1))
    memory.take(die("u", 5))
    assert (memory.times().cover(at(5)), memory.times().cover(at(4))) == (True, False)
    assert memory.times().ended == {"t": at(1), "u": at(5)}


def test_an_engine_that_remembers_fewer_events_than_it_could_remembers_all() -> None:
    memory = EventMemory()
    memory.recall([die("t", 1), *noise(ENGINE_EVENTS - 2, 2)])
    assert memory.times().complete_since == ALWAYS
    memory.begin(at(9))
    assert memory.times().complete_since == ALWAYS
    assert memory.times().ended == {"t": at(1)}


def test_one_that_remembers_no_more_has_forgotten_what_was_before_its_first() -> None:
    memory = EventMemory()
    memory.begin(at(9))
    memory.recall([die("t", 1), *noise(ENGINE_EVENTS - 1, 2)])
    assert memory.times().complete_since == at(1)


def test_what_is_recalled_does_not_hide_a_later_update() -> None:
    memory = EventMemory()
    memory.take(event("service", "update", "s", 5))
    memory.recall([event("service", "update", "s", 2)])
    assert memory.times().updated == {"s": at(5)}


def test_an_update_that_makes_room_for_others_is_missing() -> None:
    memory = EventMemory()
    memory.begin(at(0))
    for number in range(MOST + 1):
        memory.take(event("service", "update", f"s{number}", number))
    times = memory.times()
    assert len(times.updated) == MOST
    assert times.complete_since == at(0)
    memory.take(event("service", "update", "last", MOST + 1))
    assert memory.times().complete_since == at(1)
    # Ends that are forgotten only settle less.
    for number in range(MOST + 5):
        memory.take(die(f"t{number}", 5000 + number))
    assert len(memory.times().ended) == MOST
    assert memory.times().complete_since == at(1)
