"""What dockerd logs about addresses, and what each sentence means: one table.

The sentences were taken from dockerd 20.10.24 and 28.5.2 as they failed, and from the sources that write them:
swarmkit's manager/allocator/network.go, agent/errors.go and manager/manager.go, libnetwork's cnmallocator,
datastore and network.go. Where the two engines say it differently, both sentences are here.
"""

from enum import StrEnum

from console.frozen import frozen

BARE = ("",)
"""The level of a line that is not of dockerd's logger: a crash of its runtime."""
AGENT_MESSAGE = "fatal task error"
"""What an agent says when a task of its node has failed for good; the error tells why."""
_ERROR = ("error",)
_ERROR_OR_DEBUG = ("error", "debug")
_INFO = ("info",)
_NO_VIP = "could not find an available IP while allocating VIP"
_NO_ADDRESS = "could not find an available IP"
_PENDING = "service <service> to which task <task> belongs has pending allocations"
_NO_TASK_ADDRESS = (
    "failed to allocate network IP for task <task> network <network>: could not find an available IP"
)
_NO_VIP_EFFECT = "The service has no virtual IP, so its tasks stay in state New and nothing else says why."
_GROW = "See who holds the addresses (glance). Reclaim leaked ones or enlarge the network before you redeploy on it."
_NO_SUBNET_ADVICE = (
    "Read the network's own failure. A network without a subnet must be removed and created again."
)
_NOISE = "Nothing to do. This line is as frequent in clean removals as in leaking ones."
_POOLS = "failed allocating pools and gateway IP for network <network>: "


class LogSeverity(StrEnum):
    """How much it matters to an operator who deploys."""

    CRITICAL = "critical"
    WARNING = "warning"
    NOTE = "note"


class Confidence(StrEnum):
    """How sure the meaning is, given the line."""

    CERTAIN = "certain"
    LIKELY = "likely"
    POSSIBLE = "possible"


@frozen
class Signature:
    """One sentence of dockerd's and its meaning; `title` says in a few words what it is about.

    A line has this signature when its parsed level is one of `levels`, and its whole message and its whole
    error fit the templates. A template is literal text with `<kind>` for an identifier (kinds: `matching`); a
    kind that occurs twice must be the same identifier twice. An empty `error` means that the line has none.
    `is_leak_evidence` is about addresses lost by the allocator, and `lost_addresses` is how many each line
    proves. `is_rebuild` marks the moments at which the allocator of this dockerd forgot everything, leaks included.
    """

    id: str
    title: str
    levels: tuple[str, ...]
    message: str
    error: str
    meaning: str
    advice: str
    severity: LogSeverity
    certainty: Confidence = Confidence.CERTAIN
    is_leak_evidence: bool = False
    lost_addresses: int = 0
    is_rebuild: bool = False
    is_about_node: bool = False
    """Whether the node that wrote the line is the one on which it went wrong: an agent's line, not a manager's."""
    shows_line: bool = False
    """Whether the meaning leaves open what the line itself tells."""


SUPPRESSION = Signature(
    "suppressed", "messages dropped by journald", (), "", "",
    "journald dropped messages of the Docker unit, so dockerd may have logged more than can be read.",
    "Raise journald's RateLimitBurst=, or move the containers off the journald log driver.",
    LogSeverity.WARNING,
)  # fmt: skip
"""What journald itself says about the unit: recognised by its message identifier, not by text."""

