"""All overlays: the network of interest, then the worst first."""

from textual.app import ComposeResult

from console.errors import Unknown
from console.monitor.values import Scene
from screens.panes.base import ScenePane, said_of
from screens.surroundings import Surroundings
from screens.views.overlays import OverlayLine, columns_for, heading, overlay_lines, overlay_row
from screens.views.parts import DIM, PLAIN, STRONG, UNKNOWN, Part, Parts
from screens.widgets.painted import Painted


class Heading(Painted):
    """The line above a table."""

    DEFAULT_CSS = "Heading { height: 1; }"

    def __init__(self) -> None:
        super().__init__()
        self._parts: Parts = ()

    def say(self, parts: Parts) -> None:
        """Show this from now on."""
        self._parts = parts
        self.renew()

    def parts_at(self, y: int) -> Parts:
        """Return the line."""
        del y
        return self._parts


class Overlays(ScenePane):
    """A row for each subnet of each overlay."""

    NUMBER, NAME = 1, "Overlays"

    def __init__(self, around: Surroundings) -> None:
        super().__init__(around)
        self._heading = Heading()
        self._lines: list[OverlayLine] = []

    def compose(self) -> ComposeResult:
        """Lay out the title and the heading over the rows."""
        yield self.title
        yield self._heading
        yield self.rows

    def basis(self, scene: Scene) -> tuple[object, ...]:
        """It rests on the look and the trends."""
        return scene.look.value, scene.look.failed, scene.trends

    @property
    def current(self) -> OverlayLine | None:
        """The line under the cursor."""
        row = self.rows.current
        return row.value if row is not None and isinstance(row.value, OverlayLine) else None

    def renew(self) -> None:
        """Show the table."""
        look = self.scene.look
        if look.value is None:
            self._heading.say(())
            self.show_awaited(look)
            return
        interest = self.around.settings.network
        self._lines = overlay_lines(
            look.value, self.scene.trends, self.around.glyphs, self.sought, interest=interest
        )
        self._lay_out()

    def on_resize(self) -> None:
        """Use the room there is."""
        self._lay_out()
        super().on_resize()

    def on_row_view_moved(self) -> None:
        """Tell how the use of the network under the cursor goes."""
        if self.scene.look.value is not None:
            self.title.say(self._said())

    def _lay_out(self) -> None:
        look = self.scene.look.value
        width = self.rows.scrollable_content_region.width
        if look is None or width <= 0:
            return
        columns = columns_for(self._lines, width)
        self._has_trends = bool(columns.trend)
        self._heading.say(heading(columns) if self._lines else ())
        networks = look.observation.swarm.networks
        empty = (
            f"The networks are unknown. {networks.reason} {networks.hint}".rstrip()
            if isinstance(networks, Unknown)
            else "There is no overlay."
        )
        self.show(
            [overlay_row(each, columns, self.around.glyphs) for each in self._lines], self._said(), empty
        )

    def _said(self) -> Parts:
        look = self.scene.look.value
        if look is None:
            return ()
        everything = len(look.assessment.accounts)
        networks = len({each.figures.network_id for each in self._lines})
        count: Part = (f"{everything}, worst first{self._behind()}", DIM)
        if self.sought:
            count = (f"{networks} of {everything} have {self.sought} in them", UNKNOWN)
        current = self.current
        trend: tuple[Part, ...] = ()
        if current is not None and current.trend and not self._has_trends:
            trend = ((f"; {current.figures.name}: ", PLAIN), (current.trend, STRONG))
        return said_of(self.scene.look, count, *trend)

    def _behind(self) -> str:
        """Return behind what the worst stands: the network of interest, where another one is worse than that."""
        first = next((each.figures for each in self._lines), None)
        if first is None or first.name != self.around.settings.network:
            return ""
        is_outranked = any(each.figures.severity.rank > first.severity.rank for each in self._lines)
        return f" after {first.name}" if is_outranked else ""

    _has_trends = False
