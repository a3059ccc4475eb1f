"""Before a manager is borrowed: a copy of the swarm's state, and the way back by hand."""

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from shlex import quote

from console.errors import HostError
from console.frozen import frozen
from console.host.temporary.firewall import TABLE
from console.operations.borrow.raft_log import committed_index
from console.storage.borrow import BorrowRecord
from console.swarm.membership import Addresses
from console.swarm.parse import AVAILABILITY_LABEL, HANDOVER_LABEL, HEARTBEAT_LABEL, SNAPSHOT_LABEL
from console.text import clean

COPY = "swarm-state"
DOCKER_STATE = "docker-state.json"
"""Where an engine notes the addresses with which it joined, in its state of the swarm."""
RAFT = "raft"
"""The swarm's log, in its state."""
WAY_BACK = "way-back.sh"
ATTEMPTS = 5
SPARE_BYTES = 200 * 1024 * 1024
"""What a temporary dockerd takes at most beside the state of the swarm (measured: 20 MB)."""


def state_of_swarm(root_dir: str) -> Path:
    """Return where an engine keeps what it knows of its swarm (Docker's documentation, "Back up the swarm")."""
    return Path(root_dir) / "swarm"


def size_of(folder: Path) -> int:
    """Return how many bytes the files of a folder hold. Raises HostError where it cannot be read."""
    return sum(size for size, _ in _stamps(folder).values())


def require_room(root_dir: str, state: Path) -> None:
    """Raise HostError where the disk has no room for a copy of the swarm's state and a temporary engine's data."""
    needed = 2 * size_of(state_of_swarm(root_dir)) + SPARE_BYTES
    folder = next(folder for folder in (state, *state.parents) if folder.is_dir())
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise HostError(
            f"{folder} has {free // 1024 // 1024} MB free, and a borrowed manager needs {needed // 1024 // 1024} MB.",
            "Free some, or name another directory with --state-dir.",
        )


def copy_state(root_dir: str, folder: Path) -> None:
    """Copy the swarm's state, so that it can be restored by Docker's documented procedure. Raises HostError.

    The engine goes on meanwhile. A copy counts only if nothing was written while it was made.
    """
    source, target = state_of_swarm(root_dir), folder / COPY
    for _ in range(ATTEMPTS):
        shutil.rmtree(target, ignore_errors=True)
        before = _stamps(source)
        try:
            shutil.copytree(source, target, symlinks=True)
        except (OSError, shutil.Error) as error:
            if _stamps(source) != before:
                continue
            raise HostError(
                f"The state of the swarm, {source}, cannot be copied: {clean(str(error), 300)}.",
                "Nothing was changed. Free some room there, and try again.",
            ) from error
        if _stamps(source) == before:
            _sync(target)
            return
    raise HostError(
        f"The state of the swarm, {source}, changes all the time, so that no whole copy of it can be made.",
        "Wait until nothing is deployed: `vipconsole quiet`.",
    )


def read_addresses(folder: Path, manager_address: str) -> Addresses:
    """Return the addresses with which the real manager was in the swarm, by the copy of its state.

    Where the copy does not tell them, it listens everywhere and advertises `manager_address`, which is how others knew it.
    """
    usual = Addresses("0.0.0.0:2377", manager_address)
    try:
        noted = json.loads((folder / COPY / DOCKER_STATE).read_text("utf-8"))
        return Addresses(
            str(noted.get("ListenAddr") or usual.listen),
            str(noted.get("AdvertiseAddr") or usual.advertise),
            str(noted.get("DataPathAddr") or ""),
        )
    except (OSError, ValueError, AttributeError):
        return usual


def has_log(root_dir: str) -> bool:
    """Whether an engine has anything of the swarm's log, so that it can vote. Raises HostError where that cannot be seen."""
    return committed_index(state_of_swarm(root_dir) / RAFT) > 0


def clear_log(root_dir: str) -> None:
    """Remove the log of an engine that has nothing in it: what dockerd cannot start with. It asks for another one then.

    Raises HostError, also where there is something in it.
    """
    folder = state_of_swarm(root_dir) / RAFT
    if has_log(root_dir):
        raise HostError(
            f"{folder} holds a part of the swarm, and is not removed.", "Move it away by hand, and try again."
        )
    try:
        shutil.rmtree(folder)
    except FileNotFoundError:
        return
    except OSError as error:
        raise HostError(
            f"{folder} cannot be removed: {error.strerror}.", "Run this as root on the manager."
        ) from error


