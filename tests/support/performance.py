"""The figures of docs/performance.md: kept as JSON by the benchmarks, shown as tables and as a picture."""

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.support.line_chart import Line, line_chart
from tests.support.png import CannotDrawError, png_of

DOCS = Path(__file__).parents[2] / "docs"
FIGURES = DOCS / "performance.json"
PICTURE = DOCS / "pictures" / "performance.png"
SIZES = (50, 200, 1000, 5000)
"""Services; each has two tasks."""
FULL = 60_000
"""Tasks of 5,000 services on the /16 that is nearly full."""
NOT_COUNTING, COUNTING = "1.51", "1.52"
"""API versions of engines that do not count addresses, and of those that do."""
COMMANDS = ("glance", "why", "quiet", "history")
IN_A_FULL_SWARM = ("glance", "why")
CONSOLE = ("first data", "map of addresses", "search in the map")
IN_THE_PICTURE = ("glance", "why", "quiet", "history")
DRAWN_API = NOT_COUNTING


@dataclass(frozen=True)
class Figure:
    """What something takes at one size, beside its floor of the same run."""

    name: str
    """A command, or what a console does."""
    api: str
    services: int
    tasks: int
    rounds: int
    """Of which the medians are taken."""
    passed_s: float
    busy_s: float
    """Of a processor; 0 where only what passes is measured."""
    memory_mb: float
    floor_s: float
    floor_busy_s: float
    floor_mb: float
    shell_s: float = 0.0
    """By the shell, one `docker service inspect` a service; 0 where it was not measured."""

    @property
    def key(self) -> tuple[str, str, int, int]:
        """What is measured."""
        return self.name, self.api, self.services, self.tasks


@dataclass(frozen=True)
class Measurement:
    """The figures of one run, and on what they were measured."""

    cores: int
    memory_gb: float
    python: str
    load: float
    """How many processes wanted a processor on average while it was measured, its own included."""
    figures: tuple[Figure, ...]

    def find(self, name: str, api: str, services: int, tasks: int = 0) -> Figure:
        """Return one figure; raise LookupError where it was not measured."""
        wanted = (name, api, services, tasks or 2 * services)
        for figure in self.figures:
            if figure.key == wanted:
                return figure
        raise LookupError(f"{wanted} was not measured")


def write_figures(measurement: Measurement, path: Path = FIGURES) -> None:
    """Keep the figures of a run, rounded to what is worth reading."""
    document = {
        **asdict(measurement),
        "figures": [
            {
                name: round(value, 4) if isinstance(value, float) else value
                for name, value in asdict(figure).items()
            }
            for figure in measurement.figures
        ],
    }
    lines = json.dumps(document["figures"]).replace("}, {", "},\n    {")
    rest = {name: value for name, value in document.items() if name != "figures"}
    text = json.dumps(rest, indent=2).removesuffix("\n}")
    path.write_text(f'{text},\n  "figures": {lines}\n}}\n', "utf-8")


def read_figures(path: Path = FIGURES) -> Measurement:
    """Return the figures of the last run."""
    document: dict[str, Any] = json.loads(path.read_text("utf-8"))
    rows = document.pop("figures")
    return Measurement(**document, figures=tuple(Figure(**row) for row in rows))


def page(measurement: Measurement | None = None) -> str:
    """Return the generated part of docs/performance.md."""
    measured = measurement or read_figures()
    return "\n\n".join(
        (
            _conditions(measured),
            "## One snapshot, beside the shell",
            _table(
                ("services", "engine", "floor", "`glance`", "x floor", "shell", "x faster"),
                _beside_shell(measured),
            ),
            "## Commands by size",
            _table(
                ("command", "engine", *(f"{size:,}" for size in SIZES), "floor at 5,000"), _by_size(measured)
            ),
            "## Processor and memory by size",
            _table(
                (
                    "command",
                    *(f"{size:,}" for size in SIZES),
                    "floor at 5,000",
                    "for each 1,000 services more",
                ),
                _memory(measured),
            ),
            "## A /16 that is nearly full",
            _table(("command", "takes", "processor", "memory", "floor", "x floor"), _full(measured)),
            "## The console",
            _table(("what", *(f"{size:,}" for size in SIZES), "floor"), _console(measured)),
        )
    )


def _conditions(measured: Measurement) -> str:
    rounds = sorted({figure.rounds for figure in measured.figures})
    text = (
        f"Measured on a machine with {measured.cores} cores and {measured.memory_gb:.0f} GB of memory, with Python "
        f"{measured.python}, in {_rounds(rounds)}, while on average {measured.load:.1f} processes wanted a core."
    )
    if measured.load > 2 * measured.cores:
        # It also starts the engine and what is measured itself.
        text += " Other work went on meanwhile: what passed is longer than on a quiet machine, and uneven. Processor and memory tell more."
    return text


