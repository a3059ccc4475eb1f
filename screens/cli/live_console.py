"""Opens the live console over an engine, or over the demo's."""

import os
import shlex
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from console.clock import Clock, SystemClock
from console.durations import LOCAL
from console.monitor.monitor import Monitor, Sources
from console.settings import Settings
from console.storage.state import state_folder
from console.swarm.address import resolve_host
from console.text import clean
from screens.cli.common import (
    connect,
    demo_log,
    is_simulated,
    journal_for,
    read_settings,
    refuse_host,
)
from screens.present.text import glyphs_for

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from console.errors import Unknown
    from console.runbook.run.view import StoredRun
    from screens.tui.run_follower import Decider

FOR_SLOW_LINES = {
    "TEXTUAL_ANIMATIONS": "none",
    "TEXTUAL_SMOOTH_SCROLL": "0",
    "TEXTUAL_FPS": "30",
}
"""What Textual reads when it is loaded."""


def run_console(arguments: Namespace, hand_over: Callable[[], None]) -> int:
    """Show the console until the operator quits, and return its exit code; `hand_over` is what a first frame gives."""
    settings = read_settings(arguments)
    where = (
        f"DOCKER_HOST={shlex.quote(arguments.host)} " if arguments.host else "",
        " --demo" if is_simulated(arguments) else "",
    )
    with _sources(arguments, settings) as sources:
        return open_console(sources, settings, where, hand_over)


def open_console(
    sources: Sources,
    settings: Settings,
    where: tuple[str, str],
    hand_over: Callable[[], None],
    decider: "Decider | None" = None,
) -> int:
    """Show the console until the operator quits, and return its exit code.

    `where` is what a command needs before and after it to reach the same engine; `hand_over` is what a first frame gives.
    With a decider, the console opens at
    the decider's run and takes decisions about it.
    """
    for name, value in FOR_SLOW_LINES.items():
        os.environ.setdefault(name, value)
    monitor = Monitor(sources, settings)
    # It asks the engine while Textual is loaded.
    monitor.begin()
    from screens.tui.app import ConsoleApp, OwnRun
    from screens.tui.environment import ConsoleEnvironment
    from screens.tui.terminal import show

    environment = ConsoleEnvironment(
        settings,
        clean(sources.connection.host),
        glyphs_for(os.environ),
        LOCAL,
        SystemClock(),
        where,
        may_decide=decider is not None,
    )
    hand_over()
    if decider is not None:
        from screens.tui.run_follower import follow_run

        runs = partial(follow_run, decider.folder, environment.clock)
        return show(partial(ConsoleApp, monitor, environment, runs, OwnRun(decider.folder.name, decider)))
    # Without permission to read the stored runs, and in the demo, no run is shown.
    stored_runs = None if sources.state is None else partial(_stored_runs, sources.state, environment.clock)
    return show(partial(ConsoleApp, monitor, environment, stored_runs))


def _stored_runs(state: Path, clock: Clock) -> "AsyncGenerator[StoredRun | Unknown, None]":
    # The console asks for them after its first data, and loads this before.
    from screens.tui.run_follower import follow_runs

    return follow_runs(state, clock)


@contextmanager
def _sources(arguments: Namespace, settings: Settings) -> Iterator[Sources]:
    if not arguments.demo:
        with connect(resolve_host(arguments.host), settings) as connection:
            yield Sources(connection, journal_for(arguments, settings), state_folder())
        return
    refuse_host(arguments)
    from console.simulator.demo import living_demo

    with living_demo() as demo, connect(demo.host, settings) as connection:
        # The demo's swarm is a new one every time: nothing in the store is about it.
        yield Sources(connection, demo_log(arguments, settings, demo.journal), None, demo.state)
