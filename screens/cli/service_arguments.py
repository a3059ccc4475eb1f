"""The arguments of what systemd starts, the guard and the recorder, and of the alerts that the recorder sends."""

import argparse
import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from console.frozen import frozen
from screens.cli.run_arguments import Adder, ParserFactory

HIGHEST_PORT = 65_535
_ADDRESS = re.compile(
    r"(?:\[(?P<v6>[0-9A-Fa-f:.]+(?:%[\w.-]+)?)\]|(?P<host>[\w.-]+)):(?P<port>[0-9]{1,5})", re.ASCII
)


@frozen
class Address:
    """Where to listen."""

    host: str
    port: int
    """0 stands for any free port."""

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def listen_address(text: str) -> Address:
    """Return an address such as `127.0.0.1:9798` or `[::1]:9798`."""
    match = _ADDRESS.fullmatch(text)
    if match is None or int(match["port"]) > HIGHEST_PORT:
        raise argparse.ArgumentTypeError(f"{text!a} is not HOST:PORT, such as 127.0.0.1:9798 or [::1]:9798")
    return Address(match["v6"] or match["host"], int(match["port"]))


def service_commands(common: ParserFactory) -> Mapping[str, Adder]:
    """Return what adds the commands; `common` makes the parser of the options that they share with others."""
    return {
        "guard": partial(_add_guard, common),
        "record": partial(_add_record, common),
        "alert": partial(_add_alert, common),
    }


def _add_guard(common: ParserFactory, commands: Any) -> None:
    guard = commands.add_parser(
        "guard",
        parents=[common()],
        help="the safety net before a batch of deploys: checks, decides, and repairs if needed and allowed",
        description="Says whether a batch of deploys may start. If addresses are exhausted and the leaked ones would be "
        "enough, it borrows a second manager for some seconds, or restarts the docker unit once, if allowed. It removes "
        "overlays that nobody uses.",
        epilog="Exit codes: 0 go, 1 go with a note, 2 do not start, 3 unknown, 64 wrong usage, 130 interrupted.",
    )
    guard.add_argument(
        "--need",
        metavar="N",
        type=_count,
        help="how many addresses the batch needs (a service with one task: 2)",
    )
    guard.add_argument(
        "--dry-run", action="store_true", help="print what would be done and why; change nothing"
    )
    guard.add_argument(
        "--allow-restart",
        action="store_true",
        help="allow a restart of the docker unit (guard.allow_restart)",
    )
    guard.add_argument(
        "--allow-borrow",
        action="store_true",
        help="allow a second manager to be borrowed for some seconds; it comes before a restart (guard.allow_borrow)",
    )
    guard.add_argument("--no-prune", action="store_true", help="do not remove unused overlays this time")
    guard.add_argument("--json", action="store_true", help="everything, as one JSON document")
    guard.add_argument(
        "--prometheus",
        metavar="FILE",
        type=Path,
        help="write metrics for a textfile collector to this file, atomically",
    )
    guard.set_defaults(time_passes=True)


def _add_record(common: ParserFactory, commands: Any) -> None:
    record = commands.add_parser(
        "record",
        parents=[common()],
        help="keep what happens while no console is open: use of networks, leaks, deploys, failures, restarts, findings",
        description="Watches the swarm in the foreground and keeps what happens, until a signal ends it. It changes nothing "
        "in the swarm. Consoles, `glance` and `history` read what it keeps. One recorder is enough for a state directory.",
        epilog="Exit codes: 0 ended by a signal, 3 another recorder is at work, or the state directory cannot be used.",
    )
    record.add_argument(
        "--listen",
        metavar="HOST:PORT",
        type=listen_address,
        help="serve metrics for Prometheus here, such as 127.0.0.1:9798 or [::1]:9798; default: nowhere",
    )


def _add_alert(common: ParserFactory, commands: Any) -> None:
    alert = commands.add_parser(
        "alert",
        parents=[common()],
        help="who is told what `vipconsole record` finds, how that goes, and a test of it",
        description="Lists the alerts of the settings and whether they get through; with --test it sends a test through "
        "them and shows what came back.",
        epilog="Exit codes: 0 all get through, 1 at least one does not, 64 no such alert.",
    )
    alert.add_argument("name", nargs="*", metavar="NAME", help="only these alerts")
    alert.add_argument("--test", action="store_true", help="send a test now, once, and show what came back")


def _count(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or int(text) > 2**24:
        raise argparse.ArgumentTypeError(f"{text!a} is not a number of addresses")
    return int(text)
