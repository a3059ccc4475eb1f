"""Where the panes of the overview are: each as high as what it shows, and what one leaves free another has."""

from collections.abc import Mapping, Sequence

from textual.geometry import NULL_OFFSET, NULL_SPACING, Region, Size
from textual.layout import ArrangeResult, Layout, WidgetPlacement
from textual.widget import Widget

from screens.tui.panes.lists import FindingsPane, JournalPane, MonitorPane, QuietPane, RunPane
from screens.tui.panes.overlays import Overlays
from screens.tui.widgets.fair import AT_LEAST, SharedLines, share

WEIGHTS: Mapping[type[Widget], int] = {Overlays: 8, FindingsPane: 7, JournalPane: 4, QuietPane: 5, RunPane: 2}
"""What part of the lines each pane has where there are too few for all."""
USUAL_WEIGHT = 4
"""Of any other pane."""
OWN_PLACES = (Overlays, FindingsPane, JournalPane, QuietPane, RunPane)
"""The panes that `_arrange` places one by one; any other stands below quiescence."""
FINDINGS_AT_LEAST, FINDINGS_ENOUGH = 45, 60
"""Columns beside the overlays; with fewer, findings stand below, or take those of the trends."""


def _weights(panes: Sequence[MonitorPane]) -> list[int]:
    return [WEIGHTS.get(type(pane), USUAL_WEIGHT) for pane in panes]


def _below_each_other(panes: Sequence[MonitorPane], at: Region) -> list[tuple[MonitorPane, Region]]:
    heights = share(at.height, [pane.wanted_height(at.width) for pane in panes], _weights(panes))
    placed, y = [], at.y
    for pane, height in zip(panes, heights, strict=True):
        placed.append((pane, Region(at.x, y, at.width, height)))
        y += height
    return placed


class OverviewLayout(Layout):
    """Lays the panes out for the size of the screen and for what they show.

    Overlays and findings stand side by side where the names of networks are whole in that.
    """

    name = "overview"

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
        panes = {type(child): child for child in children if isinstance(child, MonitorPane)}
        whole = Region(0, 0, size.width, size.height)
        placed = [(pane, whole) for pane in panes.values()] if len(panes) <= 1 else _arrange(panes, whole)
        return [WidgetPlacement(region, NULL_OFFSET, NULL_SPACING, pane) for pane, region in placed]


def _arrange(
    panes: Mapping[type[MonitorPane], MonitorPane], whole: Region
) -> list[tuple[MonitorPane, Region]]:
    overlays, run = panes[Overlays], panes[RunPane]
    findings, journal, quiet = panes[FindingsPane], panes[JournalPane], panes[QuietPane]
    more = [pane for kind, pane in panes.items() if kind not in OWN_PLACES]
    wanted_width, most_width = (
        (overlays.wanted_width, overlays.most_width) if isinstance(overlays, Overlays) else (0, 0)
    )
    if overlays.screen.has_class("-wide") and whole.width - 1 - wanted_width >= FINDINGS_AT_LEAST:
        run_height = min(run.wanted_height(whole.width), max(AT_LEAST, whole.height // 6))
        most_width = min(most_width, whole.width - 1 - FINDINGS_ENOUGH)
        left_width = max(wanted_width, most_width, whole.width // 2)
        height = whole.height - run_height
        left = Region(0, 0, left_width, height)
        right = Region(left_width + 1, 0, whole.width - left_width - 1, height)
        # Beside more overlays than there are lines, all else stands on the other side if it has room there.
        others = (findings, journal, quiet, *more)
        has_room = sum(pane.wanted_height(right.width) for pane in others) <= height
        on_left, on_right = (
            ((overlays,), others) if has_room else ((overlays, journal), (findings, quiet, *more))
        )
        return [
            *_below_each_other(on_left, left),
            *_below_each_other(on_right, right),
            (run, Region(0, height, whole.width, run_height)),
        ]
    left_width = (whole.width - 1) * 11 // 20
    right_width = whole.width - 1 - left_width
    rows = (overlays, findings, quiet, *more, run)
    wanted = [pane.wanted_height(whole.width) for pane in rows]
    wanted[2] = max(journal.wanted_height(left_width), quiet.wanted_height(right_width))
    heights = share(whole.height, wanted, _weights(rows))
    below_findings = heights[0] + heights[1]
    below_quiet = Region(0, below_findings + heights[2], whole.width, sum(heights[3:-1]))
    return [
        (overlays, Region(0, 0, whole.width, heights[0])),
        (findings, Region(0, heights[0], whole.width, heights[1])),
        (journal, Region(0, below_findings, left_width, heights[2])),
        (quiet, Region(left_width + 1, below_findings, right_width, heights[2])),
        *_below_each_other(more, below_quiet),
        (run, Region(0, whole.height - heights[-1], whole.width, heights[-1])),
    ]


class OverviewPanes(SharedLines):
    """Holds the panes."""

    @property
    def layout(self) -> Layout:
        """Its own way to lay them out: the style sheet has none that knows what a pane shows."""
        return OVERVIEW_LAYOUT


OVERVIEW_LAYOUT = OverviewLayout()
