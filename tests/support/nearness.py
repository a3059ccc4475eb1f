"""Which tests ask simulated engines without their sockets: all with `--near`, most with `--mostly-near`, else none.

`tests/test_near.py` holds that an engine is told from one on its socket by nothing. `make test` asks mostly so: what is about
the way over the socket keeps it, and so does whatever is not plain (`tests/support/near.py`) and each program in a process.
"""

from pathlib import Path

import pytest

FAR = ("contract", "simulator", "swarm")
"""Folders whose tests are about that way: with `--mostly-near` they keep it."""
_TESTS = Path(__file__).parents[1]


class Nearness:
    """Leaves the sockets out, and puts them back."""

    def __init__(self) -> None:
        self._patch: pytest.MonkeyPatch | None = None

    def set(self, *, is_near: bool) -> None:
        """Let calls go one way or the other from now on."""
        if is_near and self._patch is None:
            from tests.support import near  # noqa: PLC0415 - it loads the engine, which not every run needs

            self._patch = pytest.MonkeyPatch()
            near.install(self._patch)
        elif not is_near and self._patch is not None:
            self._patch.undo()
            self._patch = None


NEARNESS = Nearness()


def add_options(parser: pytest.Parser) -> None:
    parser.addoption("--near", action="store_true", help="answer calls to simulated engines without sockets")
    parser.addoption(
        "--mostly-near", action="store_true", help=f"the same, but in tests/{', tests/'.join(FAR)}"
    )


def is_near(path: Path, config: pytest.Config) -> bool:
    """Return whether the tests of a file ask simulated engines without their sockets."""
    if config.getoption("near"):
        return True
    is_far = any(path.is_relative_to(_TESTS / folder) for folder in FAR)
    return bool(config.getoption("mostly_near")) and not is_far


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Choose the way of a test. What the tests of a file share has begun and ends the same way."""
    NEARNESS.set(is_near=is_near(item.path, item.config))
