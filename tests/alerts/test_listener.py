"""From what the recorder sees to what arrives, with a clock that the test sets."""

import asyncio
import itertools
import json
import threading
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

import console.alerts.listener
from console.alerts.alert import Alert
from console.alerts.deliverer import (
    FIRST_PAUSE_S,
    LONGEST_PAUSE_S,
    MAX_PENDING,
    AlertDependencies,
    pause_s,
)
from console.alerts.listener import AlertListener
from console.alerts.values import AlertState, Delivery, Notification
from console.diagnosis.values import FailingAlert, Severity
from console.storage.alerts import FILE, read_alerts, read_failing_alerts, write_alerts
from tests.alerts.states import Outbox, away, found, state_of
from tests.support.monitors import HandClock
from tests.support.swarms import NOW

OPS = Alert("ops", ("/bin/true",))
WARN = Alert("warn", ("/bin/true",), at="warning")
PATIENCE_S = 60


@dataclass
class Bench:
    """Listeners over one state directory, one after the other."""

    folder: Path
    outbox: Outbox = field(default_factory=Outbox)
    clock: HandClock = field(default_factory=lambda: HandClock(NOW))
    said: list[str] = field(default_factory=list)

    @asynccontextmanager
    async def listener(self, *alerts: Alert) -> AsyncIterator[AlertListener]:
        dependencies = AlertDependencies(self.clock, self.said.append, self.outbox.send, lambda: 1.0)
        listener = AlertListener(alerts or (OPS,), self.folder, dependencies)
        try:
            yield listener
        finally:
            await listener.close()

    async def eventually(self, holds: Callable[[], bool], step_s: float = 0.0) -> None:
        """Wait until something holds, while `step_s` of the clock passes at a time."""
        async with asyncio.timeout(PATIENCE_S):
            while not holds():
                if step_s:
                    self.clock.advance(step_s)
                await asyncio.sleep(0.002)

    def kept(self, name: str = "ops") -> int:
        """Return how many notifications are written down as undelivered."""
        return len(read_alerts(self.folder)[name].pending)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path / "state")


async def test_a_rise_and_its_end_arrive(bench: Bench) -> None:
    async with bench.listener(OPS, WARN) as listener:
        await listener.take(state_of(found(), found("network-filling", "web", Severity.WARNING)))
        await bench.eventually(lambda: len(bench.outbox.sent) == 3)
        # Nothing changes any more, and so no state comes: the minute passes all the same.
        await listener.take(state_of())
        await bench.eventually(lambda: len(bench.outbox.sent) == 6, 20)
    assert sorted(bench.outbox.told) == [
        "ops end network-full proxy",
        "ops rise network-full proxy",
        "warn end network-filling web",
        "warn end network-full proxy",
        "warn rise network-filling web",
        "warn rise network-full proxy",
    ]
    assert bench.said == []
    assert bench.kept() == bench.kept("warn") == 0
    assert (bench.folder / FILE).stat().st_mode & 0o777 == 0o600


async def test_a_recorder_that_starts_again_tells_nothing_twice(bench: Bench) -> None:
    async with bench.listener() as listener:
        await listener.take(state_of(found()))
        await bench.eventually(lambda: len(bench.outbox.sent) == 1)
    async with bench.listener() as listener:
        await listener.take(state_of(found()))
        await listener.take(state_of(found()))
        bench.clock.advance(7200)
        await listener.take(state_of(found()))
    async with bench.listener() as listener:
        await listener.take(state_of())
        await bench.eventually(lambda: len(bench.outbox.sent) == 2, 20)
    assert bench.outbox.told == ["ops rise network-full proxy", "ops end network-full proxy"]


async def test_what_was_not_delivered_is_delivered_by_the_next_recorder(bench: Bench) -> None:
    bench.outbox.failing = "HTTP 500"
    async with bench.listener() as listener:
        await listener.take(state_of(found()))
        await bench.eventually(lambda: bench.outbox.attempts == 1)
    assert bench.kept() == 1
    bench.outbox.failing = ""
    async with bench.listener() as listener:
        await listener.take(away(state_of()))
        await bench.eventually(lambda: len(bench.outbox.sent) == 1)
    assert bench.outbox.told == ["ops rise network-full proxy"]


async def test_nothing_is_sent_before_it_is_written_down(bench: Bench) -> None:
    kept: list[int] = []
    send = bench.outbox.send

    async def sending(alert: Alert, notification: Notification) -> Delivery:
        kept.append(bench.kept())
        return await send(alert, notification)

    bench.outbox.send = sending  # type: ignore[method-assign] # it looks into the file as well
    async with bench.listener() as listener:
        for number in range(1, 8):
            await listener.take(state_of(*(found(subject=f"n{name}") for name in range(number))))
            await asyncio.sleep(0)
        await bench.eventually(lambda: len(kept) == 7)
    assert all(kept)


