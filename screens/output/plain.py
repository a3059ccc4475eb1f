"""Output for any terminal, pipe or file: no text in it controls a terminal, and what cannot be encoded is escaped.

Lines are as wide as the terminal, else as COLUMNS says, else 80 columns. Words are never broken.
"""

import json
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TextIO

from console.text import clean
from screens.present.text import is_demo, typed_here

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

LINE_LIMIT = 4_000
WIDTH_WITHOUT_TERMINAL, LINES_WITHOUT_TERMINAL = 80, 25
NARROWEST = 20
WIDEST_HANG = 24
"""A longer label does not move the lines after the first."""
PROMPT = 2
"""Lines of a terminal for the line before the output and the shell's prompt."""
_COMMAND = re.compile(r"(?:(?:Next|Evidence) +)? *(?:vipconsole|docker) [a-z-]+ ")
_LABEL = re.compile(r"(?:[0-9:]{8} |-{8} )? *(?:\S+(?: \S+){0,2}  +|- )?")


def size_of(stream: TextIO) -> tuple[int, int | None]:
    """Return columns and lines: the terminal's, else those of COLUMNS and LINES, else 80 columns and no limit of lines."""
    columns, lines = 0, 0
    if stream.isatty():
        # A serial line may know neither.
        columns, lines = os.get_terminal_size(stream.fileno())
    columns = columns or _number("COLUMNS") or WIDTH_WITHOUT_TERMINAL
    return max(columns, NARROWEST), lines or _number("LINES") or None


def _number(variable: str) -> int:
    text = os.environ.get(variable, "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 6 else 0


def wrap_line(line: str, width: int) -> Iterator[str]:
    """Yield a line in lines of this width, wrapped at words; those after the first hang below its text.

    A word that is longer stays whole. So does a line that is a command: it must be possible to paste it.
    """
    if len(line) <= width or _COMMAND.match(line):
        yield line
        return
    # Most lines fit.
    from textwrap import wrap  # noqa: PLC0415 - see above

    label = _LABEL.match(line)
    indent = len(line) - len(line.lstrip(" ")) + 2
    hang = label.end() if label else 0
    yield from wrap(
        line,
        width,
        subsequent_indent=" " * (hang if 0 < hang <= min(WIDEST_HANG, width // 2) else indent),
        break_long_words=False,
        break_on_hyphens=False,
    )


def progress(sentence: str) -> None:
    """Write what the program waits for to standard error."""
    say((f"vipconsole: {sentence}",), sys.stderr)


def say(lines: Iterable[str], stream: TextIO | None = None, *, wraps: bool = True) -> None:
    """Write lines at once, to standard output unless another stream is given; wrapped, unless a program reads them."""
    out = sys.stdout if stream is None else stream
    width, _ = size_of(out)
    for line in lines:
        text = clean(typed_here(line), LINE_LIMIT)
        for part in wrap_line(text, width) if wraps else (text,):
            out.write(f"{encodable(part, out)}\n")
    out.flush()


def json_text(document: Mapping[str, Any]) -> str:
    """Return an ASCII document in which every command can be typed as it stands: a line for each part, and each row of a list."""
    parts = (f" {json.dumps(key)}: {_part(value)}" for key, value in _shown(document).items())
    return "{\n" + ",\n".join(parts) + "\n}\n"


def json_line(document: Mapping[str, Any]) -> str:
    """Return the same in one line."""
    return json.dumps(_shown(document)) + "\n"


def _part(value: Any) -> str:
    # Not `indent`: with it the library leaves its C code, and a list of a thousand services takes ten times as long.
    if isinstance(value, list | tuple) and value:
        return "[\n" + ",\n".join(f"  {json.dumps(row)}" for row in value) + "\n ]"
    if isinstance(value, dict) and value and all(isinstance(row, dict) for row in value.values()):
        rows = (f"  {json.dumps(key)}: {json.dumps(row)}" for key, row in value.items())
        return "{\n" + ",\n".join(rows) + "\n }"
    return json.dumps(value)


def _shown(document: Mapping[str, Any]) -> Mapping[str, Any]:
    shown: Mapping[str, Any] = _typed_here(document) if is_demo() else document
    return shown


def _typed_here(value: Any) -> Any:
    if isinstance(value, str):
        return typed_here(value)
    if isinstance(value, Mapping):
        return {key: _typed_here(item) for key, item in value.items()}
    return [_typed_here(item) for item in value] if isinstance(value, list | tuple) else value


def cut_line(line: str, width: int) -> str:
    """Return a line that is no longer than this; what is cut ends in `…`."""
    return line if len(line) <= width else f"{line[: width - 1].rstrip()}…"


def encodable(text: str, stream: TextIO) -> str:
    """Return a text that a stream can write: what its encoding does not have is an escape."""
    encoding = stream.encoding or "ascii"
    try:
        "…".encode(encoding)
    except UnicodeEncodeError:
        text = text.replace("…", "...")
    return text.encode(encoding, "backslashreplace").decode(encoding)


def print_plainly(
    renderable: "RenderableType",
    verdict: "RenderableType | None" = None,
    shorter: "Sequence[RenderableType]" = (),
) -> None:
    """Print cleaned text: nothing in it is read as markup or highlighted by a guess.

    Colour only on a terminal and without NO_COLOR; what cannot be encoded is written as an escape. Where the lines of a
    terminal are too few for it, the first of `shorter` that fits is printed, else the last one. The verdict, the first
    line, stands last again if it has scrolled out of sight on a terminal.
    """
    # Lines and JSON do not wait for Rich.
    from rich.console import Console  # noqa: PLC0415 - see above

    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")
    width, height = size_of(sys.stdout)
    console = Console(
        markup=False,
        emoji=False,
        highlight=False,
        width=width,
        # Else rich reads LINES and COLUMNS itself, and takes what is no number, such as `²`, for one.
        height=height or LINES_WITHOUT_TERMINAL,
        # Else FORCE_COLOR would put colours into files and pipes.
        force_terminal=sys.stdout.isatty(),
        legacy_windows=False,
    )
    lines: list[str] = []
    for candidate in (renderable, *shorter):
        lines = _lines(console, candidate)
        if height is None or len(lines) <= height - PROMPT:
            break
    if verdict is not None and console.is_terminal and height is not None and len(lines) > height - PROMPT:
        lines += ["", *_lines(console, verdict)]
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


def _lines(console: "Console", renderable: "RenderableType") -> list[str]:
    with console.capture() as capture:
        # What is too long for its place is cut with a sign, not broken.
        console.print(renderable, overflow="ellipsis")
    lines = capture.get().split("\n")[:-1]
    return [encodable(line if console.is_terminal else line.rstrip(), sys.stdout) for line in lines]
