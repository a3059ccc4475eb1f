"""One network: the map of its addresses, what is on it, its leaks, its setup, and the impact of recreating it."""

from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.widget import Widget

from console.addresses.accounting import NetworkAccount
from console.addresses.details import Holders, index_swarm_objects
from console.addresses.map import AddressMap, map_network
from console.diagnosis.attachments import Attachment, Attachments, RecreationImpact, find_attachments
from console.diagnosis.values import Snapshot
from console.errors import Result, Unknown
from console.monitor.values import MonitorState
from console.text import plural
from screens.present import addresses, network
from screens.present.text import BAD, EMPTY, MATCH, PLAIN, UNKNOWN, Paragraph, Span, says
from screens.tui.environment import ConsoleEnvironment, OpenWhy, copy
from screens.tui.keys import Command, bindings
from screens.tui.screen import ConsoleScreen
from screens.tui.widgets.address_map import AddressBlocks, AddressGrid
from screens.tui.widgets.input_lines import FindLine
from screens.tui.widgets.pane import Pane, Title, Words
from screens.tui.widgets.rows import Rows, RowView

MAP, ON_IT, LOST, SETUP, RECREATING = range(1, 6)
NAMES = ("Map", "On it", "Leaks seen", "Setup", "Impact of recreating")
ROOMY = 40
"""Lines from which all panes have room at once, on a wide terminal."""
KEYS: tuple[Command, ...] = (
    Command("find", "slash", "Find a holder or an address", "find", "`.52` means an address of this subnet."),
    Command(
        "next_found(1)",
        "n",
        "Next match, else next leaked address",
        "next",
        when=lambda screen: bool(screen.stops),
    ),
    Command(
        "next_found(-1)",
        "N",
        "Previous match, else previous leaked address",
        when=lambda screen: bool(screen.stops),
    ),
    Command("next_subnet", "s", "Next subnet", "subnet", when=lambda screen: len(screen.maps) > 1),
    Command("why", "w", "Why this service does not run", "why", when=lambda screen: bool(screen.service_id)),
    Command("copy", "c", "Copy the text of this pane", "copy"),
    Command("turn(1)", "tab", "Go to the next pane", is_in_palette=False),
    Command("turn(-1)", "shift+tab", "Go to the previous pane", is_in_palette=False),
    Command("back", "escape", "Back: leave the block, the search, the network", "back"),
)


