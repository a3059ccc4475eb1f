"""Tasks that the manager cannot place, or ended itself.

The texts: swarmkit's manager/scheduler (filter.go, volumes.go, scheduler.go) and its constraint enforcer, the same from
20.10 to 29.
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
