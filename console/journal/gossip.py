"""What dockerd logs when its node loses touch with others: gossip about overlays, on TCP and UDP port 7946.

The sentences were taken from dockerd 20.10.24 and 28.5.2 with that port blocked between its nodes, and from the sources that write
them: hashicorp/memberlist's state.go, and libnetwork's networkdb/cluster.go, networkdb/networkdb.go, networkdb/delegate.go
and agent.go of moby 20.10.24, 26.1.5 and 28.5.2. memberlist's own levels WARN and ERR both become warnings there.
"""

from console.journal.signatures import Confidence, LogSeverity, Signature

PORT = 7946
"""Where nodes gossip (docs.docker.com, "Open protocols and ports between the hosts")."""
_CHECK = (
    "Let UDP and TCP port 7946 and UDP port 4789 through between these nodes in both directions. `nft list ruleset` or "
    "`iptables -L -n -v` on both shows what drops them."
)
_UNREACHED = (
    "This node cannot send gossip to another one over UDP port 7946: its own firewall or route refuses it."
)
_LATE = "Nodes may then not learn where containers of an overlay are, and traffic to them fails though their tasks run."
_WARNING, _ERROR, _INFO = ("warning",), ("error",), ("info",)
_SENT = "write udp <local>-><address>:7946: <text>"
_DIALLED = "dial tcp <address>:7946: <text>"


def _unreached(id_: str, levels: tuple[str, ...], message: str) -> Signature:
    return Signature(
        id_,
        "gossip not sent to a node",
        levels,
        message,
        "",
        f"{_UNREACHED} {_LATE}",
        _CHECK,
        LogSeverity.WARNING,
    )


def _udp_blocked(id_: str, message: str) -> Signature:
    return Signature(
        id_, "UDP blocked between nodes", _WARNING, message, "",
        "Another node answers over TCP and not over UDP port 7946: something between the two drops UDP. " + _LATE,
        _CHECK, LogSeverity.WARNING, Confidence.LIKELY,
    )  # fmt: skip


def _tcp_failed(id_: str, message: str) -> Signature:
    return Signature(
        id_, "node unreachable on port 7946", _WARNING, message, "",
        "Another node does not answer on TCP port 7946 either: it is stopped, or something between the two blocks it.",
        _CHECK, LogSeverity.WARNING, Confidence.LIKELY,
    )  # fmt: skip


def _sync_failed(id_: str, levels: tuple[str, ...], message: str) -> Signature:
    return Signature(
        id_, "overlay state not exchanged", levels, message, "",
        "The node could not exchange its overlay state with another one (bulk sync over TCP port 7946). " + _LATE,
        _CHECK, LogSeverity.WARNING, Confidence.LIKELY,
    )  # fmt: skip


def _join_failed(id_: str, message: str, error: str = "") -> Signature:
    return Signature(
        id_, "node cannot join the gossip", _ERROR, message, error,
        "The node finds none of the others on port 7946, so its overlays are cut off from theirs. It tries again every "
        "second.",
        _CHECK, LogSeverity.WARNING,
    )  # fmt: skip


GOSSIP: tuple[Signature, ...] = (
    _unreached("gossip-ping-unsent", _WARNING, f"memberlist: Failed to send ping: {_SENT}"),
    _unreached("gossip-udp-ping-unsent", _WARNING, f"memberlist: Failed to send UDP ping: {_SENT}"),
    _unreached("gossip-unsent", _ERROR, f"Failed to send gossip to <address>: {_SENT}"),
    _unreached("gossip-member-unsent", _WARNING, f"memberlist: Failed to send gossip to <address>:7946: {_SENT}"),
    _udp_blocked(
        "gossip-udp-blocked",
        "memberlist: Was able to connect to <peer> but other probes failed, network may be misconfigured",
    ),
    _udp_blocked(
        "gossip-udp-blocked-tcp",
        "memberlist: Was able to connect to <peer> over TCP but UDP probes failed, network may be misconfigured",
    ),
    _tcp_failed("gossip-tcp-failed", f"memberlist: Failed fallback ping: {_DIALLED}"),
    _tcp_failed("gossip-tcp-ping-failed", f"memberlist: Failed fallback TCP ping: {_DIALLED}"),
    Signature(
        "gossip-suspect", "node does not answer gossip",
        _INFO, "memberlist: Suspect <peer> has failed, no acks received", "",
        "Another node did not answer: it restarts, it is overloaded, or something blocks UDP port 7946 between the two.",
        "Nothing to do where that node was restarted. " + _CHECK, LogSeverity.NOTE,
    ),
    Signature(
        "gossip-failed", "node lost by the gossip",
        _INFO, "memberlist: Marking <peer> as failed, suspect timeout reached (<number> peer confirmations)", "",
        "This node holds another one for failed, and no longer has it among the peers of its overlays.",
        "See whether that node runs (`docker node ls`). " + _CHECK, LogSeverity.NOTE,
    ),
    Signature(
        "gossip-refuted", "node suspected by another",
        _WARNING, "memberlist: Refuting a suspect message (from: <peer>)", "",
        "Another node held this one for failed although it runs: this one is overloaded, or UDP port 7946 is blocked "
        "between the two.",
        _CHECK, LogSeverity.NOTE,
    ),
    Signature(
        "gossip-health", "gossip health is bad",
        _WARNING, "NetworkDB stats <hostname>(<self>) - healthscore:<number> (connectivity issues)", "",
        "Probes of other nodes fail often: the node is overloaded, or packets on port 7946 are lost.",
        _CHECK, LogSeverity.WARNING, Confidence.LIKELY,
    ),
    Signature(
        "gossip-queue", "gossip queue is long",
        _INFO,
        "NetworkDB stats <hostname>(<self>) - netID:<network> leaving:false netPeers:<number> entries:<entries> Queue "
        "qLen:<queue> netMsg/s:<rate>", "",
        "500 messages or more about one overlay wait to be sent to other nodes. " + _LATE,
        "See whether containers start and stop all the time on that network, and whether the nodes reach each other on UDP "
        "port 7946.", LogSeverity.WARNING, Confidence.LIKELY,
    ),
    _sync_failed("gossip-sync-failed", _WARNING, "bulk sync to node <peer> failed: <text>"),
    _sync_failed("gossip-sync-late", _ERROR, "Bulk sync to node <peer> timed out"),
    _sync_failed("gossip-sync-periodic", _ERROR, "periodic bulk sync failure for network <network>: <text>"),
    _sync_failed("gossip-sync-joining", _ERROR, "Error bulk syncing while joining network <network>: <text>"),
    _join_failed("gossip-join-retry", "Failed to join memberlist <text> on retry: <text_too>"),
    _join_failed("gossip-join-old", "Error in joining gossip cluster : <text>(join will be retried in background)"),
    _join_failed(
        "gossip-join", "Error in joining gossip cluster: join will be retried in background", "<text>"
    ),
)  # fmt: skip
GOSSIP_IDS = frozenset(signature.id for signature in GOSSIP)