SIGNATURES: tuple[Signature, ...] = (
    Signature(
        "vip-create", "no address for a VIP",
        _ERROR, "Failed allocation for service <service>", _NO_VIP,
        "A network of a new service is full. " + _NO_VIP_EFFECT, _GROW, LogSeverity.CRITICAL,
    ),
    Signature(
        "vip-update", "no address for a VIP in an update",
        _ERROR, "Failed allocation during update of service <service>", _NO_VIP,
        "A network that a service should join is full. The allocator frees the virtual IPs that the service has, and "
        "the service keeps them, so another service may get the same ones.",
        "Look for an address held twice (glance). " + _GROW, LogSeverity.CRITICAL,
    ),
    Signature(
        "vip-init", "still no address for a VIP",
        _ERROR, "failed allocating service <service> during init", _NO_VIP,
        "When the allocator was rebuilt, a network of the service was still full. " + _NO_VIP_EFFECT, _GROW,
        LogSeverity.CRITICAL,
    ),
    Signature(
        "vip-retry", "no address for a VIP on retry",
        ("debug",), "Failed allocation of unallocated service <service>", _NO_VIP,
        "A network of the service is still full. If the service has a second network, each retry leaks an address there.",
        _GROW, LogSeverity.CRITICAL,
    ),
    Signature(
        "task-pending", "task waits for its service's address",
        _ERROR_OR_DEBUG, "task allocation failure", _PENDING,
        "The task waits in state New because its service has no address or port yet.",
        "Look at the failure of the service just before this line.", LogSeverity.CRITICAL, Confidence.LIKELY,
    ),
    Signature(
        "task-pending-old", "task waits for its service's address",
        _ERROR_OR_DEBUG, "task allocation failure",
        "service <service> to which this task <task> belongs has pending allocations",
        "The task waits in state New because its service has no address or port yet.",
        "Look at the failure of the service just before this line.", LogSeverity.CRITICAL, Confidence.LIKELY,
    ),
    Signature(
        "task-pending-init", "task waits for its service's address",
        _ERROR, "failed allocating task <task> during init", _PENDING,
        "When the allocator was rebuilt, the service of the task had no address or port.",
        "Look at the failure of the service just before this line.", LogSeverity.CRITICAL, Confidence.LIKELY,
    ),
    Signature(
        "task-address", "no address for a task",
        _ERROR_OR_DEBUG, "task allocation failure", _NO_TASK_ADDRESS,
        "The network is full: the task waits in state New for an address.", _GROW, LogSeverity.CRITICAL,
    ),
    Signature(
        "task-address-init", "still no address for a task",
        _ERROR, "failed allocating task <task> during init", _NO_TASK_ADDRESS,
        "When the allocator was rebuilt, the network was still full: the task waits for an address.", _GROW,
        LogSeverity.CRITICAL,
    ),
    Signature(
        "task-address-taken", "address held twice",
        _ERROR, "failed allocating task <task> during init",
        "failed to allocate network IP for task <task> network <network>: "
        "could not allocate IP from IPAM: Address already in use",
        "When the allocator was rebuilt, the task's address had another holder: one address is held twice.",
        "Look for an address held twice (glance) and update that service with --force.", LogSeverity.CRITICAL,
    ),
    Signature(
        "node-address", "no address for a node's load balancer",
        _ERROR, "Failed to allocate network resources for node <node>", _NO_ADDRESS,
        "A network is full: the node has no load-balancer address there, and its tasks on that network are rejected.",
        _GROW, LogSeverity.CRITICAL,
    ),
    Signature(
        "node-attachment-missing", "task rejected: node without address",
        _ERROR, AGENT_MESSAGE,
        "node is missing network attachments, ip addresses may be exhausted",
        "The task was rejected because its node has no load-balancer address on one of its networks.", _GROW,
        LogSeverity.CRITICAL, Confidence.LIKELY,
    ),
    Signature(
        "network-gone-under-tasks", "leak cause: network removed while tasks were stopping",
        _ERROR, "Failed to allocate network resources for node <node>",
        "could not find network allocator state for network <removed>",
        "A network was removed while tasks on it were still stopping. Each such task leaks its address on every "
        "other network it was on, such as the shared one.",
        "Remove stacks with stack-rm, which waits. Leaked addresses return when dockerd restarts or the leader changes.",
        LogSeverity.WARNING, Confidence.LIKELY, is_leak_evidence=True,
    ),
    Signature(
        "commit-lost", "leak cause: waiting task removed",
        _ERROR, "allocation commit failure for task <task>",
        "failed updating state in store transaction for task <task>: object does not exist",
        "A waiting task was removed just as it got an address. Each such line is one leaked address.",
        "Stop scaling services up and down on a full network, then reclaim.",
        LogSeverity.WARNING, is_leak_evidence=True, lost_addresses=1,
    ),
    Signature(
        "pool-overlap", "subnet overlaps another network's",
        _ERROR, "Failed allocation for network <network>",
        _POOLS + "Pool overlaps with other one on this address space",
        "The requested subnet overlaps another network's: the network exists but has no addresses.",
        "Remove it and create it with a free subnet.", LogSeverity.WARNING,
    ),
    Signature(
        "pool-overlap-new", "subnet overlaps another network's",
        _ERROR, "Failed allocation for network <network>",
        _POOLS + "invalid pool request: Pool overlaps with other one on this address space",
        "The requested subnet overlaps another network's: the network exists but has no addresses.",
        "Remove it and create it with a free subnet.", LogSeverity.WARNING,
    ),
    Signature(
        "pools-used-up", "no subnet left for networks",
        _ERROR, "Failed allocation for network <network>",
        _POOLS + "could not find an available, non-overlapping IPv4 address pool among the defaults "
        "to assign to the network",
        "The swarm's default address pool is exhausted: the network exists but has no addresses.",
        "Remove unused networks, or create this one with its own --subnet.", LogSeverity.CRITICAL,
    ),
    Signature(
        "pools-used-up-27", "no subnet left for networks",
        _ERROR, "Failed allocation for network <network>",
        _POOLS + "all predefined address pools have been fully subnetted",
        "The swarm's default address pool is exhausted: the network exists but has no addresses.",
        "Remove unused networks, or create this one with its own --subnet.", LogSeverity.CRITICAL,
    ),
    Signature(
        "vxlan-taken", "VXLAN number taken",
        _ERROR, "Failed allocation for network <network>",
        "failed while allocating driver state for network <network>: "
        "could not assign vxlan id <number> to pool <subnet>: requested bit is already allocated",
        "The network requests a VXLAN number that another network has, so it has no addresses.",
        "Create it again without the option vxlanid_list.", LogSeverity.WARNING,
    ),
    Signature(
        "network-unallocated", "network without a subnet",
        _ERROR, "Failed allocation for service <service>",
        "networkallocator: could not find local network state",
        "A network of the service never got a subnet. " + _NO_VIP_EFFECT, _NO_SUBNET_ADVICE, LogSeverity.CRITICAL,
    ),
    Signature(
        "network-unallocated-update", "network without a subnet, in an update",
        _ERROR, "Failed allocation during update of service <service>",
        "networkallocator: could not find local network state",
        "A network of the service has no subnet or was removed. Its new tasks stay in state New.", _NO_SUBNET_ADVICE,
        LogSeverity.CRITICAL,
    ),
    Signature(
        "network-unallocated-task", "task on a network without a subnet",
        _ERROR_OR_DEBUG, "task allocation failure",
        "network <network> attached to task <task> not allocated yet",
        "The network of the task never got a subnet; the task waits in state New.", _NO_SUBNET_ADVICE,
        LogSeverity.CRITICAL,
    ),
    Signature(
        "network-removed-task", "task on a removed network",
        _ERROR_OR_DEBUG, "task allocation failure",
        "failed to retrieve network <network> while allocating task <task>",
        "The task uses a network that was removed, so it waits in state New forever.",
        "Update the service to the network that exists now.", LogSeverity.CRITICAL,
    ),
    Signature(
        "key-modified", "harmless: key modified",
        ("warning",),
        "Error (Unable to complete atomic operation, key modified) deleting object "
        "[endpoint <network> <endpoint>], retrying....", "",
        "A race inside one node while the last task leaves a network; dockerd tries again. No sign of a leak.",
        _NOISE, LogSeverity.NOTE,
    ),
    Signature(
        "remove-failed", "harmless: remove failed",
        _ERROR, "network <name> remove failed: error while removing network: "
        "unknown network <name> id <network>", "",
        "Several tasks of one node removed its copy of the network at once, and one was too late. "
        "No sign of a leak.", _NOISE, LogSeverity.NOTE,
    ),
    Signature(
        "remove-failed-key", "harmless: remove failed",
        _ERROR, "network <name> remove failed: error while removing network: error marking "
        "network <name> (<network>) for deletion: Unable to complete atomic operation, key modified", "",
        "The node's copy of the network could not be marked for removal. No sign of a leak.", _NOISE,
        LogSeverity.NOTE, Confidence.LIKELY,
    ),
    Signature(
        "remove-failed-task", "harmless: remove failed",
        _ERROR, AGENT_MESSAGE,
        "error while removing network: unknown network <name> id <network>",
        "A task ended too late to remove the node's copy of the network. No sign of a leak.", _NOISE,
        LogSeverity.NOTE,
    ),
    Signature(
        "daemon-starting", "dockerd started",
        _INFO, "Starting up", "",
        "dockerd started. If it leads the swarm, its allocator is rebuilt: addresses leaked before are free again.",
        "Count leaks from here.", LogSeverity.NOTE, Confidence.LIKELY, is_rebuild=True,
    ),
    Signature(
        "daemon-ready", "dockerd is up",
        _INFO, "Daemon has completed initialization", "",
        "dockerd is up.", "Nothing to do.", LogSeverity.NOTE,
    ),
    Signature(
        "daemon-stopped", "dockerd stopped",
        _INFO, "Daemon shutdown complete", "",
        "dockerd was stopped normally.", "Nothing to do.", LogSeverity.NOTE,
    ),
    Signature(
        "leader-changed", "another leader",
        _INFO, "leadership changed from <leader> to <leader_now>", "",
        "The swarm has another leader, and its allocator is rebuilt: addresses leaked before are free again.",
        "Count leaks from here.", LogSeverity.NOTE, is_rebuild=True,
    ),
    Signature(
        "crash-panic", "crash",
        BARE, "panic: <text>", "",
        "dockerd, or the containerd it runs, crashed.",
        "Keep the lines that follow, and check whether it was started again.", LogSeverity.CRITICAL,
        Confidence.LIKELY,
    ),
    Signature(
        "crash-fatal", "crash",
        BARE, "fatal error: <text>", "",
        "dockerd, or the containerd it runs, crashed in its runtime.",
        "Keep the lines that follow, and check whether it was started again.", LogSeverity.CRITICAL,
        Confidence.LIKELY,
    ),
    Signature(
        "crash-signal", "ended by a signal",
        BARE, "<signal>: <text>", "",
        "dockerd, or the containerd it runs, was ended by a signal.",
        "Keep the lines that follow, and check whether it was started again.", LogSeverity.CRITICAL,
        Confidence.LIKELY,
    ),
    Signature(
        "crash-goroutine", "stack of a crash",
        BARE, "goroutine <goroutine>:", "",
        "The stack of dockerd's or containerd's threads, written as it crashed.",
        "Keep these lines for a bug report to Docker.", LogSeverity.CRITICAL, Confidence.LIKELY,
    ),
)  # fmt: skip
