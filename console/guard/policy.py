"""The guard's decision: one pure function of the inputs and of what the operator wants and allows."""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import replace

from console.diagnosis.findings.waiting import needy_services
from console.diagnosis.quiescence.values import CheckState
from console.diagnosis.values import Finding, Severity
from console.durations import duration
from console.errors import LockHeld, Unknown, known
from console.guard.shortage import (
    REFUSALS,
    find_refused_services,
    find_shortages,
    find_uncertain_network,
    services_in_deployment,
)
from console.guard.values import (
    GuardDecision,
    GuardInputs,
    GuardOptions,
    GuardVerdict,
    Shortage,
    unknown_decision,
)
from console.operations.reclaim import ReclaimMethod
from console.settings import Thresholds
from console.text import did_you_mean, listed, plural

ABOUT_USE = frozenset(("network-filling", "network-full", "deploy-waits"))
"""Findings that a stated need answers better than a share in use does."""
UNFINISHED_CHANGES = frozenset(("services-parked", "handover-unfinished", "borrow-unfinished"))
"""Findings about unfinished changes."""
RESTART_PERMISSION = (
    "`vipconsole guard --allow-restart` restarts the docker unit once: every container of this host stops."
)
BORROW_PERMISSION = (
    "`vipconsole guard --allow-borrow` borrows a second manager for some seconds: no container stops."
)
PERMISSION = f"{BORROW_PERMISSION} {RESTART_PERMISSION}"
"""On a swarm with one manager."""
HANDOVER_PERMISSION = f"`vipconsole reclaim --by handover` stops no container. {RESTART_PERMISSION}"
"""On a swarm with several."""
REFUSAL_CODES = frozenset(f"logged-{signature}" for signature in REFUSALS)
GROWTH = (
    "Remove stacks that are not needed, recreate it with a larger subnet (`vipconsole run`), or give services the "
    "endpoint mode dnsrr, which takes no virtual IP."
)


def decide(inputs: GuardInputs, options: GuardOptions, thresholds: Thresholds) -> GuardDecision:
    """Return what to do and to say. The actuator asks again just before it acts, under the maintenance lock."""
    return (
        _check_other_changes(inputs)
        or _check_readable(inputs)
        or _check_shortages(inputs, options, thresholds)
        or _check_uncertainty(inputs, options)
        or _judge_findings(inputs, options)
    )


def _check_other_changes(inputs: GuardInputs) -> GuardDecision | None:
    """Return the decision where somebody else is changing the swarm, or has left it half changed."""
    if isinstance(inputs.unfinished_run, Unknown):
        return unknown_decision(inputs.unfinished_run, "It is not known whether a run is unfinished.")
    if inputs.unfinished_run:
        return GuardDecision(
            GuardVerdict.STOP,
            inputs.unfinished_run,
            "Nothing is deployed or repaired while a run is unfinished.",
        )
    if isinstance(inputs.holder, Unknown):
        return unknown_decision(
            inputs.holder, "It is not known whether another command is changing the swarm."
        )
    if inputs.holder:
        lock_error = LockHeld(inputs.holder)
        return GuardDecision(GuardVerdict.STOP, lock_error.sentence, lock_error.hint)
    # Of a run of another machine, one that is kept here no more, or a hand-over, only the labels in the swarm tell.
    unfinished_change = next(
        (finding for finding in inputs.assessment.findings if finding.code in UNFINISHED_CHANGES), None
    )
    if unfinished_change is not None:
        return GuardDecision(GuardVerdict.STOP, unfinished_change.sentence, unfinished_change.hint)
    return None


def _check_readable(inputs: GuardInputs) -> GuardDecision | None:
    swarm = inputs.snapshot.swarm
    for result in (swarm.engine, swarm.networks, swarm.services, swarm.tasks):
        if isinstance(result, Unknown):
            return unknown_decision(result, "The swarm cannot be read.")
    return None


def _check_shortages(
    inputs: GuardInputs, options: GuardOptions, thresholds: Thresholds
) -> GuardDecision | None:
    shortages = tuple(find_shortages(inputs, options, thresholds))
    if not shortages:
        return None
    # Whatever gives leaks back rebuilds the whole allocator: it is worth it only if it meets what is wanted everywhere.
    hopeless = [shortage for shortage in shortages if shortage.within_reach < shortage.demand]
    if hopeless:
        worst = hopeless[0]
        return GuardDecision(
            GuardVerdict.STOP,
            f"{_sentence(worst)} A restart would not help: "
            + (
                "nothing leaked there that a restart could free."
                if worst.within_reach <= worst.free
                else f"with all leaked addresses back, {worst.within_reach} would be free, and {worst.demand} "
                "are needed."
            ),
            GROWTH,
            worst,
        )
    return _reclaim(shortages[0], inputs, options)


