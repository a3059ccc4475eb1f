"""What this host must not be doing: running deploy tools, starting units, about to fire timers, being maintained."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from fnmatch import fnmatchcase
from typing import TypeVar

from console.diagnosis.quiescence.values import Blocker, Check, CheckState
from console.durations import duration
from console.errors import Result, Unknown, known
from console.frozen import frozen
from console.host.activity import (
    HostActivity,
    Inapplicable,
    Login,
    OwnProcess,
    Process,
    SystemdJob,
    Timer,
    Unit,
)
from console.settings import QuiescenceSettings

_DOCKER_VALUES = frozenset(
    (
        "-H",
        "--host",
        "-c",
        "--context",
        "--config",
        "-l",
        "--log-level",
        "--tlscacert",
        "--tlscert",
        "--tlskey",
    )
)
"""Options of `docker` that are followed by a value (`docker --help`)."""
_COMPOSE_VALUES = _DOCKER_VALUES | frozenset(
    (
        "-f",
        "--file",
        "-p",
        "--project-name",
        "--env-file",
        "--profile",
        "--project-directory",
        "--ansi",
        "--parallel",
        "--progress",
    )
)
"""Options of `docker compose` that are followed by a value; before `compose` there may be those of `docker`."""
_HELP = frozenset(("--help", "-h", "--version"))
_GROUPS = frozenset(
    (
        *(
            "builder",
            "buildx",
            "checkpoint",
            "compose",
            "config",
            "container",
            "context",
            "image",
            "manifest",
        ),
        *("network", "node", "plugin", "secret", "service", "stack", "swarm", "system", "trust", "volume"),
    )
)
"""Words of `docker` that what it does comes after."""
_READ_ONLY_VERBS = frozenset(
    (
        *("ls", "list", "ps", "inspect", "logs", "config", "convert", "version", "top", "images", "port"),
        *("events", "stats", "volumes", "help", "docker-cli-plugin-metadata"),
    )
)
"""What `docker service`, `docker stack` and `docker compose` do without changing anything. `docker` asks its plugins
for their metadata whatever it is to do itself."""
T = TypeVar("T")


@frozen
class _Options:
    """What an interpreter's options take, by letter; letters may share a word (`-eu`)."""

    ending: str
    """Letters after which no script follows, but code or nothing; what these start is a process of its own."""
    module: str = ""
    with_value: str = ""
    """Letters with a value, in what is left of the word or else in the next one."""
    with_next_value: str = ""
    """Letters whose value is always a word of its own."""
    with_rest: str = ""
    """Letters that take the rest of their word, even an empty one."""
    long_ending: frozenset[str] = frozenset()
    long_with_value: frozenset[str] = frozenset()
    lone_dash_ends: bool = True
    """Whether `-` stands for a script from standard input, instead of for the end of the options."""


_INTERPRETERS: Mapping[str, _Options] = {
    r"fish": _Options("c", with_value="CdDfop", long_ending=frozenset(("--command",))),
    r"(?:ba|da|z|k|a)?sh": _Options(
        "cs",
        with_next_value="oO",
        long_with_value=frozenset(("--rcfile", "--init-file")),
        lone_dash_ends=False,
    ),
    r"(?:python|pypy)[\d.]*": _Options(
        "c", module="m", with_value="WX", long_with_value=frozenset(("--check-hash-based-pycs",))
    ),
    r"perl[\d.]*": _Options("eE", with_value="I", with_rest="iMmxFCDdV"),
    r"ruby[\d.]*": _Options("e", with_value="rICE", with_rest="ixFKWT"),
    r"node(?:js)?": _Options(
        "ep",
        with_value="rC",
        long_ending=frozenset(("--eval", "--print")),
        long_with_value=frozenset(
            ("--require", "--import", "--loader", "--experimental-loader", "--conditions")
        ),
    ),
}
"""By the pattern of their names, as their manual pages say."""


def deploy_tools(
    processes: Iterable[Process], own: OwnProcess, patterns: Sequence[str]
) -> list[tuple[str, Process]]:
    """Return the processes that run one of these tools, each with the pattern that it matches.

    This process, its ancestors and what they wait for in it do not count.
    """
    processes = tuple(processes)
    family = ancestors(processes, own.pid)
    split = [(pattern, tuple(pattern.split())) for pattern in patterns]
    matching = []
    for process in processes:
        if process.pid in family:
            continue
        words = command_of(process.argv)
        match = next((name for name, pattern in split if matches(words, pattern)), None)
        if match is not None:
            matching.append((match, process))
    return matching


