"""Networks as a node finds them, gone, stale or half set up; and ports of the host that somebody else has.

The texts: libnetwork's overlay and bridge drivers, sandbox and endpoint code, portallocator and portmapper, docker-proxy,
and dockerd's daemon/cluster/networks.go, as of 20.10, 26.1, 28.5 and 29.
"""

from console.causes.values import Area, Cause
from console.journal.signatures import Confidence, LogSeverity

HOST = r"(?P<host>\[[0-9a-f:.%]*\]|[0-9.]*|::|\*)"
PORT = r"(?P<port>[0-9]{1,5})"
_LISTEN = rf"listen (?:tcp|udp|sctp)[46]? {HOST}:{PORT}"
_PORT_REFUSAL = "(?:cannot assign requested address|permission denied)"

PORT_CAUSES = (
    Cause(
        "port-taken", Area.PORT, "host port in use",
        "the port {port} on its node is already in use{holder}",
        "The port was already taken when the container's network was set up. The application never ran, "
        "so its log is empty.",
        "Free the port or publish another one. Until then scale the service to 0 (`docker service scale {service}=0`): "
        "on Docker 29 such retries have been reported to destroy the sandbox of the shared overlay on that node.",
        (
            rf"bind for {HOST}:{PORT} failed: port is already allocated",
            r"port is already allocated",
            rf"{_LISTEN}: bind: address already in use",
            rf"{_LISTEN}: bind: only one usage of each socket address.*",
            rf"failed to bind (?:host )?port (?:for )?{HOST}:{PORT}(?:[/:].*)?: address already in use",
            rf"failed to bind (?:host )?port {PORT} for .*: address already in use",
            rf"failed to bind socket for userland proxy for {HOST}:{PORT}(?:[/:].*)?: address already in use",
            r"failed to listen on (?:tcp|udp|sctp) socket: address already in use",
            r"bind: address already in use",
            rf"ports are not available: exposing port (?:tcp|udp) {HOST}:{PORT} -> .*",
            r"host-mode port already in use",
            rf"(?:host )?port (?:tcp/|udp/)?'?{PORT}'? is already in use.*",
        ),
        LogSeverity.WARNING, is_address_problem=False,
        command="docker ps --filter publish={port}",
    ),
    Cause(
        "ports-used-up", Area.PORT, "no free host port",
        "no free port is left on its node",
        "Every port of the requested range, or of the range that dockerd chooses from, is taken on that node.",
        "Publish a port outside that range, or stop what holds the ports.",
        (r"all ports are allocated",),
        LogSeverity.WARNING, is_address_problem=False,
        command="docker ps --format '{{{{.Names}}}} {{{{.Ports}}}}'",
    ),
    Cause(
        "port-refused", Area.PORT, "host port refused",
        "the port {port} cannot be opened on its node: {reason}",
        "The node does not have the address to publish on, or dockerd is not allowed to open that port. The application "
        "never ran.",
        "Publish on an address that the node has, or on a port that dockerd may open (above 1024 where it is rootless).",
        (
            rf"{_LISTEN}: bind: {_PORT_REFUSAL}",
            rf"failed to bind (?:host )?port (?:for )?{HOST}:{PORT}(?:[/:].*)?: {_PORT_REFUSAL}",
            rf"cannot expose privileged port {PORT}.*",
        ),
        LogSeverity.WARNING, is_address_problem=False,
        command="ip -brief address",
    ),
)  # fmt: skip


RENEW = (
    "Drain the node (`docker node update --availability drain {node}`), restart its dockerd "
    "(`systemctl restart docker` there), and make it active again (`--availability active`)."
)
_NETWORK = r'"?(?P<network>[A-Za-z0-9][A-Za-z0-9_.-]*)"?'
_BUSY = "(?:file exists|device or resource busy)"
_STALE = (
    "The node's overlay state is stale: an old interface of the network is still there, so the network cannot "
    "be set up on that node."
)

