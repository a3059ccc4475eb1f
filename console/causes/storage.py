"""Mounts, secrets and room that a container's node does not have.

The texts: dockerd's volume/mounts, the swarm executor's validation and swarmkit's CSI agent, as of 20.10, 26.1, 28.5
and 29.
"""

from console.causes.values import Area, Cause

CAUSES = (
    Cause(
        "bind-source-missing", Area.STORAGE, "bind source not on the node",
        "the path {path} that it mounts does not exist on its node: {reason}",
        "Swarm does not create the source of a bind mount. The application has not been started.",
        "Create the path on every node that may run it, or use a volume.",
        (
            r'invalid mount config for type "bind": bind source path does not exist: (?P<path>.+)',
            r"bind source path does not exist: (?P<path>.+)",
            r"invalid bind mount source, source path not found: (?P<path>.+)",
        ),
        command="ls -ld {path}",
    ),
    Cause(
        "volume-failed", Area.STORAGE, "volume not mounted",
        "one of its volumes cannot be mounted on its node: {reason}",
        "The node could not create or mount the volume. The application has not been started.",
        "Check the volume's options and its driver, and what it mounts (an NFS server, a device), from that node.",
        (
            r"(?:error while mounting volume|failed to mount local volume|failed to populate volume) .+",
            r"failed to mount local volume: .+",
            r"error (?:while )?mounting volume .+",
            r"volumedriver\.[a-z]+: .+",
            r"(?:get|create) \S+: (?:no such volume|error looking up volume plugin .+)",
            r"(?:error looking up volume plugin|no such volume:?) .+",
            r"error resolving volume .+",
        ),
        command="docker volume ls",
    ),
    Cause(
        "secret-missing", Area.STORAGE, "secret or config not on the node",
        "one of its secrets or configs did not reach its node: {reason}",
        "The manager did not send it, or it was removed. The application has not been started.",
        "Compare `docker secret ls` and `docker config ls` with what the service names, and deploy again.",
        (
            r"unable to get (?:secret|config) from (?:secret|config) store.*",
            r"(?:secret|config)(?: reference)? \S+ not found.*",
            r"error (?:setting up|creating|retrieving|injecting) (?:secret|config).*",
            r"(?:secret|config) store is not initialized",
        ),
        command="docker secret ls",
    ),
    Cause(
        "csi-not-ready", Area.STORAGE, "CSI volume not on the node",
        "its CSI volume is not ready on its node: {reason}",
        "The volume was not published to the node yet, or its plugin there does not answer. Swarm waits for it.",
        "Check the volume's state, and whether its plugin is running on that node.",
        (r"dependency not ready.*", r"published path is unavailable", r"volume being removed"),
        command="docker volume ls --cluster",
    ),
    Cause(
        "csi-drained", Area.STORAGE, "CSI volume drained",
        "the manager ended its task: its CSI volume is being drained",
        "A cluster volume is set to drain: Swarm ends every task that uses it until the volume is active again.",
        "Make the volume active again, or give the service another one.",
        (r"attached to volume which is being drained",),
        command="docker volume ls --cluster",
    ),
    Cause(
        "node-disk-full", Area.NODE, "no disk space on a node",
        "its node has no disk space left: {reason}",
        "A file system of the node is full. The application has not been started.",
        "Free disk space on that node (`docker system df` there).",
        (r"no space left on device", r"disk quota exceeded"),
        command="docker system df",
    ),
    Cause(
        "node-exhausted", Area.NODE, "node out of memory, processes or files",
        "its node is short of memory, processes or open files: {reason}",
        "The node's kernel refuses dockerd a resource that every container needs.",
        "Check memory, and the number of processes and open files on that node.",
        (r"(?:cannot allocate memory|too many open files|resource temporarily unavailable)",),
        command="docker stats --no-stream",
    ),
    Cause(
        "container-name-taken", Area.NODE, "container left over on a node",
        "a leftover container has its task's name",
        "The node still has a container of that name and cannot make another one.",
        "Remove it on that node: `docker rm -f` with the ID in the error.",
        (r'(?:error response from daemon: )?conflict\. the container name "[^"]*" is already in use by container .+',),
        command="docker ps -a --filter status=created --filter status=exited",
    ),
)  # fmt: skip