def ancestors(processes: Iterable[Process], pid: int) -> frozenset[int]:
    """Return a process and all those above it, by ID."""
    parents = {process.pid: process.parent for process in processes}
    family: set[int] = set()
    while pid and pid not in family:
        family.add(pid)
        pid = parents.get(pid, 0)
    return frozenset(family)


def command_of(argv: Sequence[str]) -> tuple[str, ...]:
    """Return a command line as its program and the words for it: a script takes the place of its interpreter."""
    if not argv:
        return ()
    name = _bare(argv[0])
    options = next(
        (interpreter for pattern, interpreter in _INTERPRETERS.items() if re.fullmatch(pattern, name)), None
    )
    if options is None:
        return (name, *argv[1:])
    script = _script(list(argv[1:]), options)
    return (_bare(script[0]), *script[1:]) if script else (name,)


def _script(words: list[str], options: _Options) -> list[str]:
    """Return a script, or a module in its place, with the words for it; nothing where there is none."""
    while words:
        word = words.pop(0)
        if word == "--" or (word == "-" and not options.lone_dash_ends):
            return words
        if word == "-":
            return []
        if word.startswith("--"):
            if word.partition("=")[0] in options.long_ending:
                return []
            if word in options.long_with_value:
                del words[:1]
        elif word.startswith("-") or (word.startswith("+") and options.with_next_value):
            script = _after_letters(word[1:], words, options)
            if script is not None:
                return script
        else:
            return [word, *words]
    return []


def _after_letters(letters: str, words: list[str], options: _Options) -> list[str] | None:
    """Take the values of a word of options off those after it; return what is run where these options tell."""
    for place, letter in enumerate(letters, 1):
        rest = letters[place:]
        if letter in options.ending:
            return []
        if letter in options.module:
            return [rest, *words] if rest else words
        if letter in options.with_next_value:
            del words[:1]
        elif letter in options.with_value:
            if not rest:
                del words[:1]
            return None
        elif letter in options.with_rest:
            return None
    return None


def matches(command: Sequence[str], pattern: Sequence[str]) -> bool:
    """Whether a command is the pattern's program with the pattern's words next, options skipped."""
    if not command or not pattern or not fnmatchcase(command[0], pattern[0]):
        return False
    is_docker = command[0] in ("docker", "docker-compose")
    if is_docker and _is_read_only(command):
        return False
    rest = _without_compose(command) if command[0] == "docker-compose" else list(command[1:])
    for word_pattern in pattern[1:]:
        word = _next_word(rest, _COMPOSE_VALUES if is_docker else _DOCKER_VALUES)
        if word is None or not fnmatchcase(word, word_pattern):
            return False
    return True


def _is_read_only(command: Sequence[str]) -> bool:
    """Whether a `docker` or `docker-compose` changes nothing."""
    is_compose = command[0] == "docker-compose"
    rest = _without_compose(command) if is_compose else list(command[1:])
    verb = _next_word(rest, _COMPOSE_VALUES)
    if not is_compose and verb in _GROUPS:
        verb = _next_word(rest, _COMPOSE_VALUES)
    # Without a verb it tells how it is used. Further on `--help` may be a word of what a container is to run.
    return verb is None or verb in _READ_ONLY_VERBS or rest[:1] == ["--help"]


def _without_compose(command: Sequence[str]) -> list[str]:
    """Return the words after `docker-compose`, which as a plugin is given those of `docker`."""
    rest = list(command[1:])
    return rest if _next_word(rest, _COMPOSE_VALUES) == "compose" else list(command[1:])


def _next_word(rest: list[str], options_with_value: frozenset[str]) -> str | None:
    """Take the next word that is neither an option nor an option's value off a list; there is none to ask for help."""
    while rest:
        word = rest.pop(0)
        if not word.startswith("-"):
            return word
        if word in _HELP:
            return None
        if word in options_with_value:
            del rest[:1]
    return None


def _bare(word: str) -> str:
    """Return a program's name without its folder, its suffix, and what NixOS puts around a wrapped one."""
    name = word.rpartition("/")[2].removeprefix("-")
    name = name.removesuffix(".sh").removesuffix(".py")
    if name.startswith(".") and name.endswith("-wrapped"):
        name = name[1:].removesuffix("-wrapped")
    return name


