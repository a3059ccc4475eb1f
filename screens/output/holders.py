"""What can be removed: who holds the addresses of a network, by stack, as text and as JSON."""

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Console, ConsoleOptions, RenderResult
from rich.padding import Padding
from rich.text import Text

from console.addresses.accounting import NetworkAccount
from console.addresses.holder_groups import HolderGroup, group_holders
from console.addresses.holders import HolderKind
from console.diagnosis.values import Assessment, Snapshot
from console.durations import iso
from console.errors import Unknown
from console.frozen import frozen
from screens.output.plain import json_text
from screens.output.rows import STYLES, styled
from screens.output.snapshot_json import document_head, finding_json
from screens.present.holder_groups import ORDER, free_text, group_table, others_text
from screens.present.network import cut
from screens.present.text import UNKNOWN, Glyphs, typed_here

SCHEMA = "vipconsole.holders/1"
REMOVE = "To remove a stack without leaking addresses: `vipconsole stack-rm NAME`"
NOBODY = "No stack, service or container holds an address of it."


def render_holders(snapshot: Snapshot, assessment: Assessment, glyphs: Glyphs) -> Padding:
    """Return who holds the addresses of the networks of an assessment, as something to print."""
    return Padding(_HoldersTable(snapshot, assessment, glyphs), (0, 1), expand=False)


@frozen
class _HoldersTable:
    """Drawn when the width is known."""

    snapshot: Snapshot
    assessment: Assessment
    glyphs: Glyphs

    def __rich_console__(self, _: Console, options: ConsoleOptions) -> RenderResult:
        for account in self.assessment.accounts:
            for line in self._lines(account, options.max_width):
                # What a line has too much is cut: a table that wraps is none.
                line.no_wrap, line.overflow = True, "crop"
                yield line

    def _lines(self, account: NetworkAccount, width: int) -> Iterator[Text]:
        groups = group_holders(account, self.snapshot.swarm)
        yield Text(cut(f"{free_text(account)}; stacks by addresses", width, self.glyphs.more), style="bold")
        if isinstance(groups, Unknown):
            yield Text(f"Who holds them is unknown. {groups.reason}", style=STYLES[UNKNOWN])
            return
        yield Text(cut(ORDER, width, self.glyphs.more), style="dim")
        yield Text("")
        if groups:
            heading, rows = group_table(groups, self.snapshot.now, width, self.glyphs)
            yield Text(heading, style="dim")
            for row in rows:
                yield styled(row.parts)
        else:
            yield Text(NOBODY)
        yield Text("")
        yield Text(cut(others_text(account), width, self.glyphs.more), style="dim")
        yield Text(cut(typed_here(REMOVE), width, self.glyphs.more))


def as_json(snapshot: Snapshot, assessment: Assessment) -> str:
    """Return the same as one JSON document, ASCII only, with a newline at its end."""
    document = {
        **document_head(SCHEMA, snapshot, assessment),
        "networks": [_network(account, snapshot) for account in assessment.accounts],
        "findings": [finding_json(finding) for finding in assessment.findings],
    }
    return json_text(document)


def _network(account: NetworkAccount, snapshot: Snapshot) -> Mapping[str, Any]:
    groups = group_holders(account, snapshot.swarm)
    has_balancers = not {"load balancers", "nodes"} & set(account.missing)
    return {
        "name": account.network.name,
        "id": account.network.id,
        "capacity": account.capacity,
        "free": account.free_at_most,
        "free_is_exact": account.free_is_exact,
        "leaked": account.leaked,
        "leaked_is_exact": account.leaked_is_exact,
        "load_balancers": account.count(HolderKind.LOAD_BALANCER) if has_balancers else None,
        "groups": None if isinstance(groups, Unknown) else [_group(group) for group in groups],
        "why_unknown": groups.reason if isinstance(groups, Unknown) else None,
    }


def _group(group: HolderGroup) -> Mapping[str, Any]:
    return {
        "kind": group.kind,
        "name": group.name,
        "id": group.id,
        "addresses": group.addresses,
        "vips": group.vips,
        "tasks": group.tasks,
        "containers": group.containers,
        "services": group.services,
        "running": group.running,
        "wanted": group.wanted,
        "created": iso(group.created),
        "updated": iso(group.updated),
        "command": group.command or None,
    }
