"""Ports of the host that somebody else has.

The texts: libnetwork's portallocator and portmapper, drivers/bridge, and docker-proxy, as of 20.10, 26.1, 28.5 and 29.
"""

from console.causes.values import Area, Cause
from console.journal.signatures import LogSeverity

HOST = r"(?P<host>\[[0-9a-f:.%]*\]|[0-9.]*|::|\*)"
PORT = r"(?P<port>[0-9]{1,5})"
_LISTEN = rf"listen (?:tcp|udp|sctp)[46]? {HOST}:{PORT}"
_REFUSAL = "(?:cannot assign requested address|permission denied)"

CAUSES = (
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
            rf"{_LISTEN}: bind: {_REFUSAL}",
            rf"failed to bind (?:host )?port (?:for )?{HOST}:{PORT}(?:[/:].*)?: {_REFUSAL}",
            rf"cannot expose privileged port {PORT}.*",
        ),
        LogSeverity.WARNING, is_address_problem=False,
        command="ip -brief address",
    ),
)  # fmt: skip
