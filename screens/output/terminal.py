"""The terminal that printed output goes to."""

import sys

from rich.console import Console, RenderableType

WIDTH_WITHOUT_TERMINAL = 110


def print_plainly(renderable: RenderableType) -> None:
    """Print text that has been cleaned: nothing in it is read as markup, and nothing guessed.

    Colour only on a terminal and without NO_COLOR; what cannot be encoded is written as an escape.
    """
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
    with console.capture() as captured:
        console.print(renderable)
    sys.stdout.write("".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))
