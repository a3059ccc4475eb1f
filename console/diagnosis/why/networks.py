"""Causes about networks: full ones, those that are gone or never got a subnet or cannot be read; what only looks like that."""

import shlex

from console.addresses.accounting import NetworkAccount
from console.causes.registry import cause_of
from console.diagnosis.findings.networks import leak_count_text, why_unallocated
from console.diagnosis.findings.waiting import most_likely_full
from console.diagnosis.why.case import ServiceContext
from console.diagnosis.why.evidence import (
    Evidence,
    Explanation,
    ServiceStatus,
    error_rows,
    line_rows,
    network_name,
    network_rows,
    node_name,
    service_row,
    state_row,
    task_row,
    vip_rows,
)
from console.durations import duration
from console.frozen import frozen
from console.journal.matching import LogEvent
from console.journal.signatures import Confidence
from console.swarm.model import Task
from console.text import plural

EXHAUSTION_SIGNATURES = frozenset(
    ("vip-create", "vip-update", "vip-init", "vip-retry", "task-address", "task-address-init")
)
"""Signatures by which dockerd says that a network has no free address."""
ADDRESS_IN_USE = "starting container failed: Address already in use"
"""The whole error of a task whose address another endpoint of its node still has (moby#42432)."""
PASSING_S = 5.0
"""Between its creation and its address a task is in New for a moment."""
NO_REDEPLOY = (
    "Do not redeploy: an update stops running tasks, and the new ones wait too. Remove a stack that is no longer "
    "needed, or {reclaim}. Swarm then continues by itself."
)


@frozen
class _Shortage:
    """A network that most likely has no address for the service."""

    account: NetworkAccount
    for_vip: bool
    line: LogEvent | None
    """In which dockerd says so."""
    is_the_one: bool
    """Whether no other network can be meant."""
    waited_s: float

    @property
    def is_full(self) -> bool:
        return self.account.free_at_most == 0


def full_network(case: ServiceContext) -> Explanation | None:
    """A network has no free address for the service's virtual IP, or for a task: dockerd or the account says so."""
    shortage = _shortage(case)
    if shortage is None or not (shortage.is_full or shortage.line is not None):
        return None
    certainty = Confidence.CERTAIN if shortage.is_full or shortage.is_the_one else Confidence.LIKELY
    return _explain_shortage(case, shortage, certainty)


def network_perhaps_full(case: ServiceContext) -> Explanation | None:
    """The service has waited for long, and addresses of a network are scarce or may have leaked."""
    shortage = _shortage(case)
    if shortage is None:
        return None
    account, thresholds = shortage.account, case.thresholds
    limit_s = thresholds.unallocated_s if shortage.for_vip else thresholds.new_task_s
    is_scarce = account.used_at_least >= thresholds.use_warning * account.capacity
    if shortage.waited_s < limit_s or (account.free_is_exact and not is_scarce):
        return None
    return _explain_shortage(case, shortage, Confidence.LIKELY)


def node_without_address(case: ServiceContext) -> Explanation | None:
    """A task was rejected because its node has no load-balancer address on one of the service's networks."""
    task = _last_without_attachment(case)
    if task is None:
        return None
    accounts = [
        case.swarm.accounts[network_id] for network_id in case.needs if network_id in case.swarm.accounts
    ]
    full = [account for account in accounts if account.capacity and account.free_at_most == 0]
    roomy = bool(accounts) and all(account.free_is_exact and account.free_at_most > 0 for account in accounts)
    line = case.line(task.node_id, task.id)
    is_said = line is not None and line.signature.id == "node-address"
    if roomy and not is_said:
        return _node_without_attachment(case, task, accounts)
    where = f" on {full[0].network.name}" if full else ""
    now = f" {_count_text(accounts)}" if roomy else ""
    return Explanation(
        "node-without-address",
        ServiceStatus.BLOCKED,
        Confidence.CERTAIN if full or is_said else Confidence.LIKELY,
        f"its node has no load-balancer address{where}",
        "A node needs one address on each network of its tasks, and this node has none: a "
        f"network is, or was, full.{now} Swarm tries again with each new task. The application never started.",
        (
            *error_rows(case, task),
            task_row(case, task, "NodeID", node_name(case, task)),
            *(row for account in (full or accounts) for row in network_rows(case, account)),
            *line_rows((line,)),
        ),
        is_address_problem=True,
        advice=_advice(case, full[0] if full else None),
        command=_glance(full or accounts),
    )


def _node_without_attachment(case: ServiceContext, task: Task, accounts: list[NetworkAccount]) -> Explanation:
    """Return the same error where the engine's own count shows that no network is full."""
    return Explanation(
        "node-without-attachment",
        ServiceStatus.BLOCKED,
        Confidence.POSSIBLE,
        "its node is not attached to one of its networks, and none of them is exhausted now",
        f"{_count_text(accounts)} The error names exhausted addresses only as a possibility. Other possible causes: generic resources on a "
        "service with networks; workers of another engine version; a network that was full when Swarm last tried the node. "
        "Swarm tries again with each new task. The application never started.",
        (
            *error_rows(case, task),
            task_row(case, task, "NodeID", node_name(case, task)),
            *(row for account in accounts for row in network_rows(case, account)),
        ),
        advice="Compare the engine versions of the nodes (`docker node ls`), and check whether the service reserves generic "
        "resources.",
        command="docker node ls",
    )


