"""A dockerd dies in the moment in which it becomes a manager: the swarm has no quorum then, and gets a leader all the same."""

from collections.abc import Iterator

import pytest

from tests.engine.borrowing import CONTAINERS, BusyManager, busy_manager

# Minutes each: dockerd is slow to start where it has lost its part of the swarm. tests/operations has the same without an engine.
pytestmark = [pytest.mark.engine, pytest.mark.sweep, pytest.mark.timeout(900)]

AS_IT_JOINS = 0
"""The moment, for `tests.support.mortal_borrow`."""


@pytest.fixture
def host() -> Iterator[BusyManager]:
    with busy_manager() as ready:
        yield ready


def test_the_real_manager_dies_as_it_becomes_one_again(host: BusyManager) -> None:
    host.engine.docker("node", "update", "--label-add", "place=here", "node1")
    before = host.engine.docker("node", "inspect", "--format", "{{.ID}}", "node1")
    with host.engine.kept_alive():
        done = host.borrow_until(AS_IT_JOINS, "real")
    # Its containers ended as it died.
    assert done.code == 1, done.err
    assert "node1 died as it became a manager again" in done.err
    assert host.engine.docker("node", "inspect", "--format", "{{.ID}}", "node1") != before
    assert host.labels() == {"place": "here"}
    host.engine.docker("node", "update", "--label-rm", "place", "node1")
    host.check_nothing_is_left()
    host.world.wait_until(lambda: len(host.containers()) >= CONTAINERS, "the services run again", 120)
    assert len(host.world.free_addresses(host.proxy)) == host.room + 1
    assert host.borrow().code == 0
    host.check_nothing_is_left()


def test_the_temporary_manager_dies_as_it_joins(host: BusyManager) -> None:
    done = host.borrow_until(AS_IT_JOINS, "temporary")
    if "without it there is no quorum" in done.err:
        # The real one forms the swarm alone: its tasks start again.
        host.world.wait_until(lambda: len(host.containers()) >= CONTAINERS, "the services run again", 120)
    host.check_nothing_is_left()
    assert host.borrow().code == 0
    host.check_nothing_is_left()
