"""What is on a network, its leaks, its setup, and the impact of recreating it: rows and sentences."""

from datetime import datetime, tzinfo

from console.addresses.accounting import NetworkAccount
from console.addresses.leaks import LeakEntry, LeakLog
from console.diagnosis.attachments import Attachment, Attachments, RecreationImpact
from console.diagnosis.values import Snapshot
from console.durations import is_known, moment
from console.errors import Result, Unknown
from console.text import duration, listed, plural
from screens.present.text import BAD, DIM, EMPTY, PLAIN, STRONG, UNKNOWN, WARN, Paragraph, Row, says

NAME_WIDTH = 34
NAMED = 40
"""Names that are listed before the rest is only counted."""


def cut(text: str, width: int, more: str = "…") -> str:
    """Return a text that takes at most so many characters."""
    return text if len(text) <= width else text[: width - len(more)] + more


def attached_rows(
    found: Result[Attachments], wanted: str, more: str, *, is_large: bool = False
) -> tuple[list[Row], str]:
    """Return a row for each service and container, those whose name contains `desired_tasks`, and what is said without any."""
    if isinstance(found, Unknown):
        return [], f"What is on this network is unknown. {found.reason}"
    rows = [
        _attached_row(attachment, more, is_large=is_large)
        for attachment in found.all
        if wanted in attachment.name.lower()
    ]
    if rows:
        return rows, ""
    return [], "No name matches." if found.all else "No service or container is on this network."


def _attached_row(each: Attachment, more: str, *, is_large: bool) -> Row:
    if each.kind == "service":
        wanted = "" if each.desired_tasks is None else f" of {each.desired_tasks}"
        state = f"{each.alive}{wanted} running"
        tone = WARN if each.desired_tasks is not None and each.alive < each.desired_tasks else PLAIN
    else:
        state, tone = f"on {each.how}", PLAIN
    # In a /24 the last part says it all.
    shown = [str(one) for one in each.addresses[: 2 if is_large else 6]]
    addresses = " ".join(shown if is_large else [f".{one.rpartition('.')[2]}" for one in shown])
    left = len(each.addresses) - len(shown)
    return Row(
        each.id,
        (
            (f"{each.kind:10}", DIM),
            (f"{cut(each.name, NAME_WIDTH, more):{NAME_WIDTH}} ", STRONG),
            (f"{state:15} ", tone),
            (addresses or "no address", PLAIN if addresses else WARN),
            (f" and {left} more" if left > 0 else "", DIM),
        ),
        each,
    )


def lost_rows(entries: tuple[LeakEntry, ...], now: datetime, zone: tzinfo) -> list[Row]:
    """Return a row for each entry of the leak log on a network: which address leaked, when, and whose it was."""
    return [
        Row(
            (entry.task_id, entry.network_id),
            (
                (f"{moment(entry.ended_at, now, zone):>9}  ", DIM),
                (" ".join(str(one) for one in entry.addresses), BAD),
                (f"  {entry.task_name}", STRONG),
                (f"  {entry.removed_network}", DIM),
            ),
            entry,
        )
        for entry in entries
    ]


def seen_leaking(leak_log: LeakLog, now: datetime, zone: tzinfo) -> tuple[Paragraph, ...]:
    """Return since when leaks are tracked, and the gaps."""
    if leak_log.monitored_since is None:
        return (says("Leak tracking has not started yet.", UNKNOWN),)
    told = [
        says(
            f"Tracked since {moment(leak_log.monitored_since, now, zone)}. Columns: time, address, task, network removed while the "
            "task was stopping. Earlier leaks are not listed."
        )
    ]
    for gap in leak_log.gaps:
        until = "now" if gap.until is None else moment(gap.until, now, zone)
        told.append(says(f"Not tracked from {moment(gap.since, now, zone)} to {until}: {gap.why}", UNKNOWN))
    return tuple(told)