def _count_text(accounts: list[NetworkAccount]) -> str:
    counts = " and ".join(
        f"{account.free_at_most} addresses free on {account.network.name}" for account in accounts
    )
    return f"The engine counts {counts}, so nothing is exhausted now."


def _shortage(case: ServiceContext) -> _Shortage | None:
    for_vip = case.without_vip
    waiting = [task for task in case.new_tasks if case.age_s(task.since) >= _passing_s(case)]
    if not for_vip and not waiting:
        return None
    candidates = [
        case.swarm.accounts[network_id]
        for network_id in for_vip or case.needs
        if network_id in case.swarm.accounts and case.swarm.accounts[network_id].capacity
    ]
    line = case.line(case.service.id, *(task.id for task in waiting), among=EXHAUSTION_SIGNATURES)
    named_candidates = [
        candidate
        for candidate in candidates
        if line is not None and candidate.network.id == line.ids.get("network")
    ]
    if not candidates:
        return None
    scarcest = most_likely_full(named_candidates or candidates, case.swarm.waiting_counts)
    since = [case.age_s(task.since) for task in waiting] or [case.age_s(case.service.updated)]
    return _Shortage(scarcest, bool(for_vip), line, len(named_candidates or candidates) == 1, max(since))


def _passing_s(case: ServiceContext) -> float:
    return min(PASSING_S, case.thresholds.new_task_s)


def _explain_shortage(case: ServiceContext, shortage: _Shortage, certainty: Confidence) -> Explanation:
    account, name = shortage.account, shortage.account.network.name
    resource = "virtual IP" if shortage.for_vip else "task"
    rows = vip_rows(case)
    if case.new_tasks:
        rows += (state_row(case, case.new_tasks[0]),)
    consequence = (
        "Without its virtual IP the service's tasks get no address and no node: they wait in New."
        if shortage.for_vip
        else "Its task waits in New until it has one."
    )
    log_text = (
        f"dockerd found one of its networks full, and {name} has the fewest addresses left. "
        if shortage.line is not None and certainty is not Confidence.CERTAIN
        else ""
    )
    return Explanation(
        "no-vip" if shortage.for_vip else "no-task-address",
        ServiceStatus.BLOCKED,
        certainty,
        f"no free address for its {resource} on {name}",
        f"{log_text}{_account_text(account, is_sure=certainty is Confidence.CERTAIN)} {consequence} The application has not been "
        "started, and is not at fault.",
        (*rows, *network_rows(case, account), *line_rows((shortage.line,))),
        is_address_problem=True,
        advice=_advice(case, account),
        command=_glance([account]),
    )


def _advice(case: ServiceContext, account: NetworkAccount | None) -> str:
    """Return what to do about a full network: which stacks hold most of its addresses stands at the end."""
    largest = "" if account is None else case.swarm.largest_on(account.network.id)
    return f"{NO_REDEPLOY.format(reclaim=_reclaim(case))} {largest}".rstrip()


def _reclaim(case: ServiceContext) -> str:
    managers = sum(node.is_manager for node in case.swarm.nodes.values())
    # With one manager, the way without an outage has to be named: it is not what one would think of.
    return (
        "give leaked addresses back with `vipconsole reclaim --by borrow` (no container stops)"
        if managers == 1
        else "reclaim leaked addresses"
    )


def _account_text(account: NetworkAccount, *, is_sure: bool) -> str:
    name, capacity, free = account.network.name, account.capacity, account.free_at_most
    leak_text = leak_count_text(account)
    if free == 0:
        of_them = f", {leak_text} of them leaked" if leak_text else ""
        return f"All {plural(capacity, 'address', 'addresses')} of {name} are taken{of_them}."
    if account.free_is_exact:
        return (
            f"{name} was {'' if is_sure else 'probably '}full when Swarm last tried; {free} of its {capacity} addresses are free now"
            f"{f', {leak_text} leaked' if leak_text else ''}. Swarm tries again when another one is "
            "released, or after about 5 minutes."
        )
    return (
        f"{account.accounted} of the {capacity} addresses of {name} have a known holder; leaked ones are among the "
        f"other {free}."
    )


def _glance(accounts: list[NetworkAccount]) -> str:
    return " ".join(("vipconsole glance", *(account.network.name for account in accounts)))


def _last_without_attachment(case: ServiceContext) -> Task | None:
    # Whatever stands in front; but a name or a command that quotes the error inside another one does not pass for it.
    for slot in case.active_slots:
        failures = slot.failures(case.now)
        if failures and slot.newest.state != "running":
            match = cause_of(failures[0].error)
            if match is not None and match.cause.id == "node-without-address":
                return failures[0]
    return None


ALLOCATION_SIGNATURES = frozenset(
    ("network-unallocated", "network-unallocated-update", "network-unallocated-task", "network-removed-task")
)