def _reclaim(worst: Shortage, inputs: GuardInputs, options: GuardOptions) -> GuardDecision:
    """Return the cheapest method that is allowed and has no obstacle: a borrowed manager, then a restart."""
    sentence = (
        f"{_sentence(worst)} With all leaked addresses back, {worst.within_reach} would be free, and {worst.demand} "
        f"{'is' if worst.demand == 1 else 'are'} needed."
    )
    moment = tuple(_moment_obstacles(inputs, options))
    against_borrow = (*moment, *_borrow_obstacles(inputs))
    against_restart = (*moment, *_unit_obstacles(inputs))
    if options.may_borrow and not against_borrow:
        return GuardDecision(
            GuardVerdict.STOP,
            sentence,
            "A second manager is borrowed for some seconds: no container stops.",
            worst,
            reclaim_method=ReclaimMethod.BORROW,
        )
    no_borrow = _borrow_obstacles(inputs) if options.may_borrow else ()
    if options.may_restart and not against_restart:
        because = tuple(reason for reason, _ in no_borrow)
        return GuardDecision(
            GuardVerdict.STOP,
            " ".join((sentence, *(_capitalize(reason) for reason in because))),
            "The docker unit is restarted: every container of this host stops and comes back.",
            worst,
            reclaim_method=ReclaimMethod.RESTART,
        )
    obstacles = (*moment, *no_borrow)
    if options.may_restart or not options.may_borrow:
        obstacles = (*obstacles, *_unit_obstacles(inputs))
    permission = _permission(inputs, options)
    if permission and not (options.may_borrow and not no_borrow):
        obstacles = (*obstacles, (_missing_permission(options), permission))
    reason, hint = obstacles[0]
    # An operator who waits for the obstacle needs the command to call then.
    is_told = hint == permission or options.may_restart or (options.may_borrow and not no_borrow)
    then = "" if is_told else f" {'Then' if moment or not no_borrow else 'Otherwise'} {permission}"
    return GuardDecision(
        GuardVerdict.STOP,
        f"{sentence} Nothing was done: {reason}",
        f"{hint}{then}".strip(),
        worst,
        because=tuple(reason for reason, _ in obstacles),
    )


def _capitalize(clause: str) -> str:
    return clause[:1].upper() + clause[1:]


def _permission(inputs: GuardInputs, options: GuardOptions) -> str:
    """Return the commands that allow what is not allowed yet; nothing where a restart is, for then all is."""
    if options.may_restart:
        return ""
    if options.may_borrow:
        return RESTART_PERMISSION
    managers = sum(node.is_manager for node in known(inputs.snapshot.swarm.nodes, ()))
    return HANDOVER_PERMISSION if managers > 1 else PERMISSION


def _missing_permission(options: GuardOptions) -> str:
    if options.may_borrow:
        return "a restart of the docker unit is not allowed."
    return "neither a borrowed manager nor a restart of the docker unit is allowed."


def _sentence(shortage: Shortage) -> str:
    # It may begin with a network's name, which keeps its letters.
    return f"{shortage.why}."


def _moment_obstacles(inputs: GuardInputs, options: GuardOptions) -> Iterator[tuple[str, str]]:
    """Yield why the allocator must not be rebuilt from here now, each with what to do."""
    snapshot = inputs.snapshot
    engine, nodes = snapshot.swarm.engine, snapshot.swarm.nodes
    if isinstance(nodes, Unknown):
        yield "which node leads the swarm could not be read.", nodes.hint
    elif not isinstance(engine, Unknown):
        leader = next((node for node in nodes if node.is_leader), None)
        if leader is None:
            yield "the swarm has no leader.", "Run `docker node ls` on the managers."
        elif leader.id != engine.node_id:
            yield (
                f"the allocator runs on the leader, {leader.hostname}, not here.",
                f"Run this on {leader.hostname}.",
            )
    yield from _unquiet_obstacles(inputs)
    yield from _cooldown_obstacles(inputs, options)


def _cooldown_obstacles(inputs: GuardInputs, options: GuardOptions) -> Iterator[tuple[str, str]]:
    last, now = inputs.last_restart_at, inputs.snapshot.taken_at
    if isinstance(last, Unknown):
        yield f"it is not known when addresses were given back last. {last.reason}", last.hint
    elif last is not None and (now - last).total_seconds() < options.cooldown_s:
        age = duration((now - last).total_seconds())
        remaining_s = options.cooldown_s - max(0.0, (now - last).total_seconds())
        yield (
            f"the guard gave leaked addresses back {age} ago, and addresses are short again.",
            f"It may do so again in {duration(remaining_s)}. Find out what leaks: `vipconsole`.",
        )


def _borrow_obstacles(inputs: GuardInputs) -> tuple[tuple[str, str], ...]:
    """Return why no manager can be borrowed on this host."""
    if inputs.why_no_borrow is None:
        return ()
    return ((f"no manager can be borrowed. {inputs.why_no_borrow.reason}", inputs.why_no_borrow.hint),)