async def test_a_failure_is_told_once_and_retried_ever_more_slowly(bench: Bench) -> None:
    bench.outbox.failing = "HTTP 503"
    attempts: list[float] = []
    send = bench.outbox.send

    async def sending(alert: Alert, notification: Notification) -> Delivery:
        attempts.append(bench.clock.monotonic())
        return await send(alert, notification)

    bench.outbox.send = sending  # type: ignore[method-assign] # it looks at the clock as well
    async with bench.listener() as listener:
        await listener.take(state_of(found()))
        await bench.eventually(lambda: len(attempts) == 1)
        await bench.eventually(lambda: len(attempts) == 5, 1)
        pauses = [later - earlier for earlier, later in itertools.pairwise(attempts)]
        assert all(pause >= wanted for pause, wanted in zip(pauses, (5, 10, 20, 40), strict=True)), pauses
        (failing,) = failing_now(bench)
        assert (failing.name, failing.since, failing.reason) == ("ops", NOW, "HTTP 503")
        assert (failing.waiting, failing.lost) == (1, 0)
        bench.outbox.failing = ""
        await bench.eventually(lambda: len(bench.outbox.sent) == 1, 10)
        await bench.eventually(lambda: bench.kept() == 0)
    assert bench.said == [
        "The alert ops does not get through: HTTP 503. It is tried again.",
        "The alert ops gets through again (HTTP 200).",
    ]
    assert failing_now(bench) == ()


def failing_now(bench: Bench) -> tuple[FailingAlert, ...]:
    failing = read_failing_alerts(bench.folder, bench.clock.now())
    assert isinstance(failing, tuple)
    return failing


def test_pauses_grow_are_spread_and_have_an_end() -> None:
    assert pause_s(1, 1.0) == FIRST_PAUSE_S
    assert pause_s(1, 0.0) == FIRST_PAUSE_S / 2
    assert pause_s(1000, 1.0) == LONGEST_PAUSE_S
    assert pause_s(1, 1.0, 120) == 120
    assert pause_s(1, 1.0, 1e9) == 3600
    assert pause_s(8, 1.0, 1) == 640


async def test_it_gives_up_after_a_day_and_says_so(bench: Bench) -> None:
    bench.outbox.failing = "no answer within 15 s"
    async with bench.listener() as listener:
        await listener.take(state_of(found()))
        await bench.eventually(lambda: bench.outbox.attempts == 1)
        await bench.eventually(lambda: len(bench.said) == 2, 600)
        assert bench.said[-1] == "The alert ops gives up 1 notification: they waited for a day."
        assert bench.clock.now() - NOW >= timedelta(days=1)
        await bench.eventually(lambda: bench.kept() == 0)
        (failing,) = failing_now(bench)
        assert (failing.waiting, failing.lost) == (0, 1)
        bench.outbox.failing = ""
        await listener.take(state_of(found(), found(subject="web")))
        await bench.eventually(lambda: len(bench.outbox.sent) == 1, 60)
    assert bench.outbox.told == ["ops rise network-full web"]
    assert failing_now(bench) == ()


async def test_what_was_lost_is_shown_for_a_week(bench: Bench) -> None:
    bench.outbox.failing = "HTTP 500"
    async with bench.listener() as listener:
        await listener.take(state_of(found()))
        await bench.eventually(lambda: len(bench.said) == 2, 600)
    assert len(failing_now(bench)) == 1
    bench.clock.advance(8 * 86_400)
    assert failing_now(bench) == ()


async def test_a_storm_fills_a_queue_of_bounded_length(bench: Bench) -> None:
    bench.outbox.failing = "HTTP 429"
    async with bench.listener() as listener:
        await listener.take(state_of(*(found(subject=f"n{number}") for number in range(MAX_PENDING + 7))))
        await bench.eventually(lambda: bench.outbox.attempts == 1)
        state = listener.states["ops"]
        assert (len(state.pending), state.lost) == (MAX_PENDING, 7)
        assert bench.said[0] == f"The alert ops gives up 7 notifications: more than {MAX_PENDING} wait."


async def test_one_that_hangs_holds_up_neither_the_recorder_nor_the_others(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console.alerts.listener, "CLOSE_S", 0.05)
    send = bench.outbox.send

    async def sending(alert: Alert, notification: Notification) -> Delivery:
        if alert is OPS:
            await asyncio.Event().wait()
        return await send(alert, notification)

    bench.outbox.send = sending  # type: ignore[method-assign] # one of them hangs
    async with bench.listener(OPS, WARN) as listener:
        await listener.take(state_of(found()))
        await bench.eventually(lambda: len(bench.outbox.sent) == 1)
        await listener.take(state_of(found(), found(subject="web")))
        await bench.eventually(lambda: len(bench.outbox.sent) == 2)
    assert bench.outbox.told == ["warn rise network-full proxy", "warn rise network-full web"]
    assert bench.kept() == 2


