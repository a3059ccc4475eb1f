"""What every test process needs before its first test."""

import gc
import os
import shutil
import signal
from collections.abc import Iterator
from itertools import count

import pytest
from hypothesis import HealthCheck, settings

from tests.support import nearness, ordering, processes, reruns, thinning
from tests.support.isolation import clean_environment, hide_host, remove_home

# Before any module of the program or the tests is loaded: some read the environment as they are.
_HOME = clean_environment()
_STATES = count()

# No example fails for being slow: how long one takes is the machine's doing.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")
# For `make quick`, which asks for it by name.
settings.register_profile("quick", settings.get_profile("patient"), max_examples=10)

# A shell starts what runs in its background with SIGINT ignored, and every program below inherits that: those that
# tests interrupt would not hear of it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    nearness.add_options(parser)
    thinning.add_option(parser)
    parser.addoption("--fuzz-minutes", type=float, default=10.0, help="how long the tests marked fuzz go on")
    parser.addoption("--fuzz-kinds", default="", help="only these, with commas; see tests/fuzz/kinds.py")


def pytest_configure(config: pytest.Config) -> None:
    # Workers are started by a process that has covered everything.
    if not hasattr(config, "workerinput"):
        hide_host()


def pytest_sessionstart(session: pytest.Session) -> None:
    """Add what holds for every test: which may start processes, which are run again, which cases are left out, and the order."""
    for plugin in (processes, reruns, thinning, ordering, nearness):
        session.config.pluginmanager.register(plugin)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Prepare the process that runs the tests; one that only hands them out to workers collects nothing."""
    del session
    # What was collected is much, and lives as long as the run: no garbage collection has to look at it.
    gc.collect()
    gc.freeze()
    # Tests make and drop much: the usual threshold of 700 takes an eighth of their time.
    gc.set_threshold(50_000, 20, 20)


def pytest_unconfigure() -> None:
    remove_home(_HOME)


@pytest.fixture(autouse=True)
def _own_state() -> Iterator[None]:
    """Give every test a state directory of its own, which is made only when something is written there.

    A demo host lies in it too; its engine ends once it is gone.
    """
    before, state = os.environ["VIPCONSOLE_STATE_DIR"], _HOME / f"state-{next(_STATES)}"
    os.environ.update(VIPCONSOLE_STATE_DIR=str(state), XDG_STATE_HOME=str(state))
    yield
    os.environ.update(VIPCONSOLE_STATE_DIR=before, XDG_STATE_HOME=before)
    shutil.rmtree(state / "vipconsole/demo", ignore_errors=True)
