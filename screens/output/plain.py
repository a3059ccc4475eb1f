"""Output for any terminal, pipe or file: no text in it controls a terminal, and what cannot be encoded is escaped."""

import json
import sys
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, TextIO

from console.text import clean
from screens.present.text import is_demo, typed_here

if TYPE_CHECKING:
    from rich.console import RenderableType

LINE_LIMIT = 4_000
WIDTH_WITHOUT_TERMINAL = 110


def progress(sentence: str) -> None:
    """Write what the program waits for to standard error."""
    say((f"vipconsole: {sentence}",), sys.stderr)


def say(lines: Iterable[str], stream: TextIO | None = None) -> None:
    """Write lines at once, to standard output unless another stream is given."""
    out = sys.stdout if stream is None else stream
    encoding = out.encoding or "ascii"
    for line in lines:
        out.write(
            clean(typed_here(line), LINE_LIMIT).encode(encoding, "backslashreplace").decode(encoding) + "\n"
        )
    out.flush()


def json_text(document: Mapping[str, Any], *, indent: int | None = 1) -> str:
    """Return an ASCII document with a newline at its end, in which every command can be typed as it stands."""
    return json.dumps(_typed_here(document) if is_demo() else document, indent=indent) + "\n"


def _typed_here(value: Any) -> Any:
    if isinstance(value, str):
        return typed_here(value)
    if isinstance(value, Mapping):
        return {key: _typed_here(item) for key, item in value.items()}
    return [_typed_here(item) for item in value] if isinstance(value, list | tuple) else value


def print_plainly(renderable: "RenderableType") -> None:
    """Print cleaned text: nothing in it is read as markup or highlighted by a guess.

    Colour only on a terminal and without NO_COLOR; what cannot be encoded is written as an escape.
    """
    # Lines and JSON do not wait for Rich.
    from rich.console import Console  # noqa: PLC0415 - see above

    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")
    console = Console(
        markup=False,
        emoji=False,
        highlight=False,
        width=None if sys.stdout.isatty() else WIDTH_WITHOUT_TERMINAL,
        legacy_windows=False,
    )
    if console.is_terminal:
        console.print(renderable)
        return
    with console.capture() as capture:
        console.print(renderable)
    sys.stdout.write("".join(f"{line.rstrip()}\n" for line in capture.get().splitlines()))
