"""Rows of labels with a text beside them; on a narrow terminal the text stands below its labels. Loads Rich."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

LEAST_TEXT = 30
"""Below so many columns a text beside its labels is hard to read."""
INDENT = 4


@dataclass(frozen=True, slots=True)
class LabelRows:
    """Rows of labels, and a text for each row."""

    rows: Sequence[tuple[Sequence[Text], Text]]
    gap: int = 2

    def __rich_console__(self, _: Console, options: ConsoleOptions) -> RenderResult:
        if not self.rows:
            return
        count = max(len(labels) for labels, _ in self.rows)
        widths = [
            max((labels[place].cell_len for labels, _ in self.rows if place < len(labels)), default=0)
            for place in range(count)
        ]
        room = options.max_width - sum(width + self.gap for width in widths)
        longest_word = max(_longest_word(text) for _, text in self.rows)
        longest_text = max((line.cell_len for _, text in self.rows for line in text.split("\n")), default=0)
        if room >= min(max(longest_word, LEAST_TEXT), longest_text):
            yield self._side_by_side(count)
        else:
            for labels, text in self.rows:
                yield from self._stacked(labels, text)

    def _side_by_side(self, count: int) -> RenderableType:
        grid = Table.grid(padding=(0, self.gap, 0, 0))
        for _ in range(count):
            grid.add_column(no_wrap=True)
        grid.add_column()
        for labels, text in self.rows:
            grid.add_row(*labels, *([Text()] * (count - len(labels))), text)
        return grid

    def _stacked(self, labels: Sequence[Text], text: Text) -> RenderResult:
        visible_labels = [label for label in labels if label.plain]
        if visible_labels:
            yield Text("  ").join(visible_labels)
        yield Padding(text, (0, 0, 0, INDENT), expand=False)


def _longest_word(text: Text) -> int:
    return max((Text(word).cell_len for word in text.plain.split()), default=0)
