"""Which tests leave the sockets of simulated engines out."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.support import near
from tests.support.nearness import FAR, Nearness, is_near

TESTS = Path(__file__).parent


def config(**options: bool) -> Any:
    return SimpleNamespace(getoption=lambda name: options.get(name, False))


@pytest.mark.parametrize(
    ("options", "elsewhere", "far"),
    [({}, False, False), ({"mostly_near": True}, True, False), ({"near": True}, True, True)],
)
def test_all_most_or_none_do(options: dict[str, bool], elsewhere: bool, far: bool) -> None:  # noqa: FBT001 - cases
    assert is_near(TESTS / "operations/test_census.py", config(**options)) is elsewhere
    for folder in FAR:
        # A folder that is named and is not there would keep nothing.
        (file, *_) = sorted((TESTS / folder).glob("test_*.py"))
        assert is_near(file, config(**options)) is far


def test_the_sockets_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    way = SimpleNamespace(is_near=False)
    monkeypatch.setattr(near, "install", lambda patch: patch.setattr(way, "is_near", True))
    nearness = Nearness()
    seen = []
    for wanted in (False, True, True, False, True, False):
        nearness.set(is_near=wanted)
        seen.append(way.is_near)
    assert seen == [False, True, True, False, True, False]
