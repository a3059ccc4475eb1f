"""Findings about operations that are not over: parked services, paused nodes, unfinished maintenance runs."""

import re
import shlex
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime

from console.diagnosis.values import Finding, Severity, Snapshot, UnfinishedRun
from console.durations import duration
from console.errors import Result, Unknown, known
from console.swarm.managers import (
    borrowed_by_hand,
    by_hand,
    is_to_be_active,
    machine_of,
    machine_of_borrowed,
)
from console.swarm.model import Node, Service
from console.text import listed, plural

HANDOVER_CODE = "handover-unfinished"
BORROW_CODE = "borrow-unfinished"
SWARM = "swarm"
# The text of a label becomes part of a command that somebody may copy.
_RUN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def find_unfinished_runs(runs: Result[tuple[UnfinishedRun, ...]], now: datetime) -> Iterator[Finding]:
    """Yield a critical finding for each run that keeps everybody else from changing the swarm."""
    if isinstance(runs, Unknown):
        yield Finding(
            "runs-unread",
            Severity.UNKNOWN,
            "run",
            "maintenance runs cannot be read",
            f"Whether a maintenance run is unfinished is not known: {runs.reason}",
            runs.hint,
        )
        return
    for run in runs:
        outage = " Services may be down because of it." if run.is_in_outage else ""
        age = duration((now - run.began_at).total_seconds())
        yield Finding(
            "run-unfinished" if run.run_id else BORROW_CODE,
            Severity.CRITICAL,
            run.run_id or SWARM,
            f"the {'run ' if run.run_id else run.kind}{run.run_id} {run.state}",
            f"{run.name} ({run.title}) {run.state} at step {run.step}; it began {age} ago."
            f"{outage} Nothing else may change the swarm until it has ended.",
            run.hint,
            (run.run_id,) if run.run_id else (),
        )


def find_unfinished_handover(snapshot: Snapshot) -> Iterator[Finding]:
    """Yield a critical finding for each node with the label of a hand-over, which is removed at its very end."""
    for node in known(snapshot.swarm.nodes, ()):
        if node.handover:
            yield _handover_finding(node, snapshot.machine)


def _handover_finding(node: Node, here: str) -> Finding:
    machine = machine_of(node)
    where = "" if machine == here else f" on the machine {machine} (by its /etc/machine-id)"
    commands = ", then ".join(f"`{command}`" for command in by_hand(node))
    return Finding(
        HANDOVER_CODE,
        Severity.CRITICAL,
        node.hostname,
        f"a hand-over from {node.hostname} is unfinished",
        f"A hand-over of the lead is under way or was interrupted: {node.hostname} {_node_state(node)}.",
        f"If none is running, `vipconsole reclaim`{where} finishes or undoes it. By hand: {commands}.",
        (node.hostname,),
    )


def _node_state(node: Node) -> str:
    if node.desired_role == "worker":
        return "is a worker, but was a manager"
    if is_to_be_active(node):
        return "is paused: no new task starts on it"
    return "still has its label"


def find_borrowed_nodes(snapshot: Snapshot) -> Iterator[Finding]:
    """Yield a critical finding for each temporary manager that is still in the swarm.

    One of this machine with a record is told with its record, see `find_unfinished_runs`.
    """
    has_record = any(not run.run_id for run in known(snapshot.runs, ()))
    for node in known(snapshot.swarm.nodes, ()):
        if node.borrowed_by and not (has_record and machine_of_borrowed(node) == snapshot.machine):
            yield _borrowed_finding(node, snapshot.machine)


def _borrowed_finding(node: Node, here: str) -> Finding:
    machine = machine_of_borrowed(node)
    commands = ", then ".join(f"`{command}`" for command in borrowed_by_hand(node))
    by_hand_text = f"By hand, once another manager leads: {commands}."
    if machine == here:
        # Not every caller reads the records of this machine, so it is not known that there is none.
        owner = "this machine"
        hint = f"If none is running, `vipconsole reclaim` finishes it, as long as its record is there. {by_hand_text}"
    else:
        owner = f"the machine {machine} (by its /etc/machine-id)"
        hint = f"If none is running, `vipconsole reclaim` on that machine finishes it. {by_hand_text}"
    return Finding(
        BORROW_CODE,
        Severity.CRITICAL,
        node.hostname,
        f"the borrowed manager {node.hostname} is still there",
        f"A borrowed manager is at work or was interrupted: {node.hostname}, borrowed by {owner}, is in the swarm.",
        hint,
        (node.hostname,),
    )


