"""What is on a network, its leaks, its setup, and the impact of recreating it: rows and sentences."""

from datetime import datetime, tzinfo

from console.addresses.accounting import NetworkAccount
from console.addresses.forecast import Trend
from console.addresses.leaks import LeakEntry, LeakLog
from console.addresses.outlook import network_outlook
from console.diagnosis.attachments import Attachment, Attachments, RecreationImpact
from console.diagnosis.values import Snapshot
from console.durations import duration, is_known, moment
from console.errors import Result, Unknown
from console.text import listed, plural
from screens.present.chart import outlook_tone
from screens.present.text import BAD, DIM, EMPTY, PLAIN, STRONG, UNKNOWN, WARN, Paragraph, Row, paragraph

NAME_AT_LEAST = 12
KIND_WIDTH, STATE_WIDTH, ADDRESSES_AT_LEAST = 10, 15, 10
NAME_LIMIT = 40
"""Names that are listed before the rest is only counted."""


def cut(text: str, width: int, more: str = "…") -> str:
    """Return a text that takes at most so many characters."""
    return text if len(text) <= width else text[: width - len(more)] + more


def attachment_rows(
    attachments: Result[Attachments], filter_text: str, more: str, width: int, *, is_large: bool = False
) -> tuple[list[Row], str]:
    """Return a row for each service and container, those whose name contains the filter, and the text of an empty list.

    A name is whole where the state and an address have room beside it in so many columns.
    """
    if isinstance(attachments, Unknown):
        return [], f"What is on this network is unknown. {attachments.reason}"
    matching = [attachment for attachment in attachments.all if filter_text in attachment.name.lower()]
    if matching:
        longest = max(len(attachment.name) for attachment in matching)
        room = width - KIND_WIDTH - STATE_WIDTH - ADDRESSES_AT_LEAST - 2
        name_width = max(NAME_AT_LEAST, min(longest, room))
        return [
            _attachment_row(attachment, more, name_width, is_large=is_large) for attachment in matching
        ], ""
    return [], "No name matches." if attachments.all else "No service or container is on this network."


def _attachment_row(attachment: Attachment, more: str, name_width: int, *, is_large: bool) -> Row:
    if attachment.kind == "service":
        desired = "" if attachment.desired_tasks is None else f" of {attachment.desired_tasks}"
        state = f"{attachment.alive}{desired} running"
        tone = (
            WARN
            if attachment.desired_tasks is not None and attachment.alive < attachment.desired_tasks
            else PLAIN
        )
    else:
        state, tone = f"on {attachment.how}", PLAIN
    # In a /24, the last part is enough.
    addresses = [str(address) for address in attachment.addresses[: 2 if is_large else 6]]
    address_text = " ".join(
        addresses if is_large else [f".{address.rpartition('.')[2]}" for address in addresses]
    )
    hidden_count = len(attachment.addresses) - len(addresses)
    return Row(
        attachment.id,
        (
            (f"{attachment.kind:{KIND_WIDTH}}", DIM),
            (f"{cut(attachment.name, name_width, more):{name_width}} ", STRONG),
            (f"{state:{STATE_WIDTH}} ", tone),
            (address_text or "no address", PLAIN if address_text else WARN),
            (f" and {hidden_count} more" if hidden_count > 0 else "", DIM),
        ),
        attachment,
    )


def leak_rows(entries: tuple[LeakEntry, ...], now: datetime, zone: tzinfo) -> list[Row]:
    """Return a row for each entry of the leak log on a network: which address leaked, when, and whose it was."""
    return [
        Row(
            (entry.task_id, entry.network_id),
            (
                (f"{moment(entry.ended_at, now, zone):>9}  ", DIM),
                (" ".join(str(address) for address in entry.addresses), BAD),
                (f"  {entry.task_name}", STRONG),
                (f"  {entry.removed_network}", DIM),
            ),
            entry,
        )
        for entry in entries
    ]


def leak_notes(leak_log: LeakLog, now: datetime, zone: tzinfo) -> tuple[Paragraph, ...]:
    """Return since when leaks are tracked, and the gaps."""
    if leak_log.monitored_since is None:
        return (paragraph("Leak tracking has not started yet.", UNKNOWN),)
    paragraphs = [
        paragraph(
            f"Tracked since {moment(leak_log.monitored_since, now, zone)}. Columns: time, address, task, network removed while the "
            "task was stopping. Earlier leaks are not listed."
        )
    ]
    for gap in leak_log.gaps:
        until = "now" if gap.until is None else moment(gap.until, now, zone)
        paragraphs.append(
            paragraph(f"Not tracked from {moment(gap.since, now, zone)} to {until}: {gap.why}", UNKNOWN)
        )
    return tuple(paragraphs)


