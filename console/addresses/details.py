"""The details of one address: who holds it, since when, and the evidence. Pure."""

from collections.abc import Mapping
from datetime import datetime, tzinfo

from console.addresses.accounting import SubnetAccount
from console.addresses.holders import Holder, HolderKind
from console.addresses.leaks import LeakEvidence
from console.addresses.map import AddressMap, Cell, CellKind
from console.durations import NOT_KNOWN, duration, is_known, moment
from console.errors import known
from console.frozen import frozen
from console.swarm.model import Service, SwarmState, Task
from console.text import plural


@frozen
class AddressDetails:
    """What an address is, in a word or two, and the sentences below it."""

    description: str
    lines: tuple[str, ...]


@frozen
class Holders:
    """A swarm's services and tasks by ID: they show since when an address is held."""

    services: Mapping[str, Service]
    tasks: Mapping[str, Task]
    nodes: Mapping[str, str]
    now: datetime
    zone: tzinfo

    def since(self, at: datetime) -> str:
        """Return a moment and its age: `Tue 03:12, 3 d ago`."""
        if not is_known(at):
            return NOT_KNOWN
        return f"{moment(at, self.now, self.zone)}, {duration((self.now - at).total_seconds())} ago"


def index_swarm_objects(swarm: SwarmState, now: datetime, zone: tzinfo) -> Holders:
    """Return what `describe_address` asks, in one pass over a swarm."""
    return Holders(
        {service.id: service for service in known(swarm.services, ())},
        {task.id: task for task in known(swarm.tasks, ())},
        {node.id: node.hostname for node in known(swarm.nodes, ())},
        now,
        zone,
    )


def describe_address(cell: Cell, subnet: AddressMap, index: Holders) -> AddressDetails:
    """Return the kind of an address, with its holder, age and evidence as sentences."""
    if cell.holders:
        return _holder_details(cell.holders, index)
    match cell.mark:
        case CellKind.LEAKED | CellKind.TAKEN:
            return AddressDetails(str(cell.mark), _leak_lines(cell, subnet.account, index))
        case CellKind.FREE:
            return AddressDetails("free", _free_lines(subnet.account, index))
        case CellKind.OPEN:
            return AddressDetails("no known holder", (describe_rest(subnet),))
        case _:
            return _other_details(cell, subnet)


def _holder_details(holders: tuple[Holder, ...], index: Holders) -> AddressDetails:
    if len(holders) == 1:
        return AddressDetails(_kind_text(holders[0]), (holders[0].name, *_age_lines(holders[0], index)))
    advice = "Traffic for one reaches the other. Redeploy one; a restart of dockerd does not help."
    return AddressDetails(
        "held twice", (*(f"{_kind_text(holder)} {holder.name}" for holder in holders), advice)
    )


def _other_details(cell: Cell, subnet: AddressMap) -> AddressDetails:
    if cell.mark is CellKind.LOAD_BALANCER:
        return AddressDetails("load balancer", ("It belongs to another node; only that node knows which.",))
    if cell.mark is CellKind.OUTSIDE:
        return AddressDetails(
            "outside ip-range", (f"Only addresses of {subnet.pool.handed_out_from} are handed out.",)
        )
    if cell.mark is CellKind.GATEWAY:
        return AddressDetails("gateway", ("It is never handed out.",))
    is_first = cell.address == subnet.pool.subnet.network_address
    return AddressDetails(
        "network address" if is_first else "broadcast address", ("It is never handed out.",)
    )


def describe_rest(subnet: AddressMap) -> str:
    """Return what is known of the addresses that nobody is known to hold, as a sentence; nothing where all are free."""
    account, leak = subnet.account, subnet.account.leak
    balancers = account.unnamed_load_balancers
    others = f"{plural(balancers, 'load balancer')} of other nodes"
    count = subnet.counts().get(subnet.rest, 0)
    if count and subnet.rest is CellKind.FREE and balancers and not leak.addresses:
        return f"Among those shown as free: {others}."
    if not count or subnet.rest is not CellKind.OPEN:
        return ""
    return f"No holder is known for {_these_addresses(count)}: {_possible_uses(subnet, others if balancers else '')}".rstrip()


def _possible_uses(subnet: AddressMap, others: str) -> str:
    """Return what the addresses without a known holder can be; `others` are load balancers without a known address."""
    account, leak = subnet.account, subnet.account.leak
    if leak.evidence is LeakEvidence.LEAK_LOG:
        return "free, or leaked before monitoring began."
    if leak.count is None:
        also = f", or one of {others}" if others else ""
        if not account.free_is_exact:
            return f"free or leaked{also}. {leak.why_unknown}"
        free = f"{account.free_at_most} free, the others" if account.free_at_most else "none free, all"
        return f"{free} leaked or just changing hands{also}. {leak.why_unknown}"
    listed_count = sum(subnet.counts().get(mark, 0) for mark in (CellKind.LEAKED, CellKind.TAKEN))
    among = [f"{max(0, leak.count - listed_count)} leaked", f"{account.free_at_most} free"]
    among += [others] if others else []
    return f"{', '.join(among)}. A census shows which is which."


def _these_addresses(count: int) -> str:
    return "this address" if count == 1 else f"these {count} addresses"


def _leak_lines(cell: Cell, account: SubnetAccount, index: Holders) -> tuple[str, ...]:
    entry, leak = cell.leak_entry, account.leak
    if entry is not None:
        stack = f" of stack {entry.stack}" if entry.stack else ""
        return (
            f"was {entry.task_name}{stack}",
            f"since {index.since(entry.ended_at)}: {entry.removed_network} was removed before the task ended",
        )
    age = f" {duration((index.now - leak.as_of).total_seconds())} ago" if leak.as_of is not None else ""
    if cell.mark is CellKind.TAKEN:
        load_balancers = plural(leak.possibly_load_balancers, "load balancer")
        return (
            f"A census{age} found it taken, without a known holder.",
            f"It leaked, or is one of {load_balancers} of other nodes, which only those nodes know.",
        )
    if cell.address in leak.addresses:
        return (f"A census{age} found it taken, without a holder.",)
    return ("The engine counts as many leaked addresses as have no holder, so this one leaked.",)


def _free_lines(account: SubnetAccount, index: Holders) -> tuple[str, ...]:
    leak, balancers = account.leak, account.unnamed_load_balancers
    if leak.as_of is not None:
        when = (
            "a census was taken"
            if leak.evidence is LeakEvidence.CENSUS
            else "the engine's count was last stable"
        )
        return (f"Free when {when}, {index.since(leak.as_of)}; it may have leaked since.",)
    if balancers and not leak.addresses:
        others = plural(balancers, "load balancer")
        return (f"Or one of {others} of other nodes: only those nodes know their addresses.",)
    return ("It can be handed out.",)


def _age_lines(holder: Holder, index: Holders) -> tuple[str, ...]:
    service, task = index.services.get(holder.id), index.tasks.get(holder.id)
    if holder.kind is HolderKind.VIP and service is not None:
        return (f"service created {index.since(service.created)}",)
    if task is not None:
        node = index.nodes.get(task.node_id, task.node_id[:12])
        where = f"on {node}, " if node else ""
        stopping = ("It is stopping and has not ended.",) if task.is_stopping else ()
        return (f"{where}{task.state} since {index.since(task.since)}", *stopping)
    return ()


def _kind_text(holder: Holder) -> str:
    return {
        HolderKind.VIP: "VIP of service",
        HolderKind.TASK: "task",
        HolderKind.CONTAINER: "container",
        HolderKind.LOAD_BALANCER: "load balancer of node",
    }[holder.kind]
