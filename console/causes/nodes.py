"""Nodes: what the node of a task lacks to start it, and why the manager finds no node or ends a task.

The texts of nodes: dockerd's volume/mounts, the swarm executor's validation and swarmkit's CSI agent, as of 20.10, 26.1,
28.5 and 29. Those of the manager: swarmkit's manager/scheduler (filter.go, volumes.go, scheduler.go) and its constraint
enforcer, the same from 20.10 to 29.
"""

from console.causes.values import Area, Cause

REASONS = (
    ("scheduling constraints not satisfied", "Label a node as the constraints ask, or change them."),
    (
        "insufficient resources",
        "It reserves more CPU, memory or generic resources than any node has left: reserve less, or make room.",
    ),
    ("host-mode port already in use", "Every fitting node already has a task with that port in host mode."),
    ("max replicas per node", "Add a node, or raise the limit of replicas per node."),
    ("unsupported platform", "No node has the architecture that the image was built for."),
    ("missing plugin", "No node has the volume, network or log plugin that the service asks for."),
    ("not available for new tasks", "Nodes are down, paused or drained: `docker node ls`."),
    (
        "cannot fulfill requested csi volume mounts",
        "No node can mount its CSI volume: check the volume's topology, its access mode and its current users.",
    ),
    (
        "cannot find volume to satisfy mount",
        "No free cluster volume has that name or group: `docker volume ls --cluster`.",
    ),
    (
        "unsatisfied volume",
        "No free cluster volume has that name or group: `docker volume ls --cluster`.",
    ),
)
"""What to do about each reason of the scheduler's, in small letters."""
_ON_NODES = r"(?: on [0-9]+ nodes?)?"
_REASON = (
    rf"(?:scheduling constraints not satisfied|insufficient resources|host-mode port already in use|unsupported platform"
    rf"|missing plugin|cannot fulfill requested csi volume mounts){_ON_NODES}"
    r"|[0-9]+ nodes? not available for new tasks|max replicas per node limit exceed(?:ed)?"
    r"|cannot find volume to satisfy mount with source .+|unsatisfied volumes?.*"
)

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
    Cause(
        "no-suitable-node", Area.SCHEDULING, "no node takes a task",
        "no node takes its task: {reasons}",
        "The scheduler checked every node, and none fits.",
        "",
        (
            r"no suitable node \((?P<reasons>.+)\)",
            r"no suitable node(?: available for task)?",
            rf"(?P<reasons>(?:{_REASON})(?:; (?:{_REASON}))*)",
        ),
        command="docker node inspect --pretty $(docker node ls -q)",
    ),
    Cause(
        "constraint-enforced", Area.SCHEDULING, "manager ended a task",
        "the manager ended its task: the node no longer meets the service's constraints",
        "Neither the node nor the application ended it: a label, the role or the resources of the node changed while "
        "the task was running.",
        "Compare the constraints with the node as it is now.",
        (r"assigned node no longer meets constraints",),
        command="docker node ls",
    ),
    Cause(
        "task-orphaned", Area.SCHEDULING, "node of a task lost",
        "its node is gone: {reason}",
        "The manager lost contact with the node for too long and gave up its tasks.",
        "Bring the node back, or remove it from the swarm.",
        (r"(?:node|task) (?:is )?orphaned.*", r"heartbeat failure.*"),
        command="docker node ls",
    ),
)  # fmt: skip
