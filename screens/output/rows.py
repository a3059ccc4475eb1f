"""How text is printed: in which colours, and in rows of labels with a text beside them. Loads Rich.

On a narrow terminal the text of a row stands below its labels.
"""

from collections.abc import Mapping, Sequence

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from console.diagnosis.values import Severity
from console.frozen import frozen
from screens.present.header import SEVERITY_TONES
from screens.present.text import BAD, DIM, PLAIN, STRONG, UNKNOWN, WARN, Spans

STYLES: Mapping[str, str] = {
    PLAIN: "",
    DIM: "dim",
    STRONG: "bold",
    BAD: "bold red",
    WARN: "magenta",
    UNKNOWN: "magenta",
}
"""All colours that are printed, by tone. The background of the terminal is not known, and of its own colours red and magenta
alone can be read on black and on white: a mark or a word says whether what is magenta is a warning or unknown."""
SEVERITY_STYLES: Mapping[Severity, str] = {
    severity: STYLES[tone] for severity, tone in SEVERITY_TONES.items()
}
LEAST_TEXT = 30
"""Below so many columns a text beside its labels is hard to read."""
INDENT = 4


@frozen
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


def styled(spans: Spans) -> Text:
    """Return parts of a line as something to print. A tone that the console alone shows is plain."""
    return Text.assemble(*((text, STYLES.get(tone, "")) for text, tone in spans))


def _longest_word(text: Text) -> int:
    return max((Text(word).cell_len for word in text.plain.split()), default=0)