def _unquiet_obstacles(inputs: GuardInputs) -> Iterator[tuple[str, str]]:
    over = "Try again when that is over."
    deployments = services_in_deployment(inputs.snapshot)
    if deployments:
        verb = "is" if len(deployments) == 1 else "are"
        yield f"{listed(deployments)} {verb} being deployed.", over
    for check in inputs.quiet.checks:
        if check.state is CheckState.BUSY:
            names = [blocker.name for blocker in check.blockers if not blocker.is_accepted]
            yield f"it is not quiet here ({check.title}: {listed(names)}).", over
        elif check.state is CheckState.UNKNOWN:
            yield f"it is not known whether it is quiet here ({check.title}: {check.note}).", check.hint


def _unit_obstacles(inputs: GuardInputs) -> Iterator[tuple[str, str]]:
    """Yield why the docker unit must not be restarted now."""
    daemon, now = inputs.daemon, inputs.snapshot.taken_at
    if isinstance(daemon, Unknown):
        yield f"the docker unit cannot be inspected. {daemon.reason}", daemon.hint
    else:
        if daemon.stays_down:
            containers = f"{plural(len(daemon.stays_down), 'container')} outside the swarm"
            yield (
                f"{containers} would stay down: {listed(daemon.stays_down)}.",
                "Give them a restart policy (`docker update --restart unless-stopped`), or stop them.",
            )
        if daemon.started_at is None:
            yield "the docker unit is not running.", "`systemctl status` of it shows why."
        elif (now - daemon.started_at).total_seconds() < daemon.start_limit_s:
            yield (
                "the docker unit was started a moment ago, and systemd limits how often it may start.",
                f"Try again in {duration(daemon.start_limit_s)}.",
            )


def _check_uncertainty(inputs: GuardInputs, options: GuardOptions) -> GuardDecision | None:
    account = find_uncertain_network(inputs, options)
    if account is None or options.allocator_is_new:
        return None
    return GuardDecision(
        GuardVerdict.UNKNOWN,
        f"It is not known whether {account.network.name} has {options.need} free addresses: at most "
        f"{account.free_at_most} are free, leaked ones included.",
        f"`vipconsole census {account.network.name}` counts them.",
        census_of=account.network.name,
    )


def _judge_findings(inputs: GuardInputs, options: GuardOptions) -> GuardDecision:
    is_answered = options.need is not None
    needy = needy_services(inputs.snapshot)
    needy_names = {needy_service.name for needy_service in needy}
    refused_services = find_refused_services(inputs, needy)
    findings = [
        _soften(finding, refused_services if finding.code in REFUSAL_CODES else needy_names)
        for finding in inputs.assessment.findings
        if finding.severity is not Severity.OK
        and not (is_answered and finding.code in ABOUT_USE and finding.subject == options.network)
    ]
    findings.sort(key=lambda finding: -finding.severity.rank)
    accounts = {
        network_account.network.name: network_account for network_account in inputs.assessment.accounts
    }
    if options.network not in accounts:
        return _add_prunes(
            GuardDecision(
                GuardVerdict.STOP,
                f"There is no overlay named {options.network}.",
                f"{did_you_mean(options.network, accounts)} Create it first, or set `network` to the one that the batch "
                "deploys on.".lstrip(),
            ),
            inputs,
            options,
        )
    account = accounts[options.network]
    qualifier = "" if account.free_is_exact else "at most "
    room = f"{options.network} has {qualifier}{account.free_at_most} of {account.capacity} addresses free"
    worst = findings[0] if findings else None
    sentences = tuple(finding.sentence for finding in findings)
    if worst is None:
        need = f", and {options.need} are needed" if is_answered else ""
        decision = GuardDecision(GuardVerdict.GO, f"{room}{need}.")
    elif worst.severity is Severity.UNKNOWN:
        decision = GuardDecision(GuardVerdict.UNKNOWN, worst.sentence, worst.hint, because=sentences)
    elif worst.severity is Severity.CRITICAL:
        decision = GuardDecision(GuardVerdict.STOP, worst.sentence, worst.hint, because=sentences)
    else:
        first = "" if worst.code in ABOUT_USE and worst.subject == options.network else f"{room}. "
        decision = GuardDecision(GuardVerdict.NOTE, first + worst.sentence, worst.hint, because=sentences)
    return _add_prunes(decision, inputs, options)


def _soften(finding: Finding, service_names: AbstractSet[str]) -> Finding:
    """Return a failure that dockerd logged as a warning, once it no longer concerns any service that it named."""
    is_over = finding.code.startswith("logged-") and service_names.isdisjoint(finding.names)
    return replace(finding, severity=Severity.WARNING) if is_over else finding


def _add_prunes(decision: GuardDecision, inputs: GuardInputs, options: GuardOptions) -> GuardDecision:
    """Add what is pruned: only while nothing is being deployed, for a network may be about to be used."""
    if not options.may_prune or any(True for _ in _unquiet_obstacles(inputs)):
        return decision
    return replace(decision, prunes=inputs.prunable)
