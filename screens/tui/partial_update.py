"""A repaint that sends only what changed: Textual's own sends every line of a widget from the line's beginning."""

from rich.console import Console
from rich.control import Control
from textual._compositor import ChopsUpdate


class PartialUpdate(ChopsUpdate):
    """Sends the columns that were to be repainted, and nothing left of them."""

    @classmethod
    def of(cls, update: ChopsUpdate) -> "PartialUpdate":
        """Return the same repaint, sent in this way."""
        return cls(update.chops, update.spans, update.chop_ends)

    def render_segments(self, console: Console) -> str:
        """Return what is written to the terminal."""
        pieces: list[str] = []
        for y, begin, end in self.spans:
            # A line consists of pieces of widgets; each has the column where it begins, and the one where it ends.
            for piece_end, (piece_begin, strip) in zip(
                self.chop_ends[y], self.chops[y].items(), strict=False
            ):
                left, right = max(piece_begin, begin), min(piece_end, end)
                if strip is None or left >= right:
                    continue
                text = strip.crop(left - piece_begin, right - piece_begin).render(console)
                pieces += (Control.move_to(left, y).segment.text, text)
        return "".join(pieces)
