"""One network: the map of its addresses, what is on it, its leaks, its setup, and the impact of recreating it."""

from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.widget import Widget

from console.addresses.accounting import NetworkAccount
from console.addresses.details import Holders
from console.addresses.forecast import Trend
from console.addresses.holder_groups import HolderGroup
from console.addresses.map import AddressMap
from console.diagnosis.attachments import Attachment, Attachments
from console.diagnosis.values import Snapshot
from console.errors import Result, Unknown
from console.monitor.values import MonitorState
from console.text import plural
from screens.present import addresses, network
from screens.present.help import Entry, network_marks
from screens.present.holder_groups import count_text
from screens.present.text import BAD, EMPTY, MATCH, PLAIN, UNKNOWN, Paragraph, Span, paragraph
from screens.tui.environment import ConsoleEnvironment, OpenWhy, copy
from screens.tui.keys import bindings
from screens.tui.network_commands import KEYS
from screens.tui.network_parts import NetworkParts, PartsMaker, service_at
from screens.tui.panes.attachments import AttachmentRows
from screens.tui.panes.stacks import StacksPane
from screens.tui.panes.use_history import HistoryPane
from screens.tui.screen import ConsoleScreen
from screens.tui.widgets.address_map import AddressBlocks, AddressGrid
from screens.tui.widgets.fair import FairVertical
from screens.tui.widgets.find_line import FindLine
from screens.tui.widgets.pane import Pane, TextView, Title
from screens.tui.widgets.row_view import MARGIN, RowView
from screens.tui.widgets.rows import Rows

MAP, ATTACHED, LEAKS, SETUP, RECREATING, STACKS, HISTORY = range(1, 8)
NAMES = ("Map", "Attached", "Leaks seen", "Setup", "Impact of recreating", "Stacks", "History")
ROOMY = 40
"""Lines from which all panes have room at once, on a wide terminal."""


