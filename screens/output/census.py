"""The result of a census, as text and as JSON, and its progress."""

from collections.abc import Mapping
from typing import Any, TextIO

from rich.columns import Columns
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from console.addresses.leaks import how_it_could_go_stale
from console.durations import stamp
from console.operations.census_walk import CensusResult
from console.text import plural
from screens.output.plain import cut_line, encodable, json_text, size_of
from screens.output.rows import STYLES
from screens.present.text import STRONG, UNKNOWN, WARN

SCHEMA = "vipconsole.census/1"
NOTHING, LEAKED, UNSURE = 0, 1, 3
"""The exit codes of a census."""
TONES = {NOTHING: STRONG, LEAKED: WARN, UNSURE: UNKNOWN}


def exit_code(result: CensusResult) -> int:
    """Return 0 where nothing leaked, 1 where something did, 3 where that is not sure."""
    if not result.is_settled or (result.is_network_full and result.unaccounted):
        return UNSURE
    return LEAKED if result.leaked_at_least else NOTHING


def headline(result: CensusResult) -> tuple[str, str]:
    """Return the verdict as a word and as a sentence."""
    name = result.walkable.account.network.name
    count = plural(len(result.unaccounted), "address", "addresses")
    several = result.load_balancers_at_most
    balancers = f" or are other nodes' load balancers (at most {several})" if several else ""
    if result.is_network_full:
        if not result.unaccounted:
            return "FULL", f"every address of {name} has a holder; none leaked"
        return (
            "FULL",
            f"no address of {name} is free, so there was nothing to walk; {count} leaked{balancers}",
        )
    if not result.is_settled:
        return "UNSURE", f"at most {count} of {name} leaked{balancers}"
    if not result.unaccounted:
        return "NONE", f"no address of {name} leaked"
    if several:
        return (
            "LEAKED",
            f"{count} of {name} leaked, but up to {several} of these are other nodes' load balancers",
        )
    return "LEAKED", f"{count} of {name} leaked"


def notes(result: CensusResult, *, is_stored: bool) -> tuple[str, ...]:
    """Return what limits the verdict, each a sentence."""
    sentences = []
    if not result.is_settled:
        sentences.append(
            f"Addresses were taken and released all the time: after {len(result.walks)} walks, some of these may still be "
            "held. The result is not stored. `vipconsole quiet` waits for quiet."
        )
    if result.is_network_full and result.unaccounted:
        sentences.append(
            "A probe got no address. The result compares snapshots from before and after only, so it is not stored for glance."
        )
    if is_stored:
        refusal = how_it_could_go_stale(result.walkable.allocator, result.walkable.managers)
        sentences.append(
            "Stored for glance until dockerd restarts or the leader changes."
            + (f" {refusal}" if refusal else "")
        )
    if result.leaked_at_least:
        sentences.append("Leaked addresses are free again once the leader's allocator is rebuilt.")
    return tuple(sentences)


def render_census(result: CensusResult, *, is_stored: bool) -> RenderableType:
    """Return the result of a census as something to print: verdict, addresses, notes, and the walks."""
    parts: list[RenderableType] = [render_verdict(result)]
    if result.unaccounted:
        addresses = Columns([Text(str(address)) for address in result.unaccounted], padding=(0, 2))
        parts += ["", Padding(addresses, (0, 2), expand=False)]
    parts += [
        "",
        *(Text(note) for note in notes(result, is_stored=is_stored)),
        Text(_footer(result), style="dim"),
    ]
    return Padding(Group(*parts), (0, 1), expand=False)


def render_verdict(result: CensusResult) -> Text:
    """Return the verdict as something to print: a word, and a sentence."""
    word, rest = headline(result)
    return Text.assemble((word, STYLES[TONES[exit_code(result)]]), "  ", (rest, "bold"))


def _footer(result: CensusResult) -> str:
    steps = sum(walk.steps for walk in result.walks)
    summary = f"{plural(len(result.walks), 'walk')}, {plural(steps, 'step')}"
    return f"{summary}, took {result.took_s:.1f} s, as of {stamp(result.taken_at)}"


def as_json(result: CensusResult, code: int, *, is_stored: bool) -> str:
    """Return the result of a census as one JSON document, ASCII only, with a newline at its end.

    `code` is the exit code of the process.
    """
    account = result.walkable.account
    document: Mapping[str, Any] = {
        "schema": SCHEMA,
        "network": {"name": account.network.name, "id": account.network.id, "capacity": account.capacity},
        "taken_at": result.taken_at.isoformat(),
        "took_s": round(result.took_s, 3),
        "exit_code": code,
        "headline": headline(result)[1],
        "addresses": [str(address) for address in result.unaccounted],
        "load_balancers_at_most": result.load_balancers_at_most,
        "is_settled": result.is_settled,
        "is_full": result.is_network_full,
        "is_stored": is_stored,
        "walks": [{"visited": len(walk.addresses), "steps": walk.steps} for walk in result.walks],
        "notes": list(notes(result, is_stored=is_stored)),
    }
    return json_text(document)


class CensusProgress:
    """Shows on a terminal how far a census is, in place; writes nothing to a file or pipe."""

    def __init__(self, stream: TextIO, environment: Mapping[str, str]) -> None:
        self._stream = stream
        self._is_terminal = stream.isatty() and environment.get("TERM") != "dumb"
        self._has_written = False

    def update(self, walk: int, steps: int, about: int) -> None:
        """Show the number of the walk, and how many of its steps are done."""
        if not self._is_terminal:
            return
        self._has_written = True
        line = cut_line(f"walk {walk}: step {steps} of about {about}", size_of(self._stream)[0] - 1)
        # To the line's beginning, the line, and clear what is left of the one before.
        self._stream.write(f"\r{encodable(line, self._stream)}\x1b[K")
        self._stream.flush()

    def end(self) -> None:
        """Clear the line."""
        if self._has_written:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
