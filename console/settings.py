"""Settings: thresholds and names, from TOML files over sensible defaults."""

from collections.abc import Iterable, Mapping
from dataclasses import field, fields, is_dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from console.alerts.alert import KEY as ALERT_KEY
from console.alerts.alert import Alert
from console.alerts.alert import contradictions_of as contradictions_of_alerts
from console.errors import SettingsError
from console.frozen import frozen
from console.host.activity import full_name, is_glob, problem_with_service
from console.host.root import under_root
from console.nodes.settings import KEY as NODE_KEY
from console.nodes.settings import NodeSettings
from console.nodes.settings import contradictions_of as contradictions_of_nodes
from console.text import clean, nearest

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_Table = TypeVar("_Table", bound="DataclassInstance")

THEMES = ("terminal", "dark", "light")
"""Whose colours the live console is drawn in: the terminal's own, or fixed ones for such a background."""
SYSTEM_FILE = under_root("/etc/vipconsole/config.toml")
HIDDEN = "(hidden)"
"""Printed in place of what may hold a secret: fields that are left out where values are printed, and a program's arguments."""
_LONGEST_BYTES = 1024 * 1024
_MOST_PROBLEMS = 10
"""Told at once; a file of another program would fill the screen."""
_TOO_MUCH = 1e9
"""No number of the settings is that large."""


@frozen
class Thresholds:
    """When a figure becomes a warning or critical."""

    use_warning: float = 0.75
    """Share of a subnet's capacity in use."""
    use_critical: float = 0.90
    leak_warning: float = 0.05
    """Share of a subnet's capacity that has leaked."""
    new_task_s: float = 60
    """How long a task may be in state New."""
    unallocated_s: float = 60
    """How long a network may be without a subnet, or a service without its VIP."""


@frozen
class SnapshotSettings:
    """Time limits and pauses of snapshots."""

    deadline_s: float = 10
    """Time limit of one snapshot."""
    call_timeout_s: float = 5
    """Time limit of each call to the engine."""
    settle_s: float = 2
    """Longest pause between two snapshots, where one alone does not prove what leaked."""
    journal_s: float = 3600
    """How far back dockerd's journal is read."""
    poll_s: float = 2
    """Pause between two snapshots in the console; longer when the engine is slow, shorter after an event."""


@frozen
class QuiescenceSettings:
    """What must hold before this host and its swarm count as quiet."""

    dwell_s: float = 60
    """How long quiet must last without a break."""
    timeout_s: float = 900
    """How long to wait for quiet."""
    poll_s: float = 1
    """Pause between two snapshots; an event of the engine ends it early."""
    deploy_tools: tuple[str, ...] = (
        "abra",
        "docker stack",
        "docker service",
        "docker compose",
        "docker-compose",
        "nixos-rebuild",
        "upgrade-all",
    )
    """A program and the words that follow it, each a glob; a process that runs one of them blocks."""
    units: tuple[str, ...] = ()
    """systemd units (globs); one that is at work blocks."""
    stacks: tuple[str, ...] = ()
    """Stacks (globs) that may be present; where none is named, stacks are not checked."""
    timers: tuple[str, ...] = ()
    """systemd timers (globs); one that is about to fire blocks."""
    timer_within_s: float = 600
    """How long before it fires a timer blocks."""

    def __post_init__(self) -> None:
        """Give units and timers their full names; globs stay as they are."""
        for name, kind in (("units", "service"), ("timers", "timer")):
            full_names = tuple(
                unit if is_glob(unit) else full_name(unit, kind) for unit in getattr(self, name)
            )
            object.__setattr__(self, name, full_names)


@frozen
class GuardSettings:
    """What the guard may do before a batch of deploys."""

    allow_restart: bool = False
    """Whether it may restart the docker unit; `--allow-restart` allows it for one call."""
    allow_borrow: bool = False
    """Whether it may borrow a second manager for some seconds, which stops no container; `--allow-borrow` allows it for one call."""
    cooldown_s: float = 21_600
    """Minimum time between two restarts, or borrowed managers."""
    recovery_s: float = 600
    """How long the swarm may take to converge after a restart."""
    prune: bool = True
    """Whether it removes unused overlays."""
    prune_age_s: float = 3600
    """Minimum age of an unused overlay that is removed."""
    keep: tuple[str, ...] = ("proxy",)
    """Overlays (globs) that are never removed."""


@frozen
class ReclaimSettings:
    """How leaked addresses are given back."""

    rotate_tokens: bool = False
    """Whether the swarm's join tokens are made new after a manager was borrowed."""


@frozen
class RunSettings:
    """What maintenance runs may do."""

    programs: tuple[str, ...] = ()
    """Absolute paths of the programs that a runbook's `exec` may run; none unless they are named."""


