"""Lines shared between what stands below each other: each gets what it needs, and by weight where there are too few."""

from collections.abc import Sequence

from textual.containers import Vertical
from textual.geometry import NULL_OFFSET, NULL_SPACING, Region, Size
from textual.layout import ArrangeResult, Layout, WidgetPlacement
from textual.widget import Widget

from screens.tui.widgets.pane import Pane

AT_LEAST = 2
"""Lines of a pane that has something to show: its title, and the worst."""


def share(room: int, wanted: Sequence[int], weights: Sequence[int]) -> list[int]:
    """Return how many of so many lines each gets: no more than it wants, and by weight where they are too few."""
    given = [min(lines, AT_LEAST) for lines in wanted]
    while sum(given) < room:
        hungry = [place for place, lines in enumerate(wanted) if given[place] < lines]
        if not hungry:
            break
        given[min(hungry, key=lambda place: given[place] / weights[place])] += 1
    return given


class FairLayout(Layout):
    """Lays panes out below each other; the last one has what nobody needs."""

    name = "fair"

    def arrange(
        self,
        parent: Widget,
        children: list[Widget],
        size: Size,
        greedy: bool = True,  # noqa: FBT001, FBT002 - Textual's own
    ) -> ArrangeResult:
        """Return where each pane that is shown is."""
        del greedy
        parent.pre_layout(self)
        panes = [child for child in children if isinstance(child, Pane)]
        heights = share(size.height, [pane.wanted_height(size.width) for pane in panes], [1] * len(panes))
        placements, y = [], 0
        for pane, height in zip(panes, heights, strict=True):
            lines = size.height - y if pane is panes[-1] else height
            region = Region(0, y, size.width, lines)
            placements.append(WidgetPlacement(region, NULL_OFFSET, NULL_SPACING, pane))
            y += lines
        return placements


class SharedLines(Widget):
    """Holds panes that share its lines by what they show."""

    def share_again(self) -> None:
        """Lay the panes out again if one of them would be elsewhere now.

        What they show changes all the time in a busy swarm, where they are hardly ever: to look costs a tenth of a layout.
        Nothing is painted for it: what moves or gets another size is painted by Textual.
        """
        shown = [child for child in self.children if child.display]
        for placement in self.layout.arrange(self, shown, self.size):
            if placement.widget.virtual_region != placement.region:
                # Asked of the pane: what its parent remembers of the last layout is forgotten only so.
                placement.widget.refresh(repaint=False, layout=True)
                return


class FairVertical(Vertical, SharedLines):
    """Holds panes below each other."""

    @property
    def layout(self) -> Layout:
        """Its own way to lay them out: the style sheet has none that knows what a pane shows."""
        return FAIR_LAYOUT


FAIR_LAYOUT = FairLayout()
