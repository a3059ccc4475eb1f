"""Whether addresses are exhausted, and for whom. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from console.addresses.accounting import NetworkAccount
from console.diagnosis.findings.sources import is_past
from console.diagnosis.findings.waiting import (
    ServiceWithoutAddress,
    count_waiting,
    most_likely_full,
    needy_services,
    waiting_services,
)
from console.diagnosis.quiescence.crash_loops import FAILURE_STATES, STOP_STATES, tasks_by_service
from console.diagnosis.values import Snapshot
from console.errors import Unknown, known
from console.guard.values import GuardInputs, GuardOptions, Shortage
from console.settings import Thresholds
from console.swarm.model import Service, Task
from console.text import listed, plural

REFUSALS = frozenset(
    (
        "vip-create", "vip-update", "vip-init", "vip-retry", "task-address", "task-address-init", "task-pending",
        "task-pending-old", "task-pending-init",
    ),
)  # fmt: skip
"""Signatures by which dockerd says that a service got no address."""
FRESH_S = 900.0
"""A census of this age still tells what is free."""
STARTING_STATES = ("assigned", "accepted", "preparing", "ready", "starting")
"""States between a task's placement and its container's being up: images are pulled, and health is waited for."""
MAX_START_S = 900.0
"""Whatever has been in one of them for longer is stuck."""


def find_shortages(inputs: GuardInputs, options: GuardOptions, thresholds: Thresholds) -> Iterator[Shortage]:
    """Yield the networks that have too few addresses, the network of the batch first."""
    needy = needy_services(inputs.snapshot)
    lacking_names = _group_lacking(inputs, needy, thresholds)
    for account in _batch_first(inputs.assessment.accounts, options):
        name, network_id = account.network.name, account.network.id
        batch = (options.need or 0) if name == options.network else 0
        demand = batch + _demand(account, needy)
        names = lacking_names.get(network_id, ())
        if names:
            why = f"{plural(len(names), 'deploy')} ({listed(names)}) cannot get an address on {name}"
        elif batch and account.free_at_most < demand:
            qualifier = "" if account.free_is_exact else "at most "
            free = plural(account.free_at_most, "free address", "free addresses")
            why = f"{name} has {qualifier}{free}, and {demand} are needed"
        else:
            continue
        within_reach = max(0, account.capacity - account.accounted)
        yield Shortage(name, network_id, why, demand, account.free_at_most, within_reach)


def find_uncertain_network(inputs: GuardInputs, options: GuardOptions) -> NetworkAccount | None:
    """Return the network of the batch where nobody knows whether it has as many addresses as are needed."""
    now = inputs.snapshot.now
    for account in inputs.assessment.accounts:
        is_needed = account.network.name == options.network and options.need is not None
        if is_needed and not account.free_is_exact and not _has_fresh_census(account, now):
            return account
    return None


def _has_fresh_census(account: NetworkAccount, now: datetime) -> bool:
    """Whether a census told a moment ago what leaked; what has leaked since then is little."""
    dates = [subnet.leak.as_of for subnet in account.subnets]
    return bool(dates) and all(date is not None and (now - date).total_seconds() <= FRESH_S for date in dates)


def _batch_first(accounts: Iterable[NetworkAccount], options: GuardOptions) -> list[NetworkAccount]:
    return sorted(accounts, key=lambda account: account.network.name != options.network)


def _demand(account: NetworkAccount, needy: Iterable[ServiceWithoutAddress]) -> int:
    return sum(
        needy_service.addresses for needy_service in needy if account.network.id in needy_service.network_ids
    )


def _group_lacking(
    inputs: GuardInputs, needy: list[ServiceWithoutAddress], thresholds: Thresholds
) -> Mapping[str, tuple[str, ...]]:
    """Return the services that cannot get an address, by the network that most likely holds them up.

    That is known when dockerd said so and it can still be so, or when a deploy has waited for too long and all that may be
    free there is less than what is wanted.
    """
    accounts = {network_account.network.id: network_account for network_account in inputs.assessment.accounts}
    refused_services = find_refused_services(inputs, needy)
    waiting = {service.name for service in waiting_services(inputs.snapshot, thresholds)}
    blocked = [
        needy_service
        for needy_service in needy
        if needy_service.name in refused_services or needy_service.name in waiting
    ]
    waiting_counts = count_waiting(blocked)
    names_by_network: defaultdict[str, list[str]] = defaultdict(list)
    for needy_service in blocked:
        candidates = [
            accounts[network_id] for network_id in needy_service.network_ids if network_id in accounts
        ]
        if not candidates:
            continue
        account = most_likely_full(candidates, waiting_counts)
        is_full = account.free_at_most < _demand(account, needy)
        is_refused = needy_service.name in refused_services
        if (is_refused and (is_full or not account.free_is_exact)) or (
            needy_service.name in waiting and is_full
        ):
            names_by_network[account.network.id].append(needy_service.name)
    return {key: tuple(names) for key, names in names_by_network.items()}


def find_refused_services(inputs: GuardInputs, needy: Iterable[ServiceWithoutAddress]) -> frozenset[str]:
    """Return the names of the services that dockerd had no address for, as far as they may still be without for that reason.

    A failure from before one of their networks was made may have been another network's of that name.
    """
    creation_times = {account.network.id: account.network.created for account in inputs.assessment.accounts}
    refusal_times = _refusal_times(inputs)
    return frozenset(
        needy_service.name
        for needy_service in needy
        if needy_service.name in refusal_times
        and all(
            refusal_times[needy_service.name] >= creation_times[network_id]
            for network_id in needy_service.network_ids
            if network_id in creation_times
        )
    )


def _refusal_times(inputs: GuardInputs) -> Mapping[str, datetime]:
    """Return the services that dockerd had no address for since its allocator began, and when it said so last."""
    journal = inputs.snapshot.journal
    if isinstance(journal, Unknown):
        return {}
    swarm = inputs.snapshot.swarm
    services = {service.id: service.name for service in known(swarm.services, ())}
    # What a task could not get is logged with the task alone.
    tasks = {task.id: services.get(task.service_id, "") for task in known(swarm.tasks, ())}
    times: dict[str, datetime] = {}
    for log_finding in journal.findings:
        if log_finding.signature.id in REFUSALS and not is_past(log_finding, journal):
            of_tasks = (tasks.get(task_id, "") for task_id in log_finding.objects.get("task", ()))
            for name in filter(None, (*log_finding.objects.get("service", ()), *of_tasks)):
                times[name] = max(times.get(name, log_finding.last), log_finding.last)
    return times


def services_in_deployment(snapshot: Snapshot) -> tuple[str, ...]:
    """Return the names of services whose tasks are on the way to running and have not failed since the last change.

    Quiet takes a service for stuck that has not converged within its dwell time. That is short for a pull, and a guard that would
    restart the docker unit or remove networks meanwhile would do so in the middle of a deploy.
    """
    tasks = tasks_by_service(known(snapshot.swarm.tasks, ()))
    return tuple(
        service.name
        for service in known(snapshot.swarm.services, ())
        if _is_in_deployment(service, tasks.get(service.id, ()), snapshot)
    )


def _is_in_deployment(service: Service, tasks: Iterable[Task], snapshot: Snapshot) -> bool:
    tasks = tuple(tasks)
    has_failed = any(task.state in FAILURE_STATES and task.since >= service.updated for task in tasks)
    return not has_failed and any(
        task.state in STARTING_STATES
        and task.desired_state not in STOP_STATES
        and (snapshot.now - task.since).total_seconds() < MAX_START_S
        for task in tasks
    )
