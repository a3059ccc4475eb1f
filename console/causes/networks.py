"""Networks as a node finds them: gone, stale or half set up.

The texts: libnetwork's overlay and bridge drivers, sandbox and endpoint code, and dockerd's daemon/cluster/networks.go,
as of 20.10, 26.1, 28.5 and 29.
"""

from console.causes.values import Area, Cause
from console.journal.signatures import Certainty, Severity

RENEW = (
    "Drain the node (`docker node update --availability drain {node}`), restart its dockerd "
    "(`systemctl restart docker` there), and make it active again (`--availability active`)."
)
_NETWORK = r'"?(?P<network>[A-Za-z0-9][A-Za-z0-9_.-]*)"?'
_BUSY = "(?:file exists|device or resource busy)"
_STALE = (
    "The node's overlay state is stale: an interface of the network is left over from before, so the network cannot "
    "be set up there."
)

CAUSES = (
    Cause(
        "attach-timeout", Area.NETWORK, "attaching to a network timed out",
        "its node got no attachment to the network in time",
        "The manager did not hand out an address for the node or the container within the time: the network may be "
        "full, the manager busy or out of reach, or the network never got a subnet.",
        "Read dockerd's log on the leader for that moment (`vipconsole journal` there), and compare what the network "
        "has left (`vipconsole glance`).",
        (
            r"attaching to network failed, make sure your network options are correct and check manager logs: .+",
            r"could not attach to network \S+: .*context (?:deadline exceeded|canceled)",
        ),
        Severity.WARNING, certainty=Certainty.LIKELY,
        command="vipconsole glance",
    ),
    Cause(
        "stale-vxlan", Area.NETWORK, "stale VXLAN interface on a node",
        "a VXLAN interface of its network is left over on its node: {reason}",
        _STALE,
        RENEW,
        (
            rf'subnet sandbox join failed for "(?P<subnet>[^"]+)": error creating vxlan interface: {_BUSY}',
            rf"(?:network sandbox join failed: )?error creating vxlan interface: {_BUSY}",
            rf'vxlan interface creation failed for subnet "(?P<subnet>[^"]+)": .*{_BUSY}',
        ),
        Severity.CRITICAL, is_address_problem=False,
        command="ip -d link show type vxlan",
    ),
    Cause(
        "node-starting", Area.NETWORK, "node does not know its address yet",
        "its node does not know yet by which of its addresses it reaches other nodes",
        "A task began before dockerd knew its node's own address for overlay traffic, as in the seconds after dockerd "
        "starts. Swarm begins another task in its place.",
        "Wait some seconds. If it goes on, compare the node's address (`docker info` there, under Swarm) with those that "
        "the host has (`ip address`).",
        (
            (r'(?:subnet sandbox join failed for "(?P<subnet>[^"]+)": )?(?:overlay: )?cannot determine address family of '
             "transport: the local data-plane address is not currently known"),
        ),
        Severity.NOTE, is_address_problem=False,
        command="docker info",
    ),
    Cause(
        "stale-sandbox", Area.NETWORK, "overlay not set up on a node",
        "its network cannot be set up on its node: {reason}",
        "The node's own part of the overlay (its sandbox, bridge or VXLAN interface) cannot be made, or is damaged.",
        RENEW,
        (
            r'(?:subnet|network) sandbox join failed for "(?P<subnet>[^"]+)": .+',
            r"network sandbox join failed: .+",
            r"error creating vxlan interface: .+",
            r"bridge creation in sandbox failed for subnet .+",
            r"could not get network sandbox.*",
            r"failed get network namespace .+",
            r"could not add veth pair inside the network sandbox: .+",
            r"could not find (?:link by name \S+|subnet for endpoint \S+)(?:: .+)?",
            r"could not set mac address .+",
            r"error creating veth pair: .+",
            r"(?:overlay: )?failed to (?:add|delete) local endpoint .*network peer ?db.*",
            r"could not (?:add|delete) (?:neighbor|fdb) entry (?:into|in|for) .+",
            r"peer ?(?:add|delete) operation failed: .+",
            r"failed to add neighbor entr(?:y|ies) .+",
            r"network sandbox for container \S+ not found",
            r"(?:no such|could not find) sandbox.*",
        ),
        Severity.CRITICAL, is_address_problem=False, certainty=Certainty.LIKELY,
        command="ip -d link show type vxlan",
        is_fallback=True,
    ),
    Cause(
        "network-not-found", Area.NETWORK, "network not found on a node",
        "its node does not find the network {network}",
        "The network was removed or recreated, has not reached that node, or is one that the node itself must have.",
        "If it exists (`docker network ls`), deploy the stack again, which names the network that exists now; "
        "otherwise create it first.",
        (
            rf"(?:could not find the corresponding predefined swarm network: )?network(?: id)? {_NETWORK} not found",
            rf"(?:error: )?no such network: {_NETWORK}",
            rf"(?:unknown network|could not find network(?: with id)?) {_NETWORK}(?: id \S+)?",
            rf"network {_NETWORK} (?:does not exist|has been removed|is being removed)",
            rf"could not find (?:network attachment|attacher) for container \S+ to network {_NETWORK}",
        ),
        Severity.WARNING, is_address_problem=False,
        command="docker network ls",
    ),
    Cause(
        "network-refused", Area.NETWORK, "network not open to containers",
        "its node may not attach it to the network {network}",
        "The network is not attachable by hand, or is not meant for containers.",
        "Create the network with --attachable, or run the container as a service.",
        (rf"network {_NETWORK} not manually attachable",),
        Severity.WARNING, is_address_problem=False,
        command="docker network inspect {network}",
    ),
    Cause(
        "endpoint-left-over", Area.NETWORK, "endpoint left over on a node",
        "an endpoint of that name is left over on the network {network}",
        "A container that is gone left its endpoint behind, so a new one of that name cannot join.",
        "Remove it: `docker network disconnect -f {network} NAME`. If it stays, restart dockerd on that node.",
        (rf"endpoint with name (?P<endpoint>\S+) already exists in network {_NETWORK}",),
        Severity.WARNING, is_address_problem=False,
        command="docker network inspect {network}",
    ),
    Cause(
        "firewall", Area.NETWORK, "firewall rules refused on a node",
        "dockerd cannot set its firewall rules on its node: {reason}",
        "Something else removed or replaced dockerd's chains (a firewall that was reloaded), or the kernel lacks a "
        "module. Containers on that node cannot be connected.",
        "Restart dockerd on that node after the firewall was reloaded: it sets its chains up when it starts.",
        (
            r" *\(? ?ip6?tables failed: .+",
            r"nftables? .+",
            r"unable to (?:enable|remove|insert|add) .*(?:rule|jump|nat|dnat|skip|drop|accept).*",
            r"failed to (?:add|program|create|set up) .*(?:nat|filter|firewall|iptables) .*(?:chain|rule|table)s?.*",
        ),
        Severity.WARNING, is_address_problem=False, certainty=Certainty.LIKELY,
        command="iptables -w -L DOCKER -n",
    ),
    Cause(
        "bridge-full", Area.NETWORK, "bridge of a node has no room",
        "the bridge of its node takes no more containers",
        "A Linux bridge has at most 1023 ports, one for each container on it, and this one has no free one.",
        "Run fewer containers on that node.",
        (r"adding interface \S+ to bridge (?P<network>\S+) failed: exchange full",),
        Severity.WARNING, is_address_problem=False,
        command="ip link show master {network}",
    ),
    Cause(
        "overlay-encryption", Area.NETWORK, "encrypted overlay refused",
        "its encrypted network cannot be set up on its node: {reason}",
        "The node has no keys yet, or its kernel lacks the modules for encryption (xt_u32 or xt_bpf, IPsec).",
        "Load the modules on that node, or use a network without `--opt encrypted`.",
        (r"cannot join secure network: .+", r"encryption key is not present"),
        Severity.WARNING, is_address_problem=False,
    ),
    Cause(
        "container-network", Area.NETWORK, "network of a container not set up",
        "its container's network cannot be set up: {reason}",
        "The node failed while it connected the container; the application never ran, and its log is empty.",
        "Read dockerd's log on that node for that moment. " + RENEW,
        (
            r"failed to set up container networking(?:: .+)?",
            r"driver failed programming external connectivity on endpoint .+",
            r"failed to create endpoint \S+ on network (?P<network>[^\s:]+): .+",
            r"endpoint join on gw network failed: .+",
            r"error creating external connectivity network: .+",
            r"failed to (?:create|get|find) (?:default |new osl |network )?sandbox.+",
            r"failed to add the host \(.+",
            r"failed to add interface \S+ to sandbox: .+",
            r"cannot program address .+",
            r"failed to (?:update|get|delete|save) (?:the |bridge )?(?:store|data ?store) .+",
            r"unable to complete atomic operation, key modified",
            r"key not found in store",
        ),
        Severity.WARNING, certainty=Certainty.LIKELY, is_fallback=True,
    ),
)  # fmt: skip