def facts(account: NetworkAccount, seen: Snapshot, zone: tzinfo) -> tuple[Paragraph, ...]:
    """Return how a network is set up, fact by fact."""
    network = account.network
    created = "unknown: the engine does not report it"
    if is_known(network.created):
        age = duration((seen.now - network.created).total_seconds())
        created = f"{moment(network.created, seen.now, zone)}, {age} ago"
    told = [
        _fact("network", f"{network.name}  ({network.id})"),
        _fact("driver", f"{network.driver or 'none yet'}, scope {network.scope}"),
        _fact("created", created),
        _fact("attachable", "yes: containers may join it by hand" if network.attachable else "no"),
    ]
    if network.ingress:
        told.append(_fact("ingress", "yes: it carries the published ports"))
    use = {} if isinstance(network.detail, Unknown) else network.detail.use
    for subnet in account.subnets:
        pool = subnet.pool
        gateway = sorted(pool.reserved - {pool.subnet.network_address, pool.subnet.broadcast_address})
        told += [
            EMPTY,
            _fact("subnet", f"{pool.subnet}, {subnet.capacity} usable addresses"),
            _fact("gateway", ", ".join(map(str, gateway)) or "none reported"),
        ]
        if pool.handed_out_from != pool.subnet:
            told.append(
                _fact("ip-range", f"{pool.handed_out_from}: addresses are assigned from this range only")
            )
        counted = use.get(str(pool.subnet))
        # With an ip-range, the engine's figures do not say whether they include the reserved addresses.
        reserved = f" ({len(pool.reserved)} reserved)" if pool.handed_out_from == pool.subnet else ""
        if counted is not None:
            told.append(_fact("engine", f"{counted.in_use} used{reserved}, {counted.available} free"))
        else:
            told.append(_fact("engine", "does not report a count", UNKNOWN))
        if subnet.leak.why_unknown:
            told.append(_fact("leaked", f"unknown. {subnet.leak.why_unknown}", UNKNOWN))
    told += [EMPTY] if account.ipv6 else []
    told += [_fact("IPv6", f"{subnet}, not counted: cannot be exhausted") for subnet in account.ipv6]
    if not account.subnets and not account.ipv6:
        told.append(_fact("subnet", "none yet: Swarm has not assigned one", BAD))
    peers = None if isinstance(network.detail, Unknown) else network.detail.peers
    told += [
        EMPTY,
        _fact(
            "nodes", "unknown: this node is not on it" if peers is None else f"{plural(peers, 'node')} on it"
        ),
    ]
    if isinstance(network.detail, Unknown):
        told.append(_fact("inspected", f"no. {network.detail.reason}", UNKNOWN))
    told += [_fact("not read", each, UNKNOWN) for each in account.missing]
    return tuple(told)


def _fact(label: str, text: str, tone: str = PLAIN) -> Paragraph:
    return says(text, tone, label=f"{label:10}")


def recreation(account: NetworkAccount, found: Result[Attachments]) -> tuple[Paragraph, ...]:
    """Return the impact of recreating a network, by name, what blocks it first."""
    if isinstance(found, Unknown):
        return (says(f"The impact of recreating it is unknown. {found.reason}", UNKNOWN),)
    name = account.network.name
    if found.refusal:
        return (says(f"{name} cannot be recreated. {found.refusal}", BAD),)
    told: list[Paragraph] = []
    refused = found.with_impact(RecreationImpact.REFUSED)
    if refused:
        told += [says(f"{plural(len(refused), 'object blocks', 'objects block')} recreating {name}:", BAD)]
        told += [
            says(f"{attachment.kind} {attachment.name}. {attachment.because}", label=" ", label_tone=BAD)
            for attachment in refused
        ]
        told.append(EMPTY)
    else:
        told += [says(f"Nothing on {name} blocks recreating it right now.", STRONG), EMPTY]
    for impact, verb in (
        (RecreationImpact.RESTARTS, "would be stopped once and started once"),
        (RecreationImpact.RECONNECTS, "would be disconnected and reconnected"),
        (RecreationImpact.STAYS_DOWN, "would be moved; no task is running"),
        (RecreationImpact.WAITS, "must end first"),
    ):
        those = found.with_impact(impact)
        if those:
            told.append(says(f"{len(those)} {verb}:", STRONG))
            told.append(says(listed([attachment.name for attachment in those], NAMED), label=" "))
    if not found.all:
        told.append(says("It has no services or containers."))
    told += [
        EMPTY,
        says("This console is read-only. A maintenance run recreates it step by step.", DIM),
    ]
    return tuple(told)


def vanished(name: str, seen: Snapshot, zone: tzinfo) -> str:
    """Return that a network was removed, and when the shown state was read."""
    if isinstance(seen.swarm.networks, Unknown):
        return f"{name} could not be read. {seen.swarm.networks.reason}"
    return f"{name} was removed. This is its state at {moment(seen.now, seen.now, zone)}."
