"""Who changes the swarm: whether anybody else does, or has left it half changed."""

from collections.abc import Iterable

from console.errors import Declined, EngineError, Result, Unknown
from console.frozen import frozen
from console.operations.probes import remove_leftovers_in
from console.swarm.changer import SwarmChanger
from console.swarm.managers import borrowed_elsewhere, foreign, roles_of
from console.swarm.model import Node, Service
from console.swarm.parse import PARKED_LABEL
from console.swarm.reader import SwarmReader
from console.text import listed, plural


@frozen
class Claimant:
    """Who wants to change the swarm: a run, or a command."""

    machine: str
    runs: frozenset[str]
    """Runs stored on this machine. Only its own may be unfinished, else it would have been declined."""
    run: str = ""
    """The ID of this run; empty for a command."""
    brings_back: bool = False
    """Whether it would bring parked services back. If so, it also handles services of runs that are no longer
    stored."""


async def clear_the_way(
    reader: SwarmReader, changer: SwarmChanger, claimant: Claimant, deadline_s: float
) -> tuple[str, ...]:
    """Make sure that nobody else is changing the swarm or has left it half changed; return what was removed.

    That are the names of probes and scratch networks which commands of this machine left behind. The caller holds the
    maintenance lock. Raises Declined, and EngineError when the services cannot be read.
    """
    state = await reader.lists(deadline_s)
    if isinstance(state.services, Unknown):
        raise EngineError(state.services.reason, state.services.hint)
    decline_if_claimed(state.services, claimant)
    if not _is_in_its_outage(state.services, claimant):
        decline_if_handed_over(state.nodes, claimant.machine)
    return await remove_leftovers_in(state, changer, claimant.machine)


def decline_if_claimed(services: Iterable[Service], claimant: Claimant) -> None:
    """Raise Declined where services are parked by a run of another machine, or by one that this machine knows no more.

    Those of a run that is kept here and is over are not its business any more: somebody gave it up, or rolled them back.
    """
    parked_services = [service for service in services if service.parked_by]
    if _is_in_its_outage(parked_services, claimant):
        return
    for service in parked_services:
        machine, _, run = service.parked_by.partition("/")
        names = [other.name for other in parked_services if other.parked_by == service.parked_by]
        if not run:
            _decline_unreadable(names)
        elif machine != claimant.machine:
            _decline_foreign(machine, run, names)
        elif run not in claimant.runs and not claimant.brings_back:
            _decline_forgotten(run, names)


def _is_in_its_outage(services: Iterable[Service], claimant: Claimant) -> bool:
    """Whether a run is in the middle of its own outage, which has to end, forward or back."""
    return any(service.parked_by == f"{claimant.machine}/{claimant.run}" for service in services)


def decline_if_handed_over(nodes: Result[tuple[Node, ...]], machine: str) -> None:
    """Raise Declined where another machine has a hand-over of the lead, or a borrowed manager, unfinished.

    Raises EngineError where that is unknown.
    """
    if isinstance(nodes, Unknown):
        raise EngineError(nodes.reason, nodes.hint)
    # A borrowed manager comes first: its end ends the hand-over too.
    refusal = borrowed_elsewhere(nodes, machine) or foreign(roles_of(nodes, ""), machine)
    if refusal is not None:
        raise Declined(*refusal)


def _decline_unreadable(names: list[str]) -> None:
    raise Declined(
        f"{_describe_parked(names)} by an unknown program.",
        f"A newer vipconsole may know more. `docker service inspect {names[0]}` shows the label "
        f"{PARKED_LABEL}.",
    )


def _decline_foreign(machine: str, run: str, names: list[str]) -> None:
    raise Declined(
        f"Another machine is changing this swarm, or left it half changed: {_describe_parked(names)} by run {run} of "
        f"machine {machine}.",
        f"On that machine, `vipconsole attach {run}` shows the run and takes an undo, and `vipconsole "
        f"resume {run}` continues it. If neither works, run `way-back.sh` in the run's folder there: it "
        "brings everything back with plain docker commands. If that machine is gone, recreate the network "
        "if needed, then deploy the stacks again. That also removes the label.",
    )


def _decline_forgotten(run: str, names: list[str]) -> None:
    raise Declined(
        f"{_describe_parked(names)} by run {run}, which is no longer stored on this machine. Nothing else may change "
        "the swarm until they are back.",
        "`vipconsole run` with a runbook that recreates their network finishes that run, or undoes it, "
        "from their labels.",
    )


def _describe_parked(names: list[str]) -> str:
    return f"{plural(len(names), 'service')} {'is' if len(names) == 1 else 'are'} parked ({listed(names)})"
