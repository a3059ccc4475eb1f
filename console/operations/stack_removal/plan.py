"""The plan of a removal: what belongs to a stack and in which order it goes; also as a shell script."""

import shlex
from collections.abc import Collection, Sequence

from console.errors import UsageError
from console.frozen import frozen
from console.swarm.model import DEFAULT_GRACE_S, ObjectKind, Service, StackObject, Task
from console.swarm.snapshots import StackSnapshot
from console.text import clean, did_you_mean, listed, near_names

_SCRIPT = r"""#!/bin/sh
# Removes stacks from a swarm manager so that no address leaks on the networks they share with others.
#
# `docker stack rm` removes the services and at once their networks. A task that is still stopping then loses track of
# its other networks, and its address there is never given back (https://github.com/moby/moby/issues/37338).
# So: services first, wait until none of their tasks is alive and no container of them runs here, then the rest.
# Calling it again finishes what was interrupted. Exit code: 0 all removed, 1 something is still used and was kept or
# a command failed, 2 tasks did not end in time and no network was removed, 3 the engine did not answer.
# Of tasks on other nodes it sees only what the swarm lists.
#
# Give other stacks as arguments; LIMIT_S is how long to wait in seconds, by itself the longest stop grace and a minute.
set -eu
[ $# -gt 0 ] || set -- @STACKS@
limit_s=${LIMIT_S:-@LIMIT@}
label=com.docker.stack.namespace
kept=0

# The tasks of a stack that have not ended, one a line. Fails where the engine does not answer: that is not "none".
tasks_of() {
    if listed=$(docker stack ps --no-trunc --format '{{.ID}} {{.Name}} {{.CurrentState}}' "$1" 2>&1); then
        echo "$listed" | grep -E '^[^ ]+ [^ ]+ (New|Allocated|Pending|Assigned|Accepted|Preparing|Ready|Starting|Running)' || true
    else
        case $listed in
            *[Nn]othing\ found\ in\ stack*) ;;
            *) echo "$listed" >&2; return 1 ;;
        esac
    fi
}

# The containers of a stack's tasks that run on this node.
containers_of() {
    docker ps --filter "label=$label=$1" --filter label=com.docker.swarm.task.id --format '{{.Names}}'
}

# The longest stop grace of a stack's services in whole seconds; 10 where none is said.
grace_of() {
    grace_s=10
    services=$(docker service ls --quiet --filter "label=$label=$1")
    for service in $services; do
        ns=$(docker service inspect --format '{{json .Spec.TaskTemplate.ContainerSpec.StopGracePeriod}}' "$service")
        [ "$ns" = null ] || [ $((ns / 1000000000)) -le "$grace_s" ] || grace_s=$((ns / 1000000000))
    done
    echo "$grace_s"
}

if [ -z "$limit_s" ]; then
    limit_s=0
    for stack; do
        grace_s=$(grace_of "$stack")
        [ "$grace_s" -le "$limit_s" ] || limit_s=$grace_s
    done
    limit_s=$((limit_s + @MARGIN@))
fi

for stack; do
    services=$(docker service ls --quiet --filter "label=$label=$stack")
    for service in $services; do
        docker service rm "$service"
    done
done

end=$(($(date +%s) + limit_s))
for stack; do
    while :; do
        tasks=$(tasks_of "$stack") || exit 3
        containers=$(containers_of "$stack") || exit 3
        [ -n "$tasks$containers" ] || break
        if [ "$(date +%s)" -ge "$end" ]; then
            echo "$stack still runs after $limit_s s, so no network was removed:" $tasks $containers >&2
            exit 2
        fi
        sleep 1
    done
done

for stack; do
    networks=$(docker network ls --quiet --filter "label=$label=$stack")
    for network in $networks; do
        users=$(docker ps --filter "network=$network" --format '{{.Names}}')
        if [ -n "$users" ]; then
            echo "$stack: the network $network was kept, for it is used by" $users >&2
            kept=1
        else
            docker network rm "$network" || kept=1
        fi
    done
    secrets=$(docker secret ls --quiet --filter "label=$label=$stack")
    for secret in $secrets; do
        docker secret rm "$secret" || kept=1
    done
    configs=$(docker config ls --quiet --filter "label=$label=$stack")
    for config in $configs; do
        docker config rm "$config" || kept=1
    done
done
exit "$kept"
"""
MARGIN_S = 60.0
"""Beyond the longest stop grace: the engine lets go of networks and volumes only after a container was killed, which
takes seconds for each on a loaded host."""