def find_parked_services(snapshot: Snapshot) -> Iterator[Finding]:
    """Yield a critical finding for each run that has services parked, and a warning about what a rollback would park."""
    services = known(snapshot.swarm.services, ())
    groups = defaultdict[str, list[Service]](list)
    for service in services:
        if service.parked_by:
            groups[_parking_run(service)].append(service)
    for owner, group in sorted(groups.items()):
        yield _parked_finding(owner, _names(group), snapshot)
    names = _names(service for service in services if service.rolls_back_to_parked and not service.parked_by)
    if names:
        yield _rollback_finding(names)


def _parking_run(service: Service) -> str:
    """Return who parked a service, as `MACHINE/RUN`; nothing where its label does not tell."""
    machine, _, run = service.parked_by.rpartition("/")
    return service.parked_by if machine and _RUN.fullmatch(run) else ""


def _names(services: Iterable[Service]) -> tuple[str, ...]:
    return tuple(sorted(service.name for service in services))


def _parked_finding(owner: str, names: tuple[str, ...], snapshot: Snapshot) -> Finding:
    machine, _, run = owner.rpartition("/")
    short = f"{plural(len(names), 'service')} {'is' if len(names) == 1 else 'are'} parked"
    if not run:
        return Finding(
            "services-parked",
            Severity.CRITICAL,
            SWARM,
            short,
            f"{short}, without tasks, and their label does not say by which run: {listed(names)}.",
            "A newer vipconsole wrote the label `vipconsole.parked`, or somebody by hand: `docker service inspect "
            f"{names[0]}` shows it.",
            names,
        )
    whose, hint = _way_back_of(machine, run, snapshot)
    sentence = f"{short}, without tasks until the run {run}{whose} brings them back: {listed(names)}."
    return Finding("services-parked", Severity.CRITICAL, run, short, sentence, hint, names)


def way_back(service: Service, snapshot: Snapshot) -> tuple[str, str]:
    """Return which run brings a parked service back, as in "until … brings it back", and how it is made to."""
    machine, _, run = _parking_run(service).rpartition("/")
    if not run:
        shown = f"`docker service inspect {shlex.quote(service.name)}` shows the label `vipconsole.parked`."
        return "the run that its label does not name", shown
    whose, hint = _way_back_of(machine, run, snapshot)
    return f"the run {run}{whose}", hint


def _way_back_of(machine: str, run: str, snapshot: Snapshot) -> tuple[str, str]:
    # Where this machine's name was not read, nothing says that it is another one.
    if machine == snapshot.machine or not snapshot.machine:
        return _way_back(run, snapshot)
    return _way_back_elsewhere(run, machine)


def _way_back(run: str, snapshot: Snapshot) -> tuple[str, str]:
    unfinished_run = next(
        (candidate for candidate in known(snapshot.runs, ()) if candidate.run_id == run), None
    )
    if unfinished_run is not None:
        return f" (it {unfinished_run.state})", unfinished_run.hint
    # Not every caller reads the runs, so it is not known that this one has ended.
    hint = (
        f"`vipconsole resume {run}`. If that run is over or lost (`vipconsole runs`), recreating the network once more "
        "with `vipconsole run` brings them back too; `way-back.sh` in the run's folder does it by hand."
    )
    return " of this machine", hint


def _way_back_elsewhere(run: str, machine: str) -> tuple[str, str]:
    hint = f"`vipconsole resume {run}` on that machine (by its /etc/machine-id), or `way-back.sh` in the run's folder there."
    return f" of the machine {machine}", hint


def _rollback_finding(names: tuple[str, ...]) -> Finding:
    return Finding(
        "rollback-parks",
        Severity.WARNING,
        SWARM,
        f"a rollback would stop {plural(len(names), 'service')}",
        f"`docker service rollback` would stop {plural(len(names), 'service')} and take {'it' if len(names) == 1 else 'them'} "
        f"off the network: {listed(names)}. Recreating the network left the parked specification as their rollback target.",
        f"Run `docker service update {names[0]}`, and the same for each: it makes the present specification the "
        "rollback target, and changes and restarts nothing.",
        names,
    )
