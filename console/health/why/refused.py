"""Causes that dockerd's log tells about an allocation, where they are no exhausted network."""

from console.causes.matching import cause_of
from console.causes.values import Place
from console.causes.words import spoken, typed
from console.health.why.case import Case
from console.health.why.rows import line_rows, network_name, network_rows, state_row, vip_rows
from console.health.why.values import Explanation, Standing
from console.journal.failures import ALLOCATIONS
from console.journal.logfmt import parse_line
from console.journal.matching import Event
from console.text import ending

REFUSED = ALLOCATIONS | {"task-address-taken"}


def allocation_refused(case: Case) -> Explanation | None:
    """The service was given no address, and dockerd tells another reason than a full network, or one that nobody knows."""
    if not (case.without_vip or case.new_tasks):
        return None
    ids = (case.service.id, *(each.id for each in case.new_tasks), *(case.without_vip or case.needs))
    line = case.line(*ids, among=REFUSED)
    if line is None:
        return None
    reason = reason_of(line)
    match = cause_of(reason, Place.ALLOCATOR)
    named = {"reason": ending(reason), "service": case.service.name}
    verdict = (
        spoken(match.cause.verdict, named)
        if match is not None
        else f"Swarm failed to allocate for it: {ending(reason)}"
    )
    where = [line.ids["network"]] if "network" in line.ids else [*(case.without_vip or case.needs)]
    accounts = [case.swarm.accounts[each] for each in where if each in case.swarm.accounts]
    room = [
        f"{each.network.name} has room as far as is known: {each.accounted} of its {each.capacity} addresses have a "
        "known holder."
        for each in accounts
        if each.capacity and each.free_at_most > 0
    ]
    return Explanation(
        "allocation-refused",
        Standing.HELD_UP,
        line.signature.certainty,
        verdict,
        " ".join(
            (line.signature.meaning, *room, "The application has not been started, and is not at fault.")
        ),
        (
            *vip_rows(case),
            *(state_row(case, each) for each in case.new_tasks[:1]),
            *(row for each in accounts for row in network_rows(case, each)),
            *line_rows((line,)),
        ),
        is_address_problem=True if match is None else match.cause.is_address_problem,
        advice=line.signature.advice,
        command=typed(
            "vipconsole glance {network}", {"network": network_name(case, where[0])} if where else {}
        )
        if where
        else "journalctl -u docker --since '1 hour ago' --grep allocation",
    )


def reason_of(line: Event) -> str:
    """Return dockerd's own reason: the error of the line, or the line itself where it cannot be taken apart."""
    said = parse_line(line.text)
    return said.error or said.message