class NetworkScreen(ConsoleScreen):
    """A network, updated while it is open; its last state if it was removed."""

    CSS_PATH = "network.tcss"
    KEYS = KEYS
    BINDINGS: ClassVar[list[BindingType]] = bindings(KEYS)
    VERTICAL_BREAKPOINTS = [(0, "-low"), (22, "-tall"), (ROOMY, "-roomy")]  # noqa: RUF012 - Textual declares it of an instance

    def __init__(self, around: ConsoleEnvironment, network_id: str) -> None:
        super().__init__(around)
        self.network_id = network_id
        self.maps: tuple[AddressMap, ...] = ()
        self._account: NetworkAccount | None = None
        self._seen: Snapshot | None = None
        self._index: Holders | None = None
        self._on_it: Result[Attachments] = Unknown("Not read yet.")
        self._place = 0
        self._wanted = ""
        self._sought_for = ""
        self._sought_in: tuple[AddressMap | None, Sequence[int] | None, Sequence[int]] = (None, None, ())
        """The map of the last search, its matches, and the addresses with a problem in that map."""
        self._is_gone = False
        self._is_block_open = False
        self._shown = MAP
        letters = addresses.letters_of(around.glyphs)
        self._grid = AddressGrid(letters, id="grid")
        self._blocks = AddressBlocks(around.glyphs, id="blocks")
        self._heading = Words(id="heading")
        self._side = Words(id="side")
        self._on_it_rows = Rows(id="on-it", empty="Not read yet.")
        self._lost_rows = Rows(id="lost", empty="No leaks seen.")
        self._watched = Words(id="leaks-seen")
        self._setup = Words(id="setup")
        self._recreating = Words(id="recreating")
        self._find = FindLine("a holder, a stack, .52 or leaked")

    def compose_body(self) -> Iterable[Widget]:
        """Lay out the map, and beside or instead of it the other panes."""
        glyphs = self.around.glyphs
        cells = Vertical(self._heading, self._blocks, self._grid, id="cells")
        self._blocks.can_focus = self._blocks.display = False
        self._heading.can_focus = self._side.can_focus = self._watched.can_focus = False
        with Vertical(id="body"):
            yield Pane(MAP, NAMES[0], Horizontal(cells, self._side, id="map"), glyphs=glyphs, id="pane1")
            with Horizontal(id="rest"):
                yield Pane(ON_IT, NAMES[1], self._on_it_rows, glyphs=glyphs, id="pane2")
                with Vertical(id="more"):
                    yield Pane(LOST, NAMES[2], self._watched, self._lost_rows, glyphs=glyphs, id="pane3")
                    yield Pane(SETUP, NAMES[3], self._setup, glyphs=glyphs, id="pane4")
                    yield Pane(RECREATING, NAMES[4], self._recreating, glyphs=glyphs, id="pane5")
        yield self._find

    def on_mount(self) -> None:
        """Begin at the map."""
        self._turn_to(MAP)

    # What comes

    def on_screen_resume(self) -> None:
        """Catch up with what came while another screen was above this one."""
        self.watch_monitor_state(self.monitor_state)

    def watch_monitor_state(self, monitor_state: MonitorState) -> None:
        """Show the network as it is now, or as it was last."""
        snapshot = monitor_state.snapshot.value
        if snapshot is None or not self.is_current:
            return
        account = next(
            (each for each in snapshot.assessment.accounts if each.network.id == self.network_id), None
        )
        self._is_gone = account is None
        if account is not None and (account is not self._account or snapshot.snapshot is not self._seen):
            self._account, self._seen = account, snapshot.snapshot
            self.maps = map_network(account, monitor_state.leak_log.entries)
            self._place = min(self._place, max(0, len(self.maps) - 1))
            self._index = index_swarm_objects(
                snapshot.snapshot.swarm, snapshot.snapshot.now, self.around.zone
            )
            self._on_it = find_attachments(account, snapshot.snapshot.swarm)
        self._show()

    def _show(self) -> None:
        account, seen = self._account, self._seen
        if account is None or seen is None:
            self._side.say([says("This network is unknown.", UNKNOWN)])
            return
        zone, more = self.around.zone, self.around.glyphs.more
        self._show_map()
        wanted = "" if self._shown == MAP else self._wanted.lower()
        is_large = any(address_map.blocks > 1 for address_map in self.maps) or len(self.maps) > 1
        self._on_it_rows.show(*network.attached_rows(self._on_it, wanted, more, is_large=is_large))
        entries = self.monitor_state.leak_log.on(account.network.id)
        self._lost_rows.show(network.lost_rows(entries, seen.now, zone))
        self._watched.say(network.seen_leaking(self.monitor_state.leak_log, seen.now, zone))
        self._setup.say(network.facts(account, seen, zone))
        self._recreating.say(network.recreation(account, self._on_it))
        self._title(LOST).say(((plural(len(entries), "entry", "entries"), PLAIN),))
        if isinstance(self._on_it, Attachments):
            counts = " and ".join(
                plural(len(self._on_it.of(kind)), kind) for kind in ("service", "container")
            )
            self._title(ON_IT).say(((counts, PLAIN), *self._sought()))
        self.refresh_bindings()

    def _seek(self) -> None:
        """Search once for each map and text: the available commands depend on it, and Textual asks for them often."""
        subnet, wanted = self.subnet, self._wanted
        if self._sought_in[0] is not subnet or self._sought_for != wanted:
            found = subnet.find(wanted) if subnet is not None and wanted.strip() else None
            troubles = () if subnet is None else subnet.troubles()
            self._sought_in, self._sought_for = (subnet, found, troubles), wanted

    def _show_map(self) -> None:
        self._seek()
        account, subnet = self._account, self.subnet
        if account is None:
            return
        subnets = f" ({self._place + 1} of {len(self.maps)})" if len(self.maps) > 1 else ""
        name = f"{account.network.name} {subnet.pool.subnet if subnet else ''}{subnets}".rstrip()
        said: list[Span] = [("REMOVED ", BAD)] if self._is_gone else []
        said += addresses.figures(account, self.around.glyphs)
        self._title(MAP).say(tuple(said), name)
        if subnet is None:
            self._side.say(self._beside())
            return
        at_blocks = self.is_at_blocks
        self.set_class(at_blocks, "-blocks")
        self._blocks.display = self._heading.display = at_blocks
        self._grid.display = not at_blocks
        self._blocks.can_focus, self._grid.can_focus = at_blocks, not at_blocks
        left, kept = (self._grid, self._blocks) if at_blocks else (self._blocks, self._grid)
        if self.focused is left:
            self.set_focus(kept)
        self._heading.say([says(addresses.BLOCK_HEADINGS)])
        found = self.found
        self._blocks.show(subnet, found)
        self._grid.show(subnet, found)
        self._side.say(self._beside())

    def _beside(self) -> list[Paragraph]:
        """Return what stands beside the map: the address under the cursor, the letters, the other panes."""
        account, seen, subnet, index = self._account, self._seen, self.subnet, self._index
        told: list[Paragraph] = []
        if account is None or seen is None:
            return told
        if self._is_gone:
            told += [says(network.vanished(account.network.name, seen, self.around.zone), BAD), EMPTY]
        if subnet is None or index is None:
            return [*told, *network.facts(account, seen, self.around.zone)]
        if not self.is_at_blocks:
            told += [*addresses.cell_says(subnet, self._grid.cursor, index), EMPTY]
        if self._wanted:
            told += [Paragraph(self._sought()), EMPTY]
        letters = addresses.letters_of(self.around.glyphs)
        if self.is_at_blocks:
            told.append(addresses.legend_line(subnet, letters))
        else:
            told += addresses.legend_columns(subnet, letters)
        outlook = addresses.outlook(self.monitor_state.trends.get(self.network_id))
        notes = [says(f"Outlook: {outlook}.", BAD)] if outlook else []
        notes += addresses.map_notes(subnet, len(account.elsewhere))
        told += [EMPTY, *notes] if notes else []
        if not self.has_class("-wide"):
            told += [EMPTY, *self._other_panes()]
        return told

    def _other_panes(self) -> list[Paragraph]:
        entries = len(self.monitor_state.leak_log.on(self.network_id))
        on_it = "unknown"
        refused = 0
        if isinstance(self._on_it, Attachments):
            on_it = ", ".join(plural(len(self._on_it.of(kind)), kind) for kind in ("service", "container"))
            refused = len(self._on_it.with_impact(RecreationImpact.REFUSED))
        return [
            says(f"On it: {on_it}", label="2"),
            says(f"Leaks seen: {entries}", label="3"),
            says("Setup", label="4"),
            says("Impact of recreating" + (f": {refused} blocked" if refused else ""), label="5"),
        ]

    def _sought(self) -> tuple[Span, ...]:
        if not self._wanted:
            return ()
        found = self.found
        counted = "" if found is None or self._shown != MAP else f" {len(found)} found"
        return ((f"  /{self._wanted}{counted}", MATCH),)

    # What it is about

    @property
    def subnet(self) -> AddressMap | None:
        """The map of the subnet that is shown; None for a network without any."""
        return self.maps[self._place] if self.maps else None

    @property
    def is_at_blocks(self) -> bool:
        """Whether a large subnet is shown as rows of blocks."""
        return self.subnet is not None and self.subnet.blocks > 1 and not self._is_block_open

    @property
    def found(self) -> Sequence[int] | None:
        """The addresses that were found, in order; None where nothing is sought."""
        return self._sought_in[1]

    @property
    def stops(self) -> Sequence[int]:
        """The addresses that `n` goes through."""
        if self.subnet is None or self._shown != MAP:
            return ()
        found = self.found
        return self._sought_in[2] if found is None else found

    @property
    def service_id(self) -> str:
        """The service under the cursor; nothing where there is none."""
        if self._shown == ON_IT:
            row = self._on_it_rows.current
            return (
                row.value.id
                if row and isinstance(row.value, Attachment) and row.value.kind == "service"
                else ""
            )
        if self._shown != MAP or self.subnet is None or self.is_at_blocks or self._index is None:
            return ""
        for holder in self.subnet.cell(self._grid.cursor).holders:
            if holder.id in self._index.services:
                return holder.id
            task = self._index.tasks.get(holder.id)
            if task is not None and task.service_id in self._index.services:
                return task.service_id
        return ""

    def _title(self, number: int) -> Title:
        return self.query_one(f"#pane{number}", Pane).title

    # What is done

    def on_address_grid_moved(self) -> None:
        """Describe the address under the cursor."""
        self._side.say(self._beside())
        self.refresh_bindings()

    def on_row_view_moved(self) -> None:
        """What can be done may be something else now."""
        self.refresh_bindings()

    def on_row_view_chosen(self, event: RowView.Chosen) -> None:
        """Open a block, or tell why a service does not run."""
        if event.rows is self._blocks and self.subnet is not None:
            self._is_block_open = True
            if self._grid.block != event.index:
                self._grid.go(int(self.subnet.block(event.index).first))
            self._show()
            self.set_focus(self._grid)
        elif event.rows is self._on_it_rows and self.service_id:
            self.action_why()

    def on_find_line_wanted(self, event: FindLine.Wanted) -> None:
        """Find it."""
        self._wanted = event.text
        self._on_it_rows.select_others()
        self._show()

    def on_find_line_closed(self) -> None:
        """Go on where it was."""
        self._turn_to(self._shown)
        found = self.found
        if found and self._shown == MAP and self._grid.cursor not in found:
            self.action_next_found(1)

    def action_find(self) -> None:
        """Let the operator type what to find."""
        self._find.open()

    def action_next_found(self, direction: int) -> None:
        """Go to the next address that was found, or that leaked."""
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
        """Tell why the service under the cursor does not run."""
        self.post_message(OpenWhy(self.service_id))

    def action_copy(self) -> None:
        """Copy what the pane says."""
        said = {
            MAP: self._side.text,
            ON_IT: self._on_it_rows.text,
            LOST: self._lost_rows.text,
            SETUP: self._setup.text,
            RECREATING: self._recreating.text,
        }[self._shown]
        copy(self, said)

    def action_pane(self, number: int) -> None:
        """Go to a pane by its number."""
        if 1 <= number <= RECREATING:
            self._turn_to(number)

    def action_turn(self, by: int) -> None:
        """Go to the next pane, or the one before."""
        self._turn_to((self._shown - 1 + by) % RECREATING + 1)

    def action_back(self) -> None:
        """Go back by one step."""
        if self._wanted:
            self._find.clear()
        elif self._shown != MAP and not self.has_class("-wide"):
            self._turn_to(MAP)
        elif self._is_block_open and self.subnet is not None and self.subnet.blocks > 1:
            self._is_block_open = False
            self._blocks.go(self._grid.block)
            self._show()
            self._turn_to(MAP)
        else:
            self.app.pop_screen()

    def _turn_to(self, number: int) -> None:
        self._shown = number
        for each in range(1, RECREATING + 1):
            self.set_class(each == number, f"-at{each}")
        self._show()
        self.query_one(f"#pane{number}", Pane).enter()