@frozen
class RehearsalSettings:
    """What a rehearsal on a private engine may take of this host."""

    memory_mb: float = 1024
    """Memory that its tasks must fit in: services with the most replicas get fewer where they do not."""


@frozen
class RecordSettings:
    """How the recorder watches, and how much it keeps."""

    poll_s: float = 30
    """Pause between two snapshots while nothing changes; an event of the engine ends it early."""
    max_mb: float = 64
    """Size of the record: what is oldest goes first, and leaks last. Nothing is kept for more than 60 days."""


@frozen
class Nixos:
    """Where the configuration of a NixOS host is; unused on other hosts."""

    repository: str = "/etc/nixos"
    """The folder that relative paths are taken from; no file outside of it is ever edited."""
    file: str = "nix/modules/swarm.nix"
    """The file that creates the network."""
    flake: str = "."
    """The flake that the host is built from, such as `.#host`."""


@frozen
class Settings:
    """Everything that an operator can set."""

    # A run keeps its settings: one of them that this version does not know is no run for this version.
    __pydantic_config__: ClassVar = {"extra": "forbid"}
    network: str = "proxy"
    """The network of interest: the one that stacks share."""
    docker_unit: str = "docker.service"
    """The service of dockerd, with its type: a bare name gets it here, so that names of units can be compared."""
    theme: str = "terminal"
    """Colours of the live console: `terminal` for its own 16, or `dark` or `light` for fixed ones that suit such a background."""
    thresholds: Thresholds = field(default_factory=Thresholds)
    snapshot: SnapshotSettings = field(default_factory=SnapshotSettings)
    quiet: QuiescenceSettings = field(default_factory=QuiescenceSettings)
    guard: GuardSettings = field(default_factory=GuardSettings)
    reclaim: ReclaimSettings = field(default_factory=ReclaimSettings)
    run: RunSettings = field(default_factory=RunSettings)
    rehearsal: RehearsalSettings = field(default_factory=RehearsalSettings)
    record: RecordSettings = field(default_factory=RecordSettings)
    nixos: Nixos = field(default_factory=Nixos)
    alert: tuple[Alert, ...] = ()
    """Who is told by `vipconsole record`; one table for each. The last file that has any replaces those of the others."""
    node: tuple[NodeSettings, ...] = ()
    """Other nodes whose engines are asked too; one table for each. None is required: one that does not answer is told."""

    def __post_init__(self) -> None:
        """Give the docker unit its full name, wherever the settings come from: a file, or a run that keeps them."""
        object.__setattr__(self, "docker_unit", full_name(self.docker_unit))


LISTS: Mapping[str, type[Any]] = {ALERT_KEY: Alert, NODE_KEY: NodeSettings}
"""Keys that hold tables of a kind, written `[[alert]]`."""


def user_file(environment: Mapping[str, str]) -> Path:
    """Return where a user's own settings are."""
    base = environment.get("XDG_CONFIG_HOME") or f"{environment.get('HOME', '/')}/.config"
    return Path(base) / "vipconsole" / "config.toml"


def read_toml(path: Path) -> dict[str, Any]:
    """Return what a file says. Raises OSError, and ValueError for what is no TOML."""
    with path.open("rb") as file:
        data = file.read(_LONGEST_BYTES + 1)
    if len(data) > _LONGEST_BYTES:
        raise ValueError("it is larger than 1 MB")
    import tomllib  # noqa: PLC0415 - most hosts have no settings

    try:
        # Editors of another system begin a file with a byte order mark, which TOML does not know.
        return tomllib.loads(data.decode("utf-8-sig"))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def load_settings(paths: Iterable[Path], required_path: Path | None = None) -> Settings:
    """Return the settings of these files, each over those before it; absent files are skipped.

    `required_path` comes last and must be there. Raises SettingsError that names file, key and the nearest known key,
    with all problems of a file at once.
    """
    settings = Settings()
    for path in (*paths, *((required_path,) if required_path else ())):
        try:
            data = read_toml(path)
        except FileNotFoundError:
            if path is required_path:
                raise SettingsError(
                    f"There is no settings file {clean(str(path))}.", "Check --config."
                ) from None
            continue
        except (OSError, ValueError) as error:
            raise SettingsError(
                f"The settings file {clean(str(path))} cannot be read: {clean(str(error), 300)}.",
                "It must be a TOML file that this user may read.",
            ) from error
        problems: list[str] = []
        settings = _apply(settings, data, problems)
        # What was taken out of a table is missing there, which is no second problem.
        wrong_lists = {key for key in LISTS if any(problem.startswith(f"[[{key}]]") for problem in problems)}
        problems.extend(() if ALERT_KEY in wrong_lists else contradictions_of_alerts(settings.alert))
        problems.extend(() if NODE_KEY in wrong_lists else contradictions_of_nodes(settings.node))
        problems.extend(_contradictions(settings))
        if problems:
            more = f"; and {len(problems) - _MOST_PROBLEMS} more" if len(problems) > _MOST_PROBLEMS else ""
            raise SettingsError(
                f"{clean(str(path))}: {'; '.join(problems[:_MOST_PROBLEMS])}{more}.",
                "Correct the file, or move it away.",
            )
    return settings


