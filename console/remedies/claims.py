"""Whether a run has a claim on this swarm that whoever wants to change it does not share: services that it parked."""

from collections.abc import Iterable
from dataclasses import dataclass

from console.errors import Declined, EngineError
from console.parts import Part, Unknown
from console.remedies.probes import remove_leftovers_in
from console.swarm.changer import SwarmChanger
from console.swarm.managers import foreign, roles_of
from console.swarm.parse import PARKED_LABEL
from console.swarm.reader import EngineReader
from console.swarm.values import Node, Service
from console.text import listed, plural


@dataclass(frozen=True, slots=True)
class Claimant:
    """Who wants to change the swarm."""

    machine: str
    runs: frozenset[str]
    """Those that are kept on this machine. None of them but its own is unfinished, or it would have been declined."""
    run: str = ""
    """Which of them it is; nothing for a command."""
    brings_back: bool = False
    """Whether it would bring parked services back: then those of runs that are kept no more are its own to mend."""


async def clear_the_way(
    reader: EngineReader, changer: SwarmChanger, claimant: Claimant, deadline_s: float
) -> tuple[str, ...]:
    """Make sure that nobody else is changing the swarm or has left it half changed; return what was removed.

    That are the names of probes and scratch networks which commands of this machine left behind. The caller holds the
    maintenance lock. Raises Declined, and EngineError when the services cannot be read.
    """
    state = await reader.glimpse(deadline_s)
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
    parked = [each for each in services if each.parked_by]
    if _is_in_its_outage(parked, claimant):
        return
    for each in parked:
        machine, _, run = each.parked_by.partition("/")
        names = [one.name for one in parked if one.parked_by == each.parked_by]
        if not run:
            _decline_unreadable(names)
        elif machine != claimant.machine:
            _decline_foreign(machine, run, names)
        elif run not in claimant.runs and not claimant.brings_back:
            _decline_forgotten(run, names)


def _is_in_its_outage(services: Iterable[Service], claimant: Claimant) -> bool:
    """Whether a run is in the middle of its own outage, which has to end, forward or back."""
    return any(each.parked_by == f"{claimant.machine}/{claimant.run}" for each in services)


def decline_if_handed_over(nodes: Part[tuple[Node, ...]], machine: str) -> None:
    """Raise Declined where another machine has a hand-over of the lead unfinished, EngineError where that is unknown."""
    if isinstance(nodes, Unknown):
        raise EngineError(nodes.reason, nodes.hint)
    refused = foreign(roles_of(nodes, ""), machine)
    if refused is not None:
        raise Declined(*refused)


def _decline_unreadable(names: list[str]) -> None:
    raise Declined(
        f"{_parked(names)} by something that this program does not know.",
        f"A newer vipconsole may: the label {PARKED_LABEL} of {names[0]} tells more (`docker service inspect`).",
    )


def _decline_foreign(machine: str, run: str, names: list[str]) -> None:
    raise Declined(
        f"Another machine is changing this swarm, or has left it half changed: {_parked(names)} by the run {run} of machine "
        f"{machine}.",
        f"There `vipconsole attach {run}` shows it and takes an undo, and `vipconsole resume {run}` lets it go on. If it "
        "cannot, `way-back.sh` in the run's folder there brings everything back with plain docker commands. Where that "
        "machine is gone, deploy their stacks anew, once their network is there: that takes the label away too.",
    )


def _decline_forgotten(run: str, names: list[str]) -> None:
    raise Declined(
        f"{_parked(names)} by the run {run}, which this machine does not keep any more: nothing else may change the swarm "
        "until they are back.",
        "`vipconsole run` with a runbook that recreates their network finishes it, or takes it back, by their labels.",
    )


def _parked(names: list[str]) -> str:
    return f"{plural(len(names), 'service')} {'is' if len(names) == 1 else 'are'} parked ({listed(names)})"
