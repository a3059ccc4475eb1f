"""`--demo`: the demo's host instead of this machine, for every command."""

import os
from argparse import Namespace

from console.errors import Declined, UsageError
from console.simulator.host.demo_host import demo_folder, enter, forget, is_made
from console.simulator.host.faults import arm_fault, disarm_faults, parse_fault
from console.simulator.host.processes import engine_lives
from screens.output.plain import progress, say
from screens.present.text import enter_throwaway_demo

THROWAWAY = ("console", "glance", "quiet", "journal", "why", "history", "alert")
"""What only looks: without a demo host an engine of its own, gone afterwards, is enough, and is there sooner."""
OF_RUNS = ("attach", "resume", "decide", "abandon", "runs", "report")
"""What is about runs that there are already."""
GOES_ON = ("resume", "decide")
"""What lets a run go on, and so needs the swarm that it is about."""
MACHINE_FORMS = ("json", "prometheus", "csv")
SIMULATED = "SIMULATED: this is the demo's host and swarm."


def enter_demo(arguments: Namespace) -> None:
    """Let this process work on the demo's host, made first if needed. Raises UsageError, Declined, SimulatorError.

    Then nothing else needs to know that it is a demo: the root of the host is another one.
    """
    _refuse_misuse(arguments)
    fault = parse_fault(arguments.fail_at) if arguments.fail_at else None
    folder = demo_folder(os.environ)
    if arguments.fresh:
        forget(folder)
    looks = arguments.command in THROWAWAY or getattr(arguments, "dry_run", False)
    if looks and not (is_made(folder) and engine_lives(folder)):
        enter_throwaway_demo()
        _announce(arguments)
        return
    is_new = enter(folder, is_needed=arguments.command not in OF_RUNS and not looks)
    if is_new:
        progress(
            "the demo begins, on the evening before the maintenance. "
            f"Its host is {folder}; --demo --fresh begins again."
        )
    if arguments.command in GOES_ON and is_made(folder) and not engine_lives(folder):
        raise Declined(
            "The demo's engine has ended, and its swarm is gone with it: no run on it can continue.",
            "`vipconsole run` begins again.",
        )
    arguments.demo = False
    if arguments.command == "run" and not arguments.check:
        disarm_faults(folder)
        if fault is not None:
            arm_fault(folder, *fault)
    _announce(arguments)


def _refuse_misuse(arguments: Namespace) -> None:
    """Raise UsageError for options that are for the demo only, and for those that are not for it: it has its own places."""
    if not arguments.demo:
        raise UsageError("--fresh and --fail-at are for the demo only.", "Add --demo.")
    if arguments.command == "rehearse":
        raise UsageError("The demo cannot be rehearsed.", "`vipconsole run --demo` is a rehearsal itself.")
    if arguments.host:
        raise UsageError("--demo and --host cannot be combined.", "The demo has its own simulated engine.")
    if getattr(arguments, "state_dir", None) is not None and arguments.command not in THROWAWAY:
        raise UsageError(
            "--demo and --state-dir cannot be combined.", "The demo has its own state directory."
        )


def _announce(arguments: Namespace) -> None:
    """Say first that nothing is real, where people read it."""
    is_for_machines = getattr(arguments, "json", False) or getattr(arguments, "form", "") in MACHINE_FORMS
    if not is_for_machines and arguments.command != "console":
        say((SIMULATED,))