CAUSES = (
    Cause(
        "attach-timeout", Area.NETWORK, "attaching to a network timed out",
        "its node was not attached to the network in time",
        "The manager gave the node or the container no address in time: the network may be full or without a subnet, "
        "or the manager may be busy or unreachable.",
        "Read dockerd's log on the leader around that time (`vipconsole journal` there), and check the network's free "
        "addresses (`vipconsole glance`).",
        (
            r"attaching to network failed, make sure your network options are correct and check manager logs: .+",
            r"could not attach to network \S+: .*context (?:deadline exceeded|canceled)",
        ),
        LogSeverity.WARNING, certainty=Confidence.LIKELY,
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
        LogSeverity.CRITICAL, is_address_problem=False,
        command="ip -d link show type vxlan",
    ),
    Cause(
        "node-starting", Area.NETWORK, "node does not know its address yet",
        "its node does not know its own address for overlay traffic yet",
        "The task started before dockerd knew its node's address for overlay traffic, as in the seconds after dockerd "
        "starts. Swarm starts another task in its place.",
        "Wait a few seconds. If it continues, compare the node's address (`docker info` there, under Swarm) with the "
        "host's addresses (`ip address`).",
        (
            (r'(?:subnet sandbox join failed for "(?P<subnet>[^"]+)": )?(?:overlay: )?cannot determine address family of '
             "transport: the local data-plane address is not currently known"),
        ),
        LogSeverity.NOTE, is_address_problem=False,
        command="docker info",
    ),
    Cause(
        "stale-sandbox", Area.NETWORK, "overlay not set up on a node",
        "its network cannot be set up on its node: {reason}",
        "The node's own part of the overlay (its sandbox, bridge or VXLAN interface) cannot be created, or is damaged.",
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
        LogSeverity.CRITICAL, is_address_problem=False, certainty=Confidence.LIKELY,
        command="ip -d link show type vxlan",
        is_fallback=True,
    ),
    Cause(
        "network-not-found", Area.NETWORK, "network not found on a node",
        "its node does not find the network {network}",
        "The network was removed or recreated, is not known on that node yet, or must exist on the node itself.",
        "If it exists (`docker network ls`), deploy the stack again, so that it uses the network that exists now. "
        "Otherwise create it first.",
        (
            rf"(?:could not find the corresponding predefined swarm network: )?network(?: id)? {_NETWORK} not found",
            rf"(?:error: )?no such network: {_NETWORK}",
            rf"(?:unknown network|could not find network(?: with id)?) {_NETWORK}(?: id \S+)?",
            rf"network {_NETWORK} (?:does not exist|has been removed|is being removed)",
            rf"could not find (?:network attachment|attacher) for container \S+ to network {_NETWORK}",
        ),
        LogSeverity.WARNING, is_address_problem=False,
        command="docker network ls",
    ),
    Cause(
        "network-refused", Area.NETWORK, "network not attachable",
        "its node is not allowed to attach it to the network {network}",
        "The network was created without --attachable, or is not meant for containers.",
        "Create the network with --attachable, or run the container as a service.",
        (rf"network {_NETWORK} not manually attachable",),
        LogSeverity.WARNING, is_address_problem=False,
        command="docker network inspect {network}",
    ),
    Cause(
        "endpoint-left-over", Area.NETWORK, "endpoint left over on a node",
        "a leftover endpoint has that name on the network {network}",
        "A removed container left its endpoint behind, so a new container of that name cannot join.",
        "Remove it: `docker network disconnect -f {network} NAME`. If it stays, restart dockerd on that node.",
        (rf"endpoint with name (?P<endpoint>\S+) already exists in network {_NETWORK}",),
        LogSeverity.WARNING, is_address_problem=False,
        command="docker network inspect {network}",
    ),
    Cause(
        "firewall", Area.NETWORK, "firewall rules refused on a node",
        "dockerd cannot set its firewall rules on its node: {reason}",
        "Something else removed or replaced dockerd's chains (such as a firewall reload), or the kernel lacks a "
        "module. Containers on that node cannot be connected.",
        "Restart dockerd on that node after a firewall reload: it creates its chains when it starts.",
        (
            r" *\(? ?ip6?tables failed: .+",
            r"nftables? .+",
            r"unable to (?:enable|remove|insert|add) .*(?:rule|jump|nat|dnat|skip|drop|accept).*",
            r"failed to (?:add|program|create|set up) .*(?:nat|filter|firewall|iptables) .*(?:chain|rule|table)s?.*",
        ),
        LogSeverity.WARNING, is_address_problem=False, certainty=Confidence.LIKELY,
        command="iptables -w -L DOCKER -n",
    ),
    Cause(
        "bridge-full", Area.NETWORK, "bridge of a node is full",
        "the bridge of its node takes no more containers",
        "A Linux bridge has at most 1023 ports, one per container, and none of them is free.",
        "Run fewer containers on that node.",
        (r"adding interface \S+ to bridge (?P<network>\S+) failed: exchange full",),
        LogSeverity.WARNING, is_address_problem=False,
        command="ip link show master {network}",
    ),
    Cause(
        "overlay-encryption", Area.NETWORK, "encrypted overlay refused",
        "its encrypted network cannot be set up on its node: {reason}",
        "The node has no keys yet, or its kernel lacks the modules for encryption (xt_u32 or xt_bpf, IPsec).",
        "Load the modules on that node, or use a network without `--opt encrypted`.",
        (r"cannot join secure network: .+", r"encryption key is not present"),
        LogSeverity.WARNING, is_address_problem=False,
    ),
    Cause(
        "container-network", Area.NETWORK, "network of a container not set up",
        "its container's network cannot be set up: {reason}",
        "The node could not connect the container. The application never ran, so its log is empty.",
        "Read dockerd's log on that node around that time. " + RENEW,
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
        LogSeverity.WARNING, certainty=Confidence.LIKELY, is_fallback=True,
    ),
)  # fmt: skip