async def test_an_attempt_that_is_under_way_at_the_end_is_finished(bench: Bench) -> None:
    began, go_on = asyncio.Event(), asyncio.Event()
    send = bench.outbox.send

    async def sending(alert: Alert, notification: Notification) -> Delivery:
        began.set()
        await go_on.wait()
        return await send(alert, notification)

    bench.outbox.send = sending  # type: ignore[method-assign] # it waits for the test
    async with bench.listener() as listener:
        await listener.take(state_of(found()))
        await began.wait()
        asyncio.get_running_loop().call_later(0.02, go_on.set)
    assert len(bench.outbox.sent) == 1
    assert bench.kept() == 0


async def test_two_threads_never_write_the_file_at_once_and_the_last_word_is_kept(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, writing, began = write_alerts, threading.Lock(), threading.Event()

    def slowly(state: Path, alerts: Mapping[str, AlertState]) -> None:
        assert writing.acquire(blocking=False), "another thread is writing"
        began.set()
        time.sleep(0.05)
        write(state, alerts)
        writing.release()

    monkeypatch.setattr(console.alerts.listener, "write_alerts", slowly)
    bench.outbox.failing = "HTTP 500"
    async with bench.listener() as listener:
        await listener.take(state_of())
        await bench.eventually(began.is_set)
        await listener.take(state_of(found()))
    assert bench.kept() == 1
    assert bench.said in ([], ["The alert ops does not get through: HTTP 500. It is tried again."])


async def test_a_file_that_cannot_be_written_silences_nobody(bench: Bench) -> None:
    bench.folder.write_text("a file where the directory should be")
    async with bench.listener() as listener:
        await listener.take(state_of(found()))
        await bench.eventually(lambda: len(bench.outbox.sent) == 1)
        await listener.take(state_of(found(), found(subject="web")))
        await bench.eventually(lambda: len(bench.outbox.sent) == 2)
        assert listener.store_failure
        bench.folder.unlink()
        await bench.eventually((bench.folder / FILE).exists, 20)
        await bench.eventually(lambda: not listener.store_failure)
    assert len([said for said in bench.said if "cannot be created" in said]) == 1
    assert bench.kept() == 0


@pytest.mark.parametrize("text", ["", "[]", '{"schema": "other", "alerts": {}}', '{"schema": 3}', "\x00"])
async def test_a_damaged_file_is_told_and_replaced(bench: Bench, text: str) -> None:
    bench.folder.mkdir()
    (bench.folder / FILE).write_text(text)
    async with bench.listener() as listener:
        await listener.take(state_of(found()))
        await bench.eventually(lambda: len(bench.outbox.sent) == 1)
    assert "cannot be used" in bench.said[0]
    assert bench.kept() == 0


async def test_alerts_that_are_not_in_the_settings_any_more_are_forgotten(bench: Bench) -> None:
    async with bench.listener(OPS, WARN) as listener:
        await listener.take(state_of(found()))
        await bench.eventually(lambda: len(bench.outbox.sent) == 2)
    async with bench.listener(WARN) as listener:
        await listener.take(state_of(found()))
    assert list(read_alerts(bench.folder)) == ["warn"]


async def test_that_it_does_not_get_through_is_for_the_others_to_tell(bench: Bench) -> None:
    async with bench.listener(OPS, WARN) as listener:
        await listener.take(state_of(found("alert-failing", "warn"), found("alert-failing", "ops")))
        await bench.eventually(lambda: len(bench.outbox.sent) == 2)
    assert bench.outbox.told == ["ops rise alert-failing warn", "warn rise alert-failing ops"]


async def test_nothing_in_the_file_names_an_address(bench: Bench) -> None:
    bench.outbox.failing = "HTTP 500"
    secret = Alert(webhook="https://user:secret@chat.test/secret")
    async with bench.listener(secret) as listener:
        await listener.take(state_of(found()))
        await bench.eventually(lambda: bench.outbox.attempts == 1)
    text = (bench.folder / FILE).read_text()
    assert json.loads(text)["alerts"]["chat.test"]["reason"] == "HTTP 500"
    assert "secret" not in text
    assert "secret" not in "".join(bench.said)


async def test_without_alerts_nothing_happens(bench: Bench) -> None:
    dependencies = AlertDependencies(bench.clock, bench.said.append, bench.outbox.send)
    listener = AlertListener((), bench.folder, dependencies)
    await listener.close()
    assert not bench.folder.exists()
