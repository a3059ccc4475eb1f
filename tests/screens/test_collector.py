"""Everything is looked through only while nobody uses the console."""

import gc
from collections.abc import Iterator

import pytest

from screens.tui.collector import EVERY_S, REST_S, GarbageCollector
from tests.support.console_driver import ManualClock, console


@pytest.fixture
def collections(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return what is done to the collector of this process, which goes on as it was."""
    done: list[str] = []
    for name in ("collect", "freeze", "enable", "set_threshold"):
        monkeypatch.setattr(gc, name, lambda *_, name=name: done.append(name))
    return done


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    threshold, is_enabled = gc.get_threshold(), gc.isenabled()
    yield
    assert (gc.get_threshold(), gc.isenabled()) == (threshold, is_enabled)


def test_it_looks_through_everything_only_at_rest_and_not_often(collections: list[str]) -> None:
    clock = ManualClock()
    own = GarbageCollector(clock)
    clock.pass_by(EVERY_S)
    own.rest()
    assert collections == []
    own.begin()
    assert collections == ["freeze", "set_threshold", "enable"]
    clock.pass_by(EVERY_S - 1)
    own.rest()
    own.note_use()
    clock.pass_by(REST_S - 1)
    own.rest()
    assert "collect" not in collections
    clock.pass_by(1)
    own.rest()
    own.rest()
    assert collections.count("collect") == 1


async def test_a_key_is_use(collections: list[str]) -> None:
    async with console() as seen:
        seen.app.collector.begin()
        seen.clock.pass_by(EVERY_S)
        await seen.press("j")
        seen.app.collector.rest()
        assert "collect" not in collections