def _apply(current: _Table, data: Mapping[str, Any], problems: list[str], path: str = "") -> _Table:
    """Return a table of the settings with data over it. What does not fit stays as it was, and is a problem.

    By hand: a library for it doubles the time of a glance, and takes 9 MB that a recorder keeps for as long as it runs.
    """
    known = {key.name: getattr(current, key.name) for key in fields(current)}
    changes: dict[str, Any] = {}
    for key, value in data.items():
        name = clean(f"{path}{key}", 100)
        if key not in known:
            problems.append(f"unknown key {name}{nearest(key, known)}")
        elif is_dataclass(known[key]) and isinstance(value, dict):
            changes[key] = _apply(known[key], value, problems, f"{path}{key}.")
        elif isinstance(current, Settings) and key in LISTS:
            changes[key] = _tables(key, value, problems)
        elif (fitting := _fit(known[key], value, may_be_empty=type(current) in LISTS.values())) is None:
            problems.append(f"{name} must be {_expected(known[key])}")
        else:
            changes[key] = fitting
    return replace(current, **changes)


def _tables(key: str, value: Any, problems: list[str]) -> tuple[Any, ...]:
    """Return what a list of tables holds; people count them from 1."""
    if not isinstance(value, list) or not all(isinstance(table, dict) for table in value):
        problems.append(f"{key} must be a list of tables: write [[{key}]]")
        return ()
    tables = []
    for place, table in enumerate(value, 1):
        own_problems: list[str] = []
        tables.append(_apply(LISTS[key](), table, own_problems))
        own_problems += [
            f"{name} has {HIDDEN} in place of what `vipconsole config show` does not print: write it again"
            for name, value in table.items()
            if value == HIDDEN or (isinstance(value, list) and HIDDEN in value)
        ]
        problems += [f"[[{key}]] {place}: {problem}" for problem in own_problems]
    return tuple(tables)


def _fit(default: Any, value: Any, *, may_be_empty: bool) -> Any:
    """Return a value as the type that its default has, or None where it has another one."""
    match default, value:
        case bool(), bool():
            return value
        # To Python, but to nobody who writes a file, true is a number.
        case (bool(), _) | (_, bool()):
            return None
        case (int() | float(), int() | float()):
            return float(value) if 0 < value < _TOO_MUCH else None
        case str(), str():
            return value if value or may_be_empty else None
        case tuple(), list():
            texts = [_fit("", text, may_be_empty=may_be_empty) for text in value]
            return None if None in texts else tuple(texts)
    return None


def _expected(default: Any) -> str:
    """Return in words what a key takes whose default is this."""
    if is_dataclass(default):
        return "a table"
    match default:
        case bool():
            return "true or false"
        case int() | float():
            return "a positive number"
        case str():
            return "a string"
    return "a list of strings"


def _contradictions(settings: Settings) -> list[str]:
    thresholds = settings.thresholds
    shares = ("use_warning", "use_critical", "leak_warning")
    wrong = [
        f"thresholds.{name} is a share and must be at most 1"
        for name in shares
        if getattr(thresholds, name) > 1
    ]
    if thresholds.use_warning > thresholds.use_critical:
        wrong.append("thresholds.use_warning is above thresholds.use_critical")
    problem = problem_with_service(settings.docker_unit)
    if problem:
        wrong.append(f"docker_unit must be {problem}, not {clean(settings.docker_unit, 100)}")
    if settings.theme not in THEMES:
        wrong.append(
            f"theme must be {', '.join(THEMES[:-1])} or {THEMES[-1]}, not {clean(settings.theme, 100)}"
        )
    if settings.quiet.timeout_s < settings.quiet.dwell_s:
        wrong.append("quiet.timeout_s is below quiet.dwell_s")
    wrong += [
        f"run.programs must be absolute paths, not {clean(program)}"
        for program in settings.run.programs
        if not program.startswith("/")
    ]
    if not settings.nixos.repository.startswith("/"):
        wrong.append("nixos.repository must be an absolute path")
    return wrong