def _stamps(folder: Path) -> Mapping[str, tuple[int, int]]:
    """Return the size and time of change of each file, by its path."""
    stamps = {}
    try:
        for parent, _, names in os.walk(folder, onerror=_raise):
            for name in names:
                path = Path(parent, name)
                try:
                    status = path.lstat()
                except FileNotFoundError:
                    continue
                stamps[str(path)] = (status.st_size, status.st_mtime_ns)
    except OSError as error:
        raise HostError(
            f"The state of the swarm, {folder}, cannot be read: {error.strerror}.",
            "Run this as root on the manager.",
        ) from error
    return stamps


def _raise(error: OSError) -> None:
    raise error


def _sync(folder: Path) -> None:
    for parent, _, names in os.walk(folder):
        for name in names:
            path = Path(parent, name)
            if path.is_file() and not path.is_symlink():
                with path.open("rb") as file:
                    os.fsync(file.fileno())


@frozen
class Places:
    """Where things are, for the way back by hand."""

    folder: Path
    """What a borrowed manager leaves on disk."""
    host: str
    """The address of the real manager's API."""
    temporary_host: str
    root_dir: str
    unit: str
    """The docker unit of this host."""


def way_back(record: BorrowRecord, places: Places) -> str:
    """Return a shell script that finishes by hand what a borrowed manager left, with plain docker commands."""
    node, folder = record.node_name, places.folder
    copy, state = folder / COPY, state_of_swarm(places.root_dir)
    return f"""#!/bin/sh
# Finishes a borrowed manager by hand. `vipconsole reclaim` does the same, and starts the temporary manager where it died.
# Run as root on {node}. Every line may be run again.
real() {{ docker -H {quote(places.host)} "$@"; }}
temporary() {{ docker -H {quote(places.temporary_host)} "$@"; }}

# 1. The real manager becomes a manager again, and takes tasks. The manager that leads can do that.
# While the lead changes neither of them takes it.
until temporary node promote {record.node_id} 2>/dev/null || real node promote {record.node_id} 2>/dev/null; do sleep 1; done
echo "waiting until {node} is a manager"
until real node inspect --format '{{{{.ManagerStatus.Reachability}}}}' {record.node_id} 2>/dev/null | grep -qx reachable; do sleep 1; done
before=$(real node inspect --format '{{{{index .Spec.Labels "{AVAILABILITY_LABEL}"}}}}' {record.node_id})
[ "$before" = active ] && real node update --availability active {record.node_id}
heartbeat=$(real info --format '{{{{index .Swarm.Cluster.Spec.Labels "{HEARTBEAT_LABEL}"}}}}')
[ -z "$heartbeat" ] || real swarm update --dispatcher-heartbeat "${{heartbeat}}ns" >/dev/null
interval=$(real info --format '{{{{index .Swarm.Cluster.Spec.Labels "{SNAPSHOT_LABEL}"}}}}')
[ -z "$interval" ] || real swarm update --snapshot-interval "$interval" >/dev/null
real node update --label-rm {HANDOVER_LABEL} --label-rm {AVAILABILITY_LABEL} {record.node_id}

# 2. The temporary manager leaves.
for id in $(real node ls --filter name=vipconsole-temporary --format '{{{{.ID}}}}'); do
  real node demote "$id"
  temporary swarm leave --force
  until real node rm --force "$id"; do sleep 1; done
done
real node ls

# 3. What is left: `vipconsole reclaim` removes it, with the swarm's labels {HEARTBEAT_LABEL}
# and {SNAPSHOT_LABEL}, which docker's commands cannot remove. By hand:
#   systemctl stop vipconsole-temporary-manager
#   nft delete table ip {TABLE}
#   nft -a list ruleset; iptables-save   # delete the rules that name the interface {record.cable.interface}
#   rm -r {quote(str(folder))}
#
# Where both run and neither leads for minutes, {node} died as it became a manager again, and lost its part of the swarm:
#   temporary swarm init --force-new-cluster --advertise-addr {record.cable.address}
#   real swarm leave --force
#   real swarm join --token "$(temporary swarm join-token -q manager)" --advertise-addr {record.manager_address} \\
#     --availability active {record.cable.address}:2377
#   # where its dockerd ends each time it is started, instead of `leave` and `join`: mv {quote(str(state / RAFT))} {quote(f"{state}-raft.lost")}, and start it
#   temporary node rm --force {record.node_id}   # then step 2; give {node} its labels again: it is another node
#
# The last way, where neither answers for the swarm any more. It restarts every task (Docker's documentation, "Restore from
# a backup"):
#   systemctl stop {places.unit}
#   mv {quote(str(state))} {quote(f"{state}.broken")} && cp -a {quote(str(copy))} {quote(str(state))}
#   systemctl start {places.unit}
#   docker swarm init --force-new-cluster --advertise-addr {record.manager_address}
"""
