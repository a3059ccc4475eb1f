"""`vipconsole doctor`: what works on this host and what does not, with the command that mends it."""

import os
import sys
from argparse import Namespace
from collections.abc import Iterator
from contextlib import ExitStack
from ipaddress import IPv4Network

from console.clock import SystemClock
from console.doctor.examination import examine
from console.doctor.settings import examine_settings
from console.doctor.values import DoctorArea, Examination, Patient, passed, warned, worst
from console.errors import RunbookError, UsageError
from console.journal.reader import DaemonLog
from console.runbook.language.file import read_runbook
from console.runbook.language.source import default_runbook, shipped_runbook
from console.settings import Settings
from console.storage.state import state_folder
from console.swarm.address import resolve_host
from console.swarm.client import EngineConnection
from console.swarm.reader import EngineReader
from console.text import clean
from screens.cli.commands.console import can_show
from screens.cli.common import (
    connect,
    engine_and_log,
    journal_for,
    nodes_for,
    own_settings_file,
    result_of,
    settings_files,
)
from screens.output.doctor import as_json, lines
from screens.output.plain import say, size_of

SMALLEST = (80, 24)
_SUBNET = "subnet"
"""The variable of the runbook that holds what the network is to get."""


def run(arguments: Namespace) -> int:
    """Examine everything, print what was found, and return the exit code of the worst of it."""
    settings, of_settings = examine_settings(settings_files(), arguments.config, own_settings_file())
    host, of_engine = _examine_engine(arguments, settings)
    examinations = (*of_engine, *of_settings, *_examine_terminal())
    if arguments.json:
        sys.stdout.write(as_json(examinations, host))
    else:
        say(lines(examinations, shows_all=arguments.all))
    return worst(examinations).exit_code


def _examine_engine(arguments: Namespace, settings: Settings) -> tuple[str, tuple[Examination, ...]]:
    with ExitStack() as stack:
        connection, log = _engine_and_log(arguments, settings, stack)
        state, at = state_folder(), SystemClock().now()
        if isinstance(connection, UsageError):
            patient = Patient(connection, log, state, _subnet(), settings, at)
            return "", result_of(examine(patient))
        nodes = nodes_for(arguments, connection, settings, keeps=False)
        patient = Patient(EngineReader(connection), log, state, _subnet(), settings, at, nodes)
        return connection.host, result_of(examine(patient))


def _engine_and_log(
    arguments: Namespace, settings: Settings, stack: ExitStack
) -> tuple[EngineConnection | UsageError, DaemonLog | UsageError]:
    """Return both doors, each until the stack is closed; one that cannot be opened keeps nothing else from being examined."""
    if arguments.demo:
        return stack.enter_context(engine_and_log(arguments, settings))
    connection: EngineConnection | UsageError
    try:
        connection = stack.enter_context(connect(resolve_host(arguments.host), settings))
    except UsageError as error:
        connection = error
    try:
        return connection, journal_for(arguments, settings)
    except UsageError as error:
        return connection, error


def _subnet() -> IPv4Network:
    """Return what this host's runbook gives the network, else what the shipped one does."""
    for path in (default_runbook(), shipped_runbook()):
        try:
            variables = {variable.name: variable.default for variable in read_runbook(path).variables}
            return IPv4Network(str(variables.get(_SUBNET, "")))
        except (RunbookError, ValueError):
            continue
    raise AssertionError("the shipped runbook has a subnet")


def _examine_terminal() -> Iterator[Examination]:
    area = DoctorArea.TERMINAL
    if not can_show():
        yield passed(
            area,
            "screen",
            "The console cannot be shown here: this is not a terminal, or it cannot move its cursor.",
            "`vipconsole glance` works anywhere.",
        )
        return
    columns, rows = size_of(sys.stdout)
    size = f"{columns}x{rows or 0}"
    if columns < SMALLEST[0] or (rows or 0) < SMALLEST[1]:
        yield warned(
            area,
            "screen",
            f"The terminal has {size} cells; the console wants 80x24.",
            "Make the window larger.",
        )
    else:
        yield passed(area, "screen", f"The terminal has {size} cells.")
    encoding = (sys.stdout.encoding or "").lower()
    if encoding.replace("-", "") != "utf8":
        yield warned(
            area,
            "characters",
            f"The terminal's encoding is {clean(encoding) or 'not known'}: bars and rules are drawn with plain characters.",
            "`export LC_ALL=C.UTF-8`, if the terminal can show UTF-8.",
        )
    else:
        yield passed(area, "characters", "The terminal takes UTF-8.")
    if os.environ.get("NO_COLOR"):
        yield passed(area, "colours", "NO_COLOR is set: nothing is coloured.")
    else:
        yield passed(
            area,
            "colours",
            f"TERM is {clean(os.environ.get('TERM', ''), 60)}. State is never told by colour alone.",
        )