def removal_script(stacks: Sequence[str], timeout_s: float | None, margin_s: float) -> str:
    """Return a POSIX shell script that removes these stacks unless it is given others.

    Raises UsageError for a name that would speak to the terminal on which the script is shown.
    """
    if unprintable := [stack for stack in stacks if not stack.isprintable()]:
        raise UsageError(
            f"{clean(unprintable[0])} is no name of a stack: it holds a character that cannot be printed.",
            "Give the names as `docker stack ls` prints them.",
        )
    return (
        _SCRIPT.replace("@STACKS@", " ".join(shlex.quote(stack) for stack in stacks))
        .replace("@LIMIT@", "" if timeout_s is None else str(round(timeout_s)))
        .replace("@MARGIN@", str(round(margin_s)))
    )


@frozen
class RetainedObject:
    """An object that is not removed, and why, as a clause: `the service web_app uses it`."""

    object: StackObject
    reason: str


@frozen
class StackPlan:
    """What becomes of one stack. Only what is named here will be changed."""

    name: str
    objects: tuple[StackObject, ...]
    """Every object of the stack, in the order of its removal."""
    retained_objects: tuple[RetainedObject, ...]
    """Objects that will stay if nothing changes; checked again before each removal."""
    live_tasks: int
    grace_s: float
    """The longest stop grace of its services and tasks."""

    def of(self, *kinds: ObjectKind) -> tuple[StackObject, ...]:
        """Return its objects of these kinds."""
        return tuple(stack_object for stack_object in self.objects if stack_object.kind in kinds)


@frozen
class RemovalPlan:
    """What becomes of several stacks at once."""

    stacks: tuple[StackPlan, ...]
    limit_s: float
    """How long to wait for tasks and containers."""
    absent: tuple[str, ...] = ()
    """Names not found: already removed or misspelled. They are skipped."""
    suggestions: tuple[str, ...] = ()
    """For each of these, a question that names the nearest stack; empty where none is near."""

    @property
    def names(self) -> frozenset[str]:
        """The names of the stacks."""
        return frozenset(stack.name for stack in self.stacks)

    @property
    def object_ids(self) -> frozenset[str]:
        """The IDs of everything that it may change."""
        return frozenset(stack_object.id for stack in self.stacks for stack_object in stack.objects)


def plan_removal(
    names: Collection[str], snapshot: StackSnapshot, timeout_s: float | None = None
) -> RemovalPlan:
    """Return what removing these stacks comes to.

    A name of which nothing is left, neither an object nor a task that still ends, is skipped, so that the same call
    finishes what an earlier one began; where that is so of every name, UsageError is raised.
    """
    unique_names = tuple(dict.fromkeys(names))
    going = frozenset(
        stack_object.id
        for stack_object in snapshot.objects()
        if stack_object.stack in unique_names and stack_object.kind is ObjectKind.SERVICE
    )
    stacks = tuple(_plan_stack(name, snapshot, going) for name in unique_names)
    there = tuple(stack for stack in stacks if stack.objects or stack.live_tasks)
    if not there:
        raise _missing(unique_names, snapshot)
    limit_s = timeout_s if timeout_s is not None else max(stack.grace_s for stack in there) + MARGIN_S
    absent = tuple(clean(stack.name) for stack in stacks if stack not in there)
    other_names = [name for name in stack_names(snapshot) if name not in unique_names]
    return RemovalPlan(there, limit_s, absent, tuple(did_you_mean(name, other_names) for name in absent))