def facts(account: NetworkAccount, snapshot: Snapshot, zone: tzinfo) -> tuple[Paragraph, ...]:
    """Return how a network is set up, fact by fact."""
    network = account.network
    created = "unknown: the engine does not report it"
    if is_known(network.created):
        age = duration((snapshot.now - network.created).total_seconds())
        created = f"{moment(network.created, snapshot.now, zone)}, {age} ago"
    paragraphs = [
        _fact("network", f"{network.name}  ({network.id})"),
        _fact("driver", f"{network.driver or 'none yet'}, scope {network.scope}"),
        _fact("created", created),
        _fact("attachable", "yes: containers may join it by hand" if network.attachable else "no"),
    ]
    if network.ingress:
        paragraphs.append(_fact("ingress", "yes: it carries the published ports"))
    use = {} if isinstance(network.detail, Unknown) else network.detail.use
    for subnet in account.subnets:
        pool = subnet.pool
        gateway = sorted(pool.reserved - {pool.subnet.network_address, pool.subnet.broadcast_address})
        paragraphs += [
            EMPTY,
            _fact("subnet", f"{pool.subnet}, {subnet.capacity} usable addresses"),
            _fact("gateway", ", ".join(map(str, gateway)) or "none reported"),
        ]
        if pool.handed_out_from != pool.subnet:
            paragraphs.append(
                _fact("ip-range", f"{pool.handed_out_from}: addresses are assigned from this range only")
            )
        engine_use = use.get(str(pool.subnet))
        # With an ip-range, the engine's figures do not say whether they include the reserved addresses.
        reserved_note = f" ({len(pool.reserved)} reserved)" if pool.handed_out_from == pool.subnet else ""
        if engine_use is not None:
            paragraphs.append(
                _fact("engine", f"{engine_use.in_use} used{reserved_note}, {engine_use.available} free")
            )
        else:
            paragraphs.append(_fact("engine", "does not report a count", UNKNOWN))
        if subnet.leak.why_unknown:
            paragraphs.append(_fact("leaked", f"unknown. {subnet.leak.why_unknown}", UNKNOWN))
    paragraphs += [EMPTY] if account.ipv6 else []
    paragraphs += [_fact("IPv6", f"{subnet}, not counted: cannot be exhausted") for subnet in account.ipv6]
    if not account.subnets and not account.ipv6:
        paragraphs.append(_fact("subnet", "none yet: Swarm has not assigned one", BAD))
    peers = None if isinstance(network.detail, Unknown) else network.detail.peers
    paragraphs += [
        EMPTY,
        _fact(
            "nodes", "unknown: this node is not on it" if peers is None else f"{plural(peers, 'node')} on it"
        ),
    ]
    if isinstance(network.detail, Unknown):
        paragraphs.append(_fact("inspected", f"no. {network.detail.reason}", UNKNOWN))
    paragraphs += [_fact("not read", part, UNKNOWN) for part in account.missing]
    return tuple(paragraphs)


def other_panes(attachments: Result[Attachments], leaks_seen: int, holders: str) -> tuple[Paragraph, ...]:
    """Return what the other panes hold, by their numbers, for where the map alone has room; `holders` are counted."""
    on_it, blockers = "unknown", ""
    if isinstance(attachments, Attachments):
        on_it = ", ".join(plural(len(attachments.of(kind)), kind) for kind in ("service", "container"))
        refused = len(attachments.with_impact(RecreationImpact.REFUSED))
        blockers = f": {refused} blocked" if refused else ""
    return (
        paragraph(f"Attached: {on_it}", label="2"),
        paragraph(f"Leaks seen: {leaks_seen}", label="3"),
        Paragraph((("4 ", DIM), ("Setup", PLAIN), ("   7 ", DIM), ("History", PLAIN))),
        paragraph(f"Impact of recreating{blockers}", label="5"),
        paragraph(f"Held by: {holders}", label="6"),
    )


def outlook_paragraph(account: NetworkAccount, trend: Trend | None) -> Paragraph:
    """Return how the use of a network goes on."""
    outlook = network_outlook(account, trend)
    return Paragraph((("Forecast: ", DIM), (outlook.sentence, outlook_tone(outlook))), 2)


def _fact(label: str, text: str, tone: str = PLAIN) -> Paragraph:
    return paragraph(text, tone, label=f"{label:10}")


def recreation(account: NetworkAccount, attachments: Result[Attachments]) -> tuple[Paragraph, ...]:
    """Return the impact of recreating a network, by name, what blocks it first."""
    if isinstance(attachments, Unknown):
        return (paragraph(f"The impact of recreating it is unknown. {attachments.reason}", UNKNOWN),)
    name = account.network.name
    if attachments.refusal:
        return (paragraph(f"{name} cannot be recreated. {attachments.refusal}", BAD),)
    paragraphs: list[Paragraph] = []
    blockers = attachments.with_impact(RecreationImpact.REFUSED)
    if blockers:
        paragraphs += [
            paragraph(f"{plural(len(blockers), 'object blocks', 'objects block')} recreating {name}:", BAD)
        ]
        paragraphs += [
            paragraph(f"{attachment.kind} {attachment.name}. {attachment.because}", label=" ", label_tone=BAD)
            for attachment in blockers
        ]
        paragraphs.append(EMPTY)
    else:
        paragraphs += [paragraph(f"Nothing on {name} blocks recreating it right now.", STRONG), EMPTY]
    for impact, verb in (
        (RecreationImpact.RESTARTS, "would be stopped once and started once"),
        (RecreationImpact.RECONNECTS, "would be disconnected and reconnected"),
        (RecreationImpact.STAYS_DOWN, "would be moved; no task is running"),
        (RecreationImpact.WAITS, "must end first"),
    ):
        names = [attachment.name for attachment in attachments.with_impact(impact)]
        if names:
            paragraphs.append(paragraph(f"{len(names)} {verb}:", STRONG))
            paragraphs.append(paragraph(listed(names, NAME_LIMIT), label=" "))
    if not attachments.all:
        paragraphs.append(paragraph("It has no services or containers."))
    paragraphs += [
        EMPTY,
        paragraph("This console is read-only. A maintenance run recreates it step by step.", DIM),
    ]
    return tuple(paragraphs)


def removal_note(name: str, snapshot: Snapshot, zone: tzinfo) -> str:
    """Return that a network was removed, and when the shown state was read."""
    if isinstance(snapshot.swarm.networks, Unknown):
        return f"{name} could not be read. {snapshot.swarm.networks.reason}"
    return f"{name} was removed. This is its state at {moment(snapshot.now, snapshot.now, zone)}."
