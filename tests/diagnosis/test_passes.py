"""How often an assessment goes through a whole swarm: not oftener for many networks than for two, nor for many waiting services."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, ClassVar

import pytest

from console.addresses.accounting import account
from console.diagnosis.assess import assess
from console.diagnosis.values import Snapshot
from console.diagnosis.why.explain import explain
from console.errors import known
from console.settings import Thresholds
from console.swarm.model import SwarmState
from tests.support.swarms import ago, network, service, snapshot, swarm, task

FEW, MANY = 2, 12


class CountedRows(tuple[Any, ...]):
    """Services or tasks that know how often somebody went through all of them."""

    __slots__ = ()
    passes: ClassVar[Counter[int]] = Counter()

    def __iter__(self) -> Iterator[Any]:
        self.passes[id(self)] += 1
        return super().__iter__()


def full_networks(count: int) -> SwarmState:
    """Return a swarm of so many full networks; on each a service waits, and one port is published."""
    cidrs = {f"net{number}": f"10.0.{number}" for number in range(count)}
    services, tasks = [], []
    for name, begin in cidrs.items():
        services += [
            service(f"{name}_app", (f"id-{name}", f"{begin}.2")),
            service(f"{name}_late", networks=[f"id-{name}"], updated=ago(900), publishes_ingress=True),
        ]
        tasks += [task(f"{name}_app", (f"id-{name}", f"{begin}.{last}"), slot=last) for last in range(3, 7)]
    networks = [network(name, f"{begin}.0/29", peers=0) for name, begin in cidrs.items()]
    return swarm(networks, CountedRows(services), CountedRows(tasks))


def passes(state: SwarmState) -> tuple[int, int]:
    counted = CountedRows.passes
    return counted[id(state.services)], counted[id(state.tasks)]


def counted(state: SwarmState) -> SwarmState:
    """Return the same swarm with rows that nobody has gone through."""
    again = replace(
        state,
        services=CountedRows(tuple.__iter__(known(state.services, ()))),
        tasks=CountedRows(tuple.__iter__(known(state.tasks, ()))),
    )
    for rows in (again.services, again.tasks):
        CountedRows.passes[id(rows)] = 0
    return again


def assessed(seen: Snapshot) -> None:
    assert sum(finding.code == "network-full" for finding in assess(seen, Thresholds()).findings) > 1


def explained(seen: Snapshot) -> None:
    assert len(explain(seen, Thresholds()).services) > 1


@pytest.mark.parametrize("act", [assessed, explained])
def test_many_full_networks_cost_no_more_passes_than_few(act: Any) -> None:
    found = []
    for count in (FEW, MANY):
        state = counted(full_networks(count))
        act(snapshot(state, earlier=state))
        found.append(passes(state))
    assert found[0] == found[1]
    assert min(found[0]) > 0


def test_an_earlier_snapshot_that_is_the_same_is_not_gone_through_again() -> None:
    alone, twice = counted(full_networks(FEW)), counted(full_networks(FEW))
    account(alone)
    account(twice, replace(twice))
    assert passes(twice) == passes(alone)


def test_where_nothing_is_held_twice_nobody_asks_what_was_before() -> None:
    state, before = counted(full_networks(FEW)), counted(full_networks(FEW))
    assess(snapshot(state, earlier=before), Thresholds())
    # For the count of leaks alone.
    assert passes(before) == passes_of_an_index()


def passes_of_an_index() -> tuple[int, int]:
    state = counted(full_networks(FEW))
    account(state)
    return passes(state)
