"""What a census found as text that a person reads."""

from rich.columns import Columns
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from console.durations import stamp
from console.operations.census.values import Result
from console.text import plural
from screens.printed.census_talk import LEAKED, NOTHING, UNSURE, exit_code, headline, notes


def render_census(result: Result, *, is_kept: bool) -> RenderableType:
    """Return what a census found as something to print: verdict, addresses, notes, and how it was found."""
    word, rest = headline(result)
    style = {NOTHING: "green", LEAKED: "yellow", UNSURE: "magenta"}[exit_code(result)]
    parts: list[RenderableType] = [Text.assemble((word, style), "  ", (rest, "bold"))]
    if result.unaccounted:
        addresses = Columns([Text(str(each)) for each in result.unaccounted], padding=(0, 2))
        parts += ["", Padding(addresses, (0, 2), expand=False)]
    parts += [
        "",
        *(Text(each) for each in notes(result, is_kept=is_kept)),
        Text(_footer(result), style="dim"),
    ]
    return Padding(Group(*parts), (0, 1), expand=False)


def _footer(result: Result) -> str:
    steps = sum(each.steps for each in result.walks)
    walked = f"{plural(len(result.walks), 'walk')}, {plural(steps, 'step')}"
    return f"{walked}, took {result.took_s:.1f} s, as of {stamp(result.taken_at)}"
