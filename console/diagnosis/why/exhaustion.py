"""Causes that are about a full network: a virtual IP, a task or a node gets no address."""

from dataclasses import dataclass

from console.addresses.accounting import NetworkAccount
from console.causes.registry import cause_of
from console.diagnosis.findings.networks import leak_count_text
from console.diagnosis.findings.waiting import most_likely_full
from console.diagnosis.why.case import ServiceContext
from console.diagnosis.why.evidence import (
    Explanation,
    ServiceStatus,
    error_rows,
    line_rows,
    network_rows,
    node_name,
    state_row,
    task_row,
    vip_rows,
)
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
    "needed, or reclaim leaked addresses. Swarm then continues by itself."
)


@dataclass(frozen=True, slots=True)
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
    return _explanation(case, shortage, certainty)


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
    return _explanation(case, shortage, Confidence.LIKELY)


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
        ServiceStatus.HELD_UP,
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
        advice=NO_REDEPLOY,
        command=_glance(full or accounts),
    )


def _node_without_attachment(case: ServiceContext, task: Task, accounts: list[NetworkAccount]) -> Explanation:
    """Return the same error where the engine's own count shows that no network is full."""
    return Explanation(
        "node-without-attachment",
        ServiceStatus.HELD_UP,
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


def _explanation(case: ServiceContext, shortage: _Shortage, certainty: Confidence) -> Explanation:
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
        ServiceStatus.HELD_UP,
        certainty,
        f"no free address for its {resource} on {name}",
        f"{log_text}{_account_text(account, is_sure=certainty is Confidence.CERTAIN)} {consequence} The application has not been "
        "started, and is not at fault.",
        (*rows, *network_rows(case, account), *line_rows((shortage.line,))),
        is_address_problem=True,
        advice=NO_REDEPLOY,
        command=_glance([account]),
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