def unreadable_networks(case: ServiceContext) -> Explanation | None:
    """Tasks wait for addresses, and the networks could not be read."""
    is_waiting = bool(case.new_tasks) or (
        case.service.endpoint_mode == "vip" and case.service.network_ids and not case.service.virtual_ips
    )
    if "networks" not in case.unread or not is_waiting:
        return None
    return Explanation(
        "networks-unread",
        ServiceStatus.UNKNOWN,
        Confidence.POSSIBLE,
        "it waits for addresses, and the networks cannot be read",
        "Whether they are full, gone or without a subnet is not known.",
        (*vip_rows(case), *(state_row(case, task) for task in case.new_tasks[:1])),
        command="docker network ls",
    )


def missing_network(case: ServiceContext) -> Explanation | None:
    """The service names a network that no longer exists, and its tasks wait for it."""
    waiting = [task for task in case.new_tasks if case.age_s(task.since) >= PASSING_S]
    if not case.missing_networks or not waiting:
        return None
    line = case.line(case.service.id, *case.missing_networks, *(task.id for task in waiting))
    is_said = line is not None and line.signature.id in ALLOCATION_SIGNATURES
    is_long = case.age_s(waiting[0].since) >= case.thresholds.new_task_s
    id_text = ", ".join(id_[:12] for id_ in case.missing_networks)
    name = shlex.quote(case.service.name)
    return Explanation(
        "network-gone",
        ServiceStatus.BLOCKED,
        Confidence.CERTAIN if is_said or is_long else Confidence.LIKELY,
        f"its network {id_text} no longer exists",
        "The service names a network by an ID that no longer exists. A newer network with the same name does not "
        "replace it. Its tasks wait in New forever.",
        (*vip_rows(case), state_row(case, waiting[0]), *line_rows((line,))),
        is_address_problem=True,
        advice=f"Attach the network that exists now: `docker service update --network-rm {case.missing_networks[0]} "
        f"--network-add NETWORK {name}`, or deploy the stack again.",
        command=f"docker service inspect --format '{{{{json .Spec.TaskTemplate.Networks}}}}' {name}",
    )


def network_without_subnet(case: ServiceContext) -> Explanation | None:
    """A network of the service never got a subnet, so nothing on it gets an address."""
    ids_without_subnet = [
        network_id for network_id in case.needs if not case.swarm.networks[network_id].is_allocated
    ]
    if not ids_without_subnet or not (set(ids_without_subnet) & set(case.without_vip) or case.new_tasks):
        return None
    network = case.swarm.networks[ids_without_subnet[0]]
    line = case.line(network.id) or case.line(case.service.id, among=ALLOCATION_SIGNATURES)
    age_s = case.age_s(network.created)
    is_young = age_s < case.thresholds.unallocated_s and line is None
    waiting = case.new_tasks[:1]
    reason = line.signature.meaning if line is not None else (
        f"{why_unallocated(network)}: dockerd's log on the leader says which."
    )  # fmt: skip
    return Explanation(
        "network-without-subnet",
        ServiceStatus.CONVERGING if is_young else ServiceStatus.BLOCKED,
        Confidence.POSSIBLE if is_young else Confidence.CERTAIN,
        f"its network {network.name} has no subnet",
        f"{network.name} exists, but Swarm gave it no addresses to hand out. {reason}",
        (
            *vip_rows(case),
            *(state_row(case, task) for task in waiting),
            Evidence(f"network {network.name}", "IPAM.Config", f"none, {duration(age_s)} after its creation"),
            *line_rows((line,)),
        ),
        is_address_problem=True,
        advice="Do not redeploy onto it. Remove the network and create it with a free --subnet, then deploy.",
        command=f"docker network inspect {shlex.quote(network.name)}",
    )


def pending_allocations(case: ServiceContext) -> Explanation | None:
    """The service waits for its allocation, and no network of it is visibly short of addresses."""
    missing = [network_name(case, network_id) for network_id in case.without_vip]
    waited_s = max(
        [case.age_s(task.since) for task in case.new_tasks]
        or ([case.age_s(case.service.updated)] if missing else [])
        or [0.0]
    )
    if waited_s < case.thresholds.new_task_s or not (missing or case.new_tasks):
        return None
    line = case.line(case.service.id, *(task.id for task in case.new_tasks))
    lacks = f"no virtual IP on {', '.join(missing)}" if missing else "no addresses for its tasks"
    return Explanation(
        "pending-allocations",
        ServiceStatus.BLOCKED,
        Confidence.POSSIBLE,
        f"Swarm has given it {lacks} yet",
        f"It has waited for {duration(waited_s)}, and as far as known its networks have free addresses. "
        "The leader may be busy or stuck, a published port may be taken, or a network was full a moment ago. The "
        "application has not been started, and is not at fault.",
        (
            *vip_rows(case),
            service_row(case, "UpdatedAt", f"{duration(case.age_s(case.service.updated))} ago"),
            *(state_row(case, task) for task in case.new_tasks[:1]),
            *line_rows((line,)),
        ),
        advice="dockerd on the leader logs why an allocation fails, the first time at level error.",
        command="journalctl -u docker --since '1 hour ago' --grep allocation",
    )
