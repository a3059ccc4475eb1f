"""Lines for any terminal, pipe or file: nothing in them acts on a terminal, and what cannot be encoded is escaped."""

import sys
from collections.abc import Iterable
from typing import TextIO

from console.text import clean

LINE_LIMIT = 4_000


def progress(sentence: str) -> None:
    """Write what the program waits for to standard error."""
    say((f"vipconsole: {sentence}",), sys.stderr)


def say(lines: Iterable[str], stream: TextIO | None = None) -> None:
    """Write lines at once, to standard output unless another stream is given."""
    out = sys.stdout if stream is None else stream
    encoding = out.encoding or "ascii"
    for line in lines:
        out.write(clean(line, LINE_LIMIT).encode(encoding, "backslashreplace").decode(encoding) + "\n")
    out.flush()