class NetworkScreen(ConsoleScreen):
    """A network, updated while it is open; its last state if it was removed."""

    CSS_PATH = "network.tcss"
    KEYS = KEYS
    BINDINGS: ClassVar[list[BindingType]] = bindings(KEYS)
    VERTICAL_BREAKPOINTS = [(0, "-low"), (22, "-tall"), (ROOMY, "-roomy")]  # noqa: RUF012 - Textual declares it of an instance

    def __init__(self, environment: ConsoleEnvironment, network_id: str) -> None:
        super().__init__(environment)
        self.network_id = network_id
        self.maps: tuple[AddressMap, ...] = ()
        self._account: NetworkAccount | None = None
        self._snapshot: Snapshot | None = None
        self._index: Holders | None = None
        self._attachments: Result[Attachments] = Unknown("Not read yet.")
        self._groups: Result[tuple[HolderGroup, ...]] = Unknown("Not read yet.")
        self._place = 0
        self._filter_text = ""
        self._search_text = ""
        self._search: tuple[AddressMap | None, Sequence[int] | None, Sequence[int]] = (None, None, ())
        """The map of the last search, its matches, and the addresses with a problem in that map."""
        self._is_removed = False
        self._maker = PartsMaker(self, environment.zone, self._take_parts)
        self._is_block_open = False
        self._pane_number = MAP
        self._grid = AddressGrid(addresses.letters_of(environment.glyphs), id="grid")
        self._blocks = AddressBlocks(environment.glyphs, id="blocks")
        self._heading = TextView(id="heading")
        self._side = TextView(id="side")
        self._attached_rows = AttachmentRows(environment.glyphs, id="attached")
        self._leak_rows = Rows(id="leaks", empty="No leaks seen.")
        self._leak_notes = TextView(id="leaks-seen")
        self._setup = TextView(id="setup")
        self._recreating = TextView(id="recreating")
        self._stacks = StacksPane(STACKS, NAMES[5], environment, id="pane6")
        self._history = HistoryPane(HISTORY, NAMES[6], environment, id="pane7")
        self._find = FindLine("a holder, a stack, .52 or leaked")

    @property
    def attended_network(self) -> str:
        """The network that is shown: it is read in detail."""
        return self.network_id

    @property
    def marks(self) -> tuple[Entry, ...]:
        """What the marks and columns of the page mean, for its help."""
        return network_marks(self.environment.glyphs)

    def compose_body(self) -> Iterable[Widget]:
        """Lay out the map, and beside or instead of it the other panes."""
        glyphs = self.environment.glyphs
        cells = Vertical(self._heading, self._blocks, self._grid, id="cells")
        self._blocks.can_focus = self._blocks.display = False
        self._heading.can_focus = self._side.can_focus = self._leak_notes.can_focus = False
        with Vertical(id="body"):
            with Horizontal(id="top"):
                yield Pane(MAP, NAMES[0], Horizontal(cells, self._side, id="map"), glyphs=glyphs, id="pane1")
                yield self._stacks
            with Horizontal(id="rest"):
                with Vertical(id="left"):
                    yield Pane(ATTACHED, NAMES[1], self._attached_rows, glyphs=glyphs, id="pane2")
                    yield self._history
                with FairVertical(id="more"):
                    yield Pane(LEAKS, NAMES[2], self._leak_notes, self._leak_rows, glyphs=glyphs, id="pane3")
                    yield Pane(SETUP, NAMES[3], self._setup, glyphs=glyphs, id="pane4")
                    yield Pane(RECREATING, NAMES[4], self._recreating, glyphs=glyphs, id="pane5")
        yield self._find

    def on_mount(self) -> None:
        """Begin at the map."""
        self._turn_to(MAP)

    # Content

    def on_screen_resume(self) -> None:
        """Catch up with what came while another screen was above this one."""
        self.watch_monitor_state(self.monitor_state)

    def watch_monitor_state(self, monitor_state: MonitorState) -> None:
        """Show the network as it is now; if it was removed, its last state."""
        snapshot = monitor_state.snapshot.value
        if snapshot is None or not self.is_current:
            return
        account = next(
            (account for account in snapshot.assessment.accounts if account.network.id == self.network_id),
            None,
        )
        self._is_removed = account is None
        entries = monitor_state.leak_log.entries
        if account is None or not self._maker.make(account, snapshot.snapshot, entries):
            self._show()

    def _take_parts(self, parts: NetworkParts) -> None:
        self._account, self._snapshot = parts.account, parts.snapshot
        self.maps, self._index = parts.maps, parts.index
        self._attachments, self._groups = parts.attachments, parts.groups
        self._place = min(self._place, max(0, len(self.maps) - 1))
        self._show()

    def _show(self) -> None:
        account, snapshot = self._account, self._snapshot
        if account is None or snapshot is None:
            if not self._maker.is_at_work:
                self._side.show([paragraph("This network is unknown.", UNKNOWN)])
            return
        zone, draw = self.environment.zone, self._maker.draw
        draw(self._show_map)
        filter_text = "" if self._pane_number == MAP else self._filter_text.lower()
        is_large = any(address_map.blocks > 1 for address_map in self.maps) or len(self.maps) > 1
        draw(self._attached_rows.show_attachments, self._attachments, filter_text, is_large)
        entries = self.monitor_state.leak_log.on(account.network.id)
        self._leak_rows.show(network.leak_rows(entries, snapshot.now, zone))
        self._leak_notes.show(network.leak_notes(self.monitor_state.leak_log, snapshot.now, zone))
        self._setup.show(network.facts(account, snapshot, zone))
        self._recreating.show(network.recreation(account, self._attachments))
        draw(self._stacks.show, self._groups, snapshot.now, filter_text)
        self._history.show(account, self._trend, entries, snapshot.now)
        self.query_one(FairVertical).share_again()
        for number in range(ATTACHED, HISTORY + 1):
            self._title(number).name_subject(account.network.name)
        self._title(LEAKS).show(((plural(len(entries), "entry", "entries"), PLAIN),))
        if isinstance(self._attachments, Attachments):
            counts = " and ".join(
                plural(len(self._attachments.of(kind)), kind) for kind in ("service", "container")
            )
            self._title(ATTACHED).show(((counts, PLAIN), *self._search_note()))
        self.refresh_bindings()

    def _seek(self) -> None:
        """Search once for each map and text: the available commands depend on it, and Textual asks for them often."""
        subnet, filter_text = self.subnet, self._filter_text
        if self._search[0] is not subnet or self._search_text != filter_text:
            matches = subnet.find(filter_text) if subnet is not None and filter_text.strip() else None
            troubles = () if subnet is None else subnet.troubles()
            self._search, self._search_text = (subnet, matches, troubles), filter_text

    def _show_map(self) -> None:
        self._seek()
        account, subnet = self._account, self.subnet
        if account is None:
            return
        subnets = f" ({self._place + 1} of {len(self.maps)})" if len(self.maps) > 1 else ""
        name = f"{account.network.name} {subnet.pool.subnet if subnet else ''}{subnets}".rstrip()
        note: list[Span] = [("REMOVED ", BAD)] if self._is_removed else []
        note += addresses.figures(account, self.environment.glyphs)
        self._title(MAP).show(tuple(note), name)
        if subnet is None:
            self._side.show(self._beside())
            return
        at_blocks = self.is_at_blocks
        self.set_class(at_blocks, "-blocks")
        self._blocks.display = self._heading.display = at_blocks
        self._grid.display = not at_blocks
        self._blocks.can_focus, self._grid.can_focus = at_blocks, not at_blocks
        if self.focused is (self._grid if at_blocks else self._blocks):
            self.set_focus(self._blocks if at_blocks else self._grid)
        self._heading.show([paragraph(f"{' ' * MARGIN}{addresses.BLOCK_HEADINGS}")])
        matches = self.matches
        self._blocks.show(subnet, matches)
        self._grid.show(subnet, matches)
        self._side.show(self._beside())

    def _beside(self) -> list[Paragraph]:
        """Return what stands beside the map: the address under the cursor, the letters, the other panes."""
        account, snapshot, subnet, index = self._account, self._snapshot, self.subnet, self._index
        paragraphs: list[Paragraph] = []
        if account is None or snapshot is None:
            return paragraphs
        if self._is_removed:
            paragraphs += [
                paragraph(network.removal_note(account.network.name, snapshot, self.environment.zone), BAD),
                EMPTY,
            ]
        if subnet is None or index is None:
            return [*paragraphs, *network.facts(account, snapshot, self.environment.zone)]
        if not self.is_at_blocks:
            paragraphs += [*addresses.cell_paragraphs(subnet, self._grid.cursor, index), EMPTY]
        if self._filter_text:
            paragraphs += [Paragraph(self._search_note()), EMPTY]
        letters = addresses.letters_of(self.environment.glyphs)
        if self.is_at_blocks:
            paragraphs.append(addresses.legend_line(subnet, letters))
        else:
            paragraphs += addresses.legend_columns(subnet, letters)
        notes = [network.outlook_paragraph(account, self._trend)]
        notes += addresses.map_notes(subnet, len(account.elsewhere))
        paragraphs += [EMPTY, *notes]
        if not self.has_class("-wide"):
            leaks_seen = len(self.monitor_state.leak_log.on(self.network_id))
            paragraphs += [
                EMPTY,
                *network.other_panes(self._attachments, leaks_seen, count_text(self._groups)),
            ]
        return paragraphs

    def _search_note(self) -> tuple[Span, ...]:
        if not self._filter_text:
            return ()
        matches = self.matches
        count = "" if matches is None or self._pane_number != MAP else f" {len(matches)} found"
        return ((f"  /{self._filter_text}{count}", MATCH),)

    # State

    @property
    def subnet(self) -> AddressMap | None:
        """The map of the subnet that is shown; None for a network without any."""
        return self.maps[self._place] if self.maps else None

    @property
    def _trend(self) -> Trend | None:
        return self.monitor_state.trends.get(self.network_id)

    @property
    def is_at_blocks(self) -> bool:
        """Whether a large subnet is shown as rows of blocks."""
        return self.subnet is not None and self.subnet.blocks > 1 and not self._is_block_open

    @property
    def matches(self) -> Sequence[int] | None:
        """The addresses that match the search, in order; None without a search."""
        return self._search[1]

    @property
    def stops(self) -> Sequence[int]:
        """The addresses that `n` goes through."""
        if self.subnet is None or self._pane_number != MAP:
            return ()
        matches = self.matches
        return self._search[2] if matches is None else matches

    @property
    def service_id(self) -> str:
        """The service under the cursor; nothing where there is none."""
        if self._pane_number == ATTACHED:
            row = self._attached_rows.current
            return (
                row.value.id
                if row and isinstance(row.value, Attachment) and row.value.kind == "service"
                else ""
            )
        if self._pane_number != MAP or self.subnet is None or self.is_at_blocks or self._index is None:
            return ""
        return service_at(self.subnet, self._grid.cursor, self._index)

    def _title(self, number: int) -> Title:
        return self.query_one(f"#pane{number}", Pane).title

    # Messages and actions

    def on_address_grid_moved(self) -> None:
        """Describe the address under the cursor."""
        self._side.show(self._beside())
        self.refresh_bindings()

    def on_row_view_highlighted(self) -> None:
        """Update the commands: they depend on the row."""
        self.refresh_bindings()

    def on_row_view_selected(self, event: RowView.Selected) -> None:
        """Open a block, or the explanation why a service does not run."""
        if event.rows is self._blocks and self.subnet is not None:
            self._is_block_open = True
            if self._grid.block != event.index:
                self._grid.go(int(self.subnet.block(event.index).first))
            self._show()
            self.set_focus(self._grid)
        elif event.rows is self._attached_rows and self.service_id:
            self.action_why()

    def on_find_line_changed(self, event: FindLine.Changed) -> None:
        """Search the map for the text, or filter the list."""
        self._filter_text = event.text
        self._attached_rows.reset_selection()
        self._show()

    def on_find_line_closed(self) -> None:
        """Return to the pane, with the cursor on a match."""
        self._turn_to(self._pane_number)
        matches = self.matches
        if matches and self._pane_number == MAP and self._grid.cursor not in matches:
            self.action_next_match(1)

    def action_find(self) -> None:
        """Let the operator type what to find."""
        self._find.open()

    def action_next_match(self, direction: int) -> None:
        """Go to the next match, or without a search to the next leaked address."""
        if self._grid.go_next(self.stops, direction) and self.is_at_blocks:
            self._is_block_open = True
            self._show()
            self._turn_to(MAP)

    def action_next_subnet(self) -> None:
        """Show the next subnet of the network."""
        self._place = (self._place + 1) % max(1, len(self.maps))
        self._is_block_open = False
        self._show()
        self._turn_to(MAP)

    def action_why(self) -> None:
        """Ask the app to open the explanation of the service under the cursor."""
        self.post_message(OpenWhy(self.service_id))

    def action_copy(self) -> None:
        """Copy the text of the current pane."""
        text = {
            MAP: self._side.text,
            ATTACHED: self._attached_rows.text,
            LEAKS: self._leak_rows.text,
            SETUP: self._setup.text,
            RECREATING: self._recreating.text,
            STACKS: self._stacks.text,
            HISTORY: self._history.text,
        }[self._pane_number]
        copy(self, text)

    def action_pane(self, number: int) -> None:
        """Go to a pane by its number."""
        if 1 <= number <= HISTORY:
            self._turn_to(number)

    def pane_entered(self, number: int) -> None:
        """Let the keys act on the pane that was clicked."""
        if number != self._pane_number:
            self._take_pane(number)

    def action_next_pane(self, by: int) -> None:
        """Go to the next pane, or the one before, by their numbers."""
        self._turn_to((self._pane_number - 1 + by) % HISTORY + 1)

    def action_back(self) -> None:
        """Drop the search, else return to the map, else close the block, else close the screen."""
        if self._filter_text:
            self._find.clear()
        elif self._pane_number != MAP and not self.has_class("-wide"):
            self._turn_to(MAP)
        elif self._is_block_open and self.subnet is not None and self.subnet.blocks > 1:
            self._is_block_open = False
            self._blocks.go(self._grid.block)
            self._show()
            self._turn_to(MAP)
        else:
            self.app.pop_screen()

    def _turn_to(self, number: int) -> None:
        self._take_pane(number)
        self.query_one(f"#pane{number}", Pane).enter()

    def _take_pane(self, number: int) -> None:
        self._pane_number = number
        for pane_number in range(1, HISTORY + 1):
            self.set_class(pane_number == number, f"-at{pane_number}")
        self._show()
