"""The removal of stacks as a shell script of plain docker commands, for tools that remove stacks themselves."""

import shlex
from collections.abc import Sequence

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


def removal_script(stacks: Sequence[str], timeout_s: float | None, margin_s: float) -> str:
    """Return a POSIX shell script that removes these stacks unless it is given others."""
    return (
        _SCRIPT.replace("@STACKS@", " ".join(shlex.quote(each) for each in stacks))
        .replace("@LIMIT@", "" if timeout_s is None else str(round(timeout_s)))
        .replace("@MARGIN@", str(round(margin_s)))
    )
