"""Findings about deploys that wait for an address."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from console.addresses.accounting import NetworkAccount
from console.addresses.holder_groups import HolderGrouper
from console.diagnosis.findings.networks import REDEPLOY_HINT, largest_holders
from console.diagnosis.values import Finding, Severity, Snapshot
from console.durations import duration
from console.errors import known
from console.frozen import frozen
from console.settings import Thresholds
from console.swarm.model import Service, Task
from console.text import listed, plural

REJECTION_WINDOW_S = 3600.0


@frozen
class WaitingService:
    """A service that has been waiting for its addresses for longer than it should."""

    name: str
    for_s: float
    network_ids: tuple[str, ...]
    """The networks that it needs an address on."""


@frozen
class ServiceWithoutAddress:
    """A service that lacks addresses now, for however short a time."""

    service_id: str
    name: str
    network_ids: tuple[str, ...]
    """The networks that it needs an address on."""
    addresses: int
    """How many it lacks on each of them: its virtual IP, and one for each of its tasks in New."""


def needy_services(snapshot: Snapshot) -> list[ServiceWithoutAddress]:
    """Return the services that lack addresses, by name; probes of this program left out."""
    new: Counter[str] = Counter(
        task.service_id
        for task in known(snapshot.swarm.tasks, ())
        if task.state == "new" and not task.is_stopping
    )
    needy, ingress_ids = [], _ingress_ids(snapshot)
    for service in known(snapshot.swarm.services, ()):
        needs = _required_networks(service, ingress_ids)
        lacking = new[service.id] + _lacks_vip(service, needs)
        if lacking and not service.is_probe:
            needy.append(ServiceWithoutAddress(service.id, service.name, needs, lacking))
    return sorted(needy, key=lambda service: service.name)


def _ingress_ids(snapshot: Snapshot) -> tuple[str, ...]:
    return tuple(network.id for network in known(snapshot.swarm.networks, ()) if network.ingress)


def _required_networks(service: Service, ingress_ids: tuple[str, ...]) -> tuple[str, ...]:
    """Return the networks on which a service needs addresses, `ingress` included where it publishes ports."""
    # Networks such as `host` have no addresses: a service on one has a virtual IP there without an address.
    needs = tuple(id_ for id_ in service.network_ids if id_ not in service.addressless_ids)
    return needs + ingress_ids if service.publishes_ingress else needs


def waiting_services(snapshot: Snapshot, thresholds: Thresholds) -> list[WaitingService]:
    """Return services with a task in New, or without a virtual IP that they should have, longest first."""
    now, services = snapshot.now, known(snapshot.swarm.services, ())
    by_service: defaultdict[str, list[Task]] = defaultdict(list)
    for task in known(snapshot.swarm.tasks, ()):
        if task.state == "new" and not task.is_stopping:
            by_service[task.service_id].append(task)
    waiting: list[WaitingService] = []
    ingress_ids = _ingress_ids(snapshot)
    for service in services:
        needs = _required_networks(service, ingress_ids)
        ages = [_age_s(now, task.since) for task in by_service.pop(service.id, ())]
        ages = [age for age in ages if age >= thresholds.new_task_s]
        if service.is_probe:
            continue
        without_vip = _lacks_vip(service, needs) and _age_s(now, service.updated)
        if without_vip and without_vip >= thresholds.unallocated_s:
            ages.append(without_vip)
        if ages:
            waiting.append(WaitingService(service.name, max(ages), needs))
    for service_id, tasks in by_service.items():
        # Their service is gone or could not be read.
        ages = [age for task in tasks if (age := _age_s(now, task.since)) >= thresholds.new_task_s]
        if ages:
            waiting.append(WaitingService(f"service {service_id[:12]}", max(ages), ()))
    return sorted(waiting, key=lambda waiting_service: (-waiting_service.for_s, waiting_service.name))


def _lacks_vip(service: Service, needs: tuple[str, ...]) -> bool:
    has = {virtual_ip.network_id for virtual_ip in service.virtual_ips}
    return service.endpoint_mode == "vip" and not has.issuperset(needs)


def _age_s(now: datetime, since: datetime) -> float:
    return (now - since).total_seconds()


def find_waiting_deploys(
    snapshot: Snapshot, accounts: Iterable[NetworkAccount], thresholds: Thresholds
) -> Iterator[Finding]:
    """Yield the waiting deploys, those that the same network holds up in one finding."""
    by_id = {account.network.id: account for account in accounts}
    groups: defaultdict[str, list[WaitingService]] = defaultdict(list)
    waiting_deploys = waiting_services(snapshot, thresholds)
    waiting_counts = count_waiting(waiting_deploys)
    for waiting_service in waiting_deploys:
        candidates = [by_id[network_id] for network_id in waiting_service.network_ids if network_id in by_id]
        groups[most_likely_full(candidates, waiting_counts).network.id if candidates else ""].append(
            waiting_service
        )
    grouper = HolderGrouper(snapshot.swarm)
    for network_id, group in groups.items():
        yield _deploy_finding(group, by_id.get(network_id), grouper, thresholds)
    yield from _find_rejections(snapshot, by_id)


def count_waiting(waiting: Iterable[WaitingService | ServiceWithoutAddress]) -> Mapping[str, int]:
    """Return how many services wait on each network, by its ID."""
    return Counter(network_id for waiting_service in waiting for network_id in waiting_service.network_ids)


def most_likely_full(
    candidates: Iterable[NetworkAccount], waiting_counts: Mapping[str, int]
) -> NetworkAccount:
    """Return the network, out of at least one, that most likely holds up a service which needs an address on each.

    One that is full for certain comes first. Where leaks are unknown, what is free is only a bound, and a small network
    would always look fuller than a large one that leaked: so the one on which most services wait comes next.
    """
    return min(
        candidates,
        key=lambda candidate: (
            candidate.free_at_most > 0,
            candidate.free_is_exact,
            -waiting_counts.get(candidate.network.id, 0) if not candidate.free_is_exact else 0,
            candidate.free_at_most,
            candidate.network.name,
        ),
    )


def _deploy_finding(
    group: list[WaitingService],
    account: NetworkAccount | None,
    grouper: HolderGrouper,
    thresholds: Thresholds,
) -> Finding:
    names = tuple(waiting_service.name for waiting_service in group)
    descriptions = [
        f"{waiting_service.name} for {duration(waiting_service.for_s)}" for waiting_service in group
    ]
    verb = "waits" if len(group) == 1 else "wait"
    deploys = plural(len(group), "deploy")
    services_text = listed(descriptions)
    if account is None:
        return Finding(
            "deploy-waits",
            Severity.CRITICAL,
            "swarm",
            f"{deploys} {verb} in New",
            f"{deploys} {verb} in New: {services_text}.",
            "Their networks could not be read, or no longer exist.",
            names,
        )
    name, free = account.network.name, account.free_at_most
    short, where = f"{deploys} {verb} for an address", f" on {name}"
    if not account.network.is_allocated:
        short, where = f"{deploys} {verb} for {name} to get a subnet", ""
        hint = "See the finding about that network."
    elif free == 0:
        # The finding about the full network names its largest holders.
        hint = REDEPLOY_HINT
    elif account.used_at_least < thresholds.use_warning * account.capacity and account.free_is_exact:
        short, where = f"{deploys} {verb} in New", ""
        hint = (
            f"Addresses are not exhausted: {name} has {free} free, and no other network of theirs has fewer. "
            "See `docker service ps --no-trunc` and dockerd's log on the leader."
        )
    elif account.free_is_exact:
        hint = (
            f"{name} has {plural(free, 'free address', 'free addresses')} now. Swarm tries again when one is "
            f"released, else after 5 minutes. {REDEPLOY_HINT} {largest_holders(account, grouper)}".rstrip()
        )
    else:
        hint = (
            f"At most {free} addresses of {name} are free, leaked ones included. If none is free, dockerd's log on the "
            f"leader says `could not find an available IP`. {largest_holders(account, grouper)}".rstrip()
        )
    sentence = f"{short}{where}: {services_text}."
    return Finding("deploy-waits", Severity.CRITICAL, name, short, sentence, hint, names)


def _lacks_attachment(task: Task) -> bool:
    from console.causes.addresses import MISSING_ATTACHMENT  # noqa: PLC0415 - a task was rejected

    return task.error == MISSING_ATTACHMENT


def _find_rejections(snapshot: Snapshot, by_id: Mapping[str, NetworkAccount]) -> Iterator[Finding]:
    rejected_tasks = [
        task
        for task in known(snapshot.swarm.tasks, ())
        if task.state == "rejected"
        and _lacks_attachment(task)
        and _age_s(snapshot.now, task.since) <= REJECTION_WINDOW_S
    ]
    if rejected_tasks:
        services = {service.id: service.name for service in known(snapshot.swarm.services, ())}
        ingress_ids = _ingress_ids(snapshot)
        needs = {
            service.id: _required_networks(service, ingress_ids)
            for service in known(snapshot.swarm.services, ())
        }
        names = tuple(
            dict.fromkeys(services.get(task.service_id, task.service_id[:12]) for task in rejected_tasks)
        )
        network_ids = {
            network_id
            for task in rejected_tasks
            for network_id in needs.get(task.service_id, ())
            if network_id in by_id
        }
        accounts = [by_id[network_id] for network_id in sorted(network_ids)]
        tasks = f"{plural(len(rejected_tasks), 'task')} of {listed(names)} rejected in the last hour"
        if accounts and all(account.free_is_exact and account.free_at_most > 0 for account in accounts):
            free_text = listed(
                [f"{account.free_at_most} addresses free on {account.network.name}" for account in accounts]
            )
            yield Finding(
                "node-without-address",
                Severity.CRITICAL,
                "swarm",
                f"{plural(len(rejected_tasks), 'task')} rejected: node not attached to a network",
                f"{tasks}: a node is not attached to one of their networks.",
                f"The engine counts {free_text}, so none is exhausted now. Other possible causes: generic resources on a service "
                "with networks; workers of another engine version (`docker node ls`).",
                names,
            )
            return
        yield Finding(
            "node-without-address",
            Severity.CRITICAL,
            "swarm",
            f"{plural(len(rejected_tasks), 'task')} rejected: no load-balancer address",
            f"{tasks}: a node got no load-balancer address on one of their networks.",
            "One of their networks was full when the node needed an address. Swarm tries the node again with its next task.",
            names,
        )