def _rounds(counts: Sequence[int]) -> str:
    return "one round each" if list(counts) == [1] else f"{counts[0]} to {counts[-1]} rounds"


def _engine(api: str) -> str:
    return "counts" if api == COUNTING else "does not count"


def _beside_shell(measured: Measurement) -> Iterator[tuple[str, ...]]:
    for size in SIZES:
        for api in (NOT_COUNTING, COUNTING):
            figure = measured.find("glance", api, size)
            # The shell asks for no counts.
            shell = measured.find("glance", NOT_COUNTING, size).shell_s
            yield (
                f"{size:,}",
                _engine(api),
                _seconds(figure.floor_s),
                _seconds(figure.passed_s),
                f"{figure.passed_s / figure.floor_s:.2f}",
                _seconds(shell) if shell else "",
                f"{shell / figure.passed_s:.0f}" if shell else "",
            )


def _by_size(measured: Measurement) -> Iterator[tuple[str, ...]]:
    for name in (*COMMANDS, "census"):
        for api in (NOT_COUNTING, COUNTING)[: 1 if name == "census" else 2]:
            figures = [measured.find(name, api, size) for size in SIZES]
            yield (
                f"`{name}`",
                _engine(api),
                *(
                    f"{_seconds(figure.passed_s)} ({figure.passed_s / figure.floor_s:.2f} x)"
                    for figure in figures
                ),
                _seconds(figures[-1].floor_s),
            )


def _memory(measured: Measurement) -> Iterator[tuple[str, ...]]:
    for name in (*COMMANDS, "census"):
        figures = [measured.find(name, NOT_COUNTING, size) for size in SIZES]
        first, last = figures[0], figures[-1]
        thousands = (last.services - first.services) / 1000
        yield (
            f"`{name}`",
            *(
                f"{_seconds(figure.busy_s)} ({figure.busy_s / figure.floor_busy_s:.2f} x), {figure.memory_mb:.0f} MB"
                for figure in figures
            ),
            f"{_seconds(last.floor_busy_s)}, {last.floor_mb:.0f} MB",
            (
                f"{_seconds((last.busy_s - first.busy_s) / thousands)}, "
                f"{(last.memory_mb - first.memory_mb) / thousands:.0f} MB"
            ),
        )


def _full(measured: Measurement) -> Iterator[tuple[str, ...]]:
    for name in IN_A_FULL_SWARM:
        figure = measured.find(name, NOT_COUNTING, SIZES[-1], FULL)
        yield (
            f"`{name}`",
            _seconds(figure.passed_s),
            _seconds(figure.busy_s),
            f"{figure.memory_mb:.0f} MB",
            _seconds(figure.floor_s),
            f"{figure.passed_s / figure.floor_s:.2f}",
        )


def _console(measured: Measurement) -> Iterator[tuple[str, ...]]:
    for name in CONSOLE:
        figures = [measured.find(name, NOT_COUNTING, size) for size in SIZES]
        floor_s = figures[-1].floor_s
        yield (name, *(_seconds(figure.passed_s) for figure in figures), _seconds(floor_s) if floor_s else "")
    figures = [measured.find(CONSOLE[0], NOT_COUNTING, size) for size in SIZES]
    yield ("memory", *(f"{figure.memory_mb:.0f} MB" for figure in figures), f"{figures[-1].floor_mb:.0f} MB")


def _seconds(seconds: float) -> str:
    if seconds < 0.1:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.0f} s"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ("---", *("---:" for _ in head[1:])), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def picture(measurement: Measurement) -> str:
    """Return the picture as SVG: seconds over services; a straight line is linear on both logarithmic axes."""

    def points(values: Mapping[int, float]) -> tuple[tuple[float, float], ...]:
        return tuple((float(size), value) for size, value in values.items() if value)

    glances = {size: measurement.find("glance", DRAWN_API, size) for size in SIZES}
    lines = [
        Line("shell", points({size: figure.shell_s for size, figure in glances.items()}), is_reference=True),
        *(
            Line(name, points({size: measurement.find(name, DRAWN_API, size).passed_s for size in SIZES}))
            for name in IN_THE_PICTURE
        ),
        Line("floor", points({size: figure.floor_s for size, figure in glances.items()}), is_reference=True),
    ]
    return line_chart("seconds, from the start of a command to its end", "services", lines)


def write(docs: Path = DOCS) -> None:
    """Write the page and the picture from the figures of the last run."""
    from tests.support.reference import renewed  # noqa: PLC0415 - it takes the page from here

    path = docs / "performance.md"
    path.write_text(renewed(path.read_text("utf-8"), page()), "utf-8")
    PICTURE.write_bytes(png_of(picture(read_figures())))


if __name__ == "__main__":
    try:
        write()
    except CannotDrawError as error:
        sys.exit(f"The picture is not drawn. {error}")
