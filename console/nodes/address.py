"""Where the engine of another node is reached, as the settings write it. Pure."""

import re

from console.frozen import frozen
from console.text import clean

SSH = "ssh://"
NO_JOURNAL = "none"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
# Neither a user nor a host may begin with a dash: ssh would take it for an option.
_SSH = re.compile(
    r"ssh://(?:(?P<user>[A-Za-z0-9_][A-Za-z0-9_.-]*)@)?(?P<host>\[[0-9A-Fa-f:.%]+\]|[A-Za-z0-9][A-Za-z0-9_.-]*)"
    r"(?::(?P<port>[0-9]{1,5}))?(?P<path>/\S*)?"
)
DEFAULT_SOCKET = "/var/run/docker.sock"
_OPTIONS = tuple(
    word
    for option in (
        "BatchMode=yes", "ConnectTimeout=5", "ServerAliveInterval=5",
        # What it fails on is read from what it says, whatever level the user's own settings have.
        "LogLevel=INFO",
        # A shared connection of the user's would keep the tunnel when ssh has ended, or outlive this program.
        "ControlMaster=no", "ControlPath=none",
    )
    for word in ("-o", option)
)  # fmt: skip


@frozen
class SshAddress:
    """A host behind ssh, and the engine's socket there."""

    destination: str
    """`user@host`, or the host alone: then ssh's own settings say who."""
    port: int | None
    socket: str = DEFAULT_SOCKET

    def command(self, *options: str) -> list[str]:
        """Return the beginning of a command line that reaches the host: it asks nothing and waits for nobody."""
        port = [] if self.port is None else ["-p", str(self.port)]
        return ["ssh", *_OPTIONS, *port, *options, "--", self.destination]


def ssh_address(text: str) -> SshAddress | None:
    """Return the host of `ssh://[user@]host[:port][/path/of/docker.sock]`; None for anything else."""
    match = _SSH.fullmatch(text)
    if match is None or not 0 < int(match["port"] or 22) < 65_536:
        return None
    host = match["host"].strip("[]")
    destination = f"{match['user']}@{host}" if match["user"] else host
    path = match["path"] or ""
    return SshAddress(
        destination, int(match["port"]) if match["port"] else None, path.rstrip("/") or DEFAULT_SOCKET
    )


def problem_with_host(host: str) -> str:
    """Return what is wrong with the address of an engine, as the end of `host must be …`; nothing where it is right."""
    if host.startswith(SSH):
        return "" if ssh_address(host) else f"written as ssh://[user@]host[:port], not {clean(host, 100)}"
    path = host.removeprefix("unix://")
    if host.startswith("unix://") and path.startswith("/") and path.strip("/"):
        return ""
    if host.startswith("tcp://") and host.removeprefix("tcp://").strip("/"):
        return ""
    return f"ssh://[user@]host, tcp://host:port or unix:///path, not {clean(host, 100)}"


def problem_with_journal(journal: str) -> str:
    """Return what is wrong with the place of a node's journal, as the end of `journal must be …`."""
    if journal in ("", NO_JOURNAL) or journal.startswith("/") or ssh_address(journal):
        return ""
    return f"ssh://[user@]host, an absolute path or none, not {clean(journal, 100)}"
