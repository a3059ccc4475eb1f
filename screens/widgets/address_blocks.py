"""The rows of a subnet larger than a /24: one for each block of 256 addresses."""

from bisect import bisect_left
from collections.abc import Hashable, Sequence

from console.addresses.map import AddressMap, Block
from screens.output.glyphs import UNICODE, Glyphs
from screens.views.addresses import block_parts
from screens.views.parts import DIM, MATCH, Parts, text_of
from screens.widgets.rows import RowView


class AddressBlocks(RowView):
    """All blocks of a subnet, in order; each opens as a map."""

    def __init__(self, glyphs: Glyphs = UNICODE, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own word
        super().__init__(id=id)
        self._glyphs = glyphs
        self._map: AddressMap | None = None
        self._matches: Sequence[int] | None = None

    @property
    def count(self) -> int:
        """How many blocks there are."""
        return self._map.blocks if self._map else 0

    def show(self, subnet: AddressMap, matches: Sequence[int] | None = None) -> None:
        """Show a subnet; with `matches`, addresses in order, blocks without any of them step back."""
        is_other = self._map is None or self._map.pool.subnet != subnet.pool.subnet
        self._map, self._matches = subnet, matches
        self.rows_changed(0 if is_other else self.cursor)

    def row(self, index: int) -> Parts:
        """Return what is known of a block."""
        if self._map is None:
            return ()
        block = self._map.block(index)
        parts = block_parts(block, self._glyphs)
        if self._matches is None:
            return parts
        hits = self._hits(block, self._matches)
        return (*parts, (f"  {hits} found", MATCH)) if hits else ((text_of(parts), DIM),)

    def key(self, index: int) -> Hashable:
        """Return the number of a block."""
        return index

    def _hits(self, block: Block, matches: Sequence[int]) -> int:
        first = int(block.first)
        return bisect_left(matches, first + block.size) - bisect_left(matches, first)