def stack_names(snapshot: StackSnapshot) -> list[str]:
    """Return the names of all stacks, in order."""
    return sorted({stack_object.stack for stack_object in snapshot.objects() if stack_object.stack})


def tasks_of(stack: str, service_ids: Collection[str], snapshot: StackSnapshot) -> tuple[Task, ...]:
    """Return the listed tasks of a stack: of these services, and of services of it that are gone.

    Tasks of a service that came later belong to a new deploy.
    """
    others = {service.id for service in snapshot.services}.difference(service_ids)
    return tuple(
        task
        for task in snapshot.tasks
        if task.service_id in service_ids or (task.stack == stack and task.service_id not in others)
    )


def keepers_of(item: StackObject, snapshot: StackSnapshot, going: Collection[str]) -> str:
    """Return who keeps an object from being removed, as a clause, or nothing.

    These are services that stay (their IDs are not in `going`) and containers attached by hand: they use it for good.
    """
    services = [
        service.name for service in snapshot.services if item.id in service.uses and service.id not in going
    ]
    containers = [
        container_name(task, snapshot)
        for task in snapshot.tasks
        if task.is_standalone and task.is_alive and item.id in task.network_ids
    ]
    # A container that has an endpoint on this node and no task in the swarm any more is on it all the same.
    containers += [
        container.name
        for container in snapshot.running_containers
        if not container.service_id and container.is_on(item.id) and container.name not in containers
    ]
    groups = [
        f"{'service' if len(services) == 1 else 'services'} {listed(services)}" if services else "",
        f"{'container' if len(containers) == 1 else 'containers'} {listed(containers)}" if containers else "",
    ]
    users = " and ".join(group for group in groups if group)
    if not users:
        return ""
    return f"{users} {'uses' if len(services) + len(containers) == 1 else 'use'} it"


def container_name(task: Task, snapshot: StackSnapshot) -> str:
    """Return the name of the standalone container behind a task, or its ID and its node."""
    for container in snapshot.running_containers:
        if container.id == task.container_id:
            return container.name
    return f"{task.container_id[:12]} on {node_name(task.node_id, snapshot)}"


def node_name(node_id: str, snapshot: StackSnapshot) -> str:
    """Return a node's name, and its state where that is not `ready`."""
    node = snapshot.node(node_id)
    if node is None:
        return f"node {node_id[:12]}" if node_id else "no node"
    return node.hostname if node.state == "ready" else f"{node.hostname}, which is {node.state}"


def _plan_stack(name: str, snapshot: StackSnapshot, going: frozenset[str]) -> StackPlan:
    own: list[Service] = [service for service in snapshot.services if service.stack == name]
    order = list(ObjectKind)
    objects = sorted(
        (stack_object for stack_object in snapshot.objects() if stack_object.stack == name),
        key=lambda stack_object: (order.index(stack_object.kind), stack_object.name),
    )
    service_ids = {service.id for service in own}
    live = [task for task in tasks_of(name, service_ids, snapshot) if task.is_alive]
    graces = [*(service.grace_s for service in own), *(task.grace_s for task in live)]
    retained_objects = [
        RetainedObject(stack_object, reason)
        for stack_object in objects
        if stack_object.kind is not ObjectKind.SERVICE
        and (reason := keepers_of(stack_object, snapshot, going))
    ]
    return StackPlan(
        name, tuple(objects), tuple(retained_objects), len(live), max(graces, default=DEFAULT_GRACE_S)
    )


def _missing(missing: tuple[str, ...], snapshot: StackSnapshot) -> UsageError:
    stack_names_now = stack_names(snapshot)
    names = [clean(name) for name in missing]
    near = list(
        dict.fromkeys(near_name for name in missing for near_name in near_names(name, stack_names_now, 3))
    )
    if near:
        hint = f"Did you mean {' or '.join(near)}?"
    else:
        hint = f"Stacks: {listed(stack_names_now, 8)}." if stack_names_now else "This swarm has no stacks."
    what = "Stack" if len(missing) == 1 else "Stacks"
    return UsageError(f"{what} {listed(names)} not found, so nothing was changed.", hint)