def check_host(activity: HostActivity, settings: QuiescenceSettings, now: datetime) -> tuple[Check, ...]:
    """Return what goes on on this host: tools, jobs, units, timers, runs, logins; `now` is by its own clock."""
    own, soon_s = activity.own, settings.timer_within_s
    return (
        _check(
            "tools",
            "deploy tools",
            activity.processes,
            lambda processes: _tools(processes, own, settings.deploy_tools),
            "Wait for it to end.",
        ),
        _check(
            "jobs",
            "systemd jobs",
            activity.jobs,
            lambda jobs: _jobs(jobs, own),
            "`systemctl list-jobs` shows them.",
        ),
        _check(
            "units",
            "configured units",
            activity.units,
            lambda units: _units(units, own),
            "`systemctl status` shows what it does.",
        ),
        _check(
            "timers",
            f"configured timers within {duration(soon_s)}",
            activity.timers,
            lambda timers: _timers(timers, now, soon_s),
            "Let it fire, or stop it.",
        ),
        _check("run", "another vipconsole run", activity.lock_holder, _run, "Wait for it, or end it."),
        _check_logins(activity),
    )


def _tools(processes: tuple[Process, ...], own: OwnProcess, patterns: tuple[str, ...]) -> Iterator[Blocker]:
    for pattern, process in deploy_tools(processes, own, patterns):
        yield Blocker(f"{pattern} (pid {process.pid})", "runs", process.started_at)


def _jobs(jobs: tuple[SystemdJob, ...], own: OwnProcess) -> Iterator[Blocker]:
    running = {job.unit for job in jobs if job.state == "running"}
    # Where no other job runs, those that wait do so for the one that this process is: it is what they were ordered after.
    is_waited_for = running == {own.unit}
    for job in jobs:
        if job.unit != own.unit and not is_waited_for:
            yield Blocker(job.unit, f"has a {job.what} job ({job.state})")


def _units(units: tuple[Unit, ...], own: OwnProcess) -> Iterator[Blocker]:
    for unit in units:
        if unit.is_at_work and unit.name != own.unit:
            yield Blocker(unit.name, f"is {unit.state} ({unit.detail})", unit.since)


def _timers(timers: tuple[Timer, ...], now: datetime, soon_s: float) -> Iterator[Blocker]:
    for timer in timers:
        due_s = (timer.next_at - now).total_seconds() if timer.next_at else float("inf")
        if due_s <= soon_s:
            yield Blocker(timer.name, f"fires in {duration(due_s)}")


def _run(holder: str) -> Iterator[Blocker]:
    if holder:
        yield Blocker(holder, "holds the maintenance lock")


def _check(
    code: str,
    title: str,
    result: Result[T] | Inapplicable,
    find: Callable[[T], Iterable[Blocker]],
    hint: str,
) -> Check:
    if isinstance(result, Inapplicable):
        state = CheckState.UNKNOWN if result.is_configured else CheckState.UNCHECKED
        return Check(code, title, state, note=result.reason, is_lasting=result.is_configured)
    if isinstance(result, Unknown):
        return Check(code, title, CheckState.UNKNOWN, note=result.reason, hint=result.hint)
    blockers = tuple(find(result))
    return (
        Check(code, title, CheckState.BUSY, blockers, hint=hint)
        if blockers
        else Check(code, title, CheckState.QUIET)
    )


def _check_logins(activity: HostActivity) -> Check:
    """Return who else is logged in. Another login alone does no harm, so it is never more than a warning."""
    code, title, logins = "logins", "other logins", activity.logins
    if isinstance(logins, Inapplicable):
        return Check(code, title, CheckState.UNCHECKED, note=logins.reason)
    if isinstance(logins, Unknown):
        return Check(code, title, CheckState.UNCHECKED, note=logins.reason, hint=logins.hint)
    others = tuple(
        Blocker(f"{login.user} on {login.terminal}", "is logged in", login.since)
        for login in logins
        if not _is_own(login, activity)
    )
    return Check(code, title, CheckState.WARNING if others else CheckState.QUIET, others)


def _is_own(login: Login, activity: HostActivity) -> bool:
    if login.session and login.session == activity.own.session:
        return True
    processes = () if isinstance(activity.processes, Inapplicable) else known(activity.processes, ())
    family = ancestors(processes, activity.own.pid)
    return any(
        process.terminal == login.terminal
        for process in processes
        if process.pid in family and process.terminal
    )
