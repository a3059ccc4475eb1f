"""Settings: thresholds and names, from TOML files over sensible defaults."""

import json
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any, ClassVar

from console.alerts.alert import KEY as ALERT_KEY
from console.alerts.alert import Alert
from console.alerts.alert import contradictions_of as contradictions_of_alerts
from console.errors import SettingsError
from console.host.activity import full_name, is_glob, problem_with_service
from console.host.root import under_root
from console.nodes.settings import KEY as NODE_KEY
from console.nodes.settings import NodeSettings
from console.nodes.settings import contradictions_of as contradictions_of_nodes
from console.text import clean, nearest

THEMES = ("terminal", "dark", "light")
"""Whose colours the live console is drawn in: the terminal's own, or fixed ones for such a background."""
SYSTEM_FILE = under_root("/etc/vipconsole/config.toml")


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
class SnapshotSettings:
    """Time limits and pauses of snapshots."""

    deadline_s: float = 10
    """Time limit of one snapshot."""
    call_timeout_s: float = 5
    """Time limit of each call to the engine."""
    settle_s: float = 2
    """Pause between the two snapshots that a count of leaked addresses needs."""
    journal_s: float = 3600
    """How far back dockerd's journal is read."""
    poll_s: float = 2
    """Pause between two snapshots in the console; longer when the engine is slow, shorter after an event."""


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
class Guard:
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


@dataclass(frozen=True, slots=True)
class Reclaim:
    """How leaked addresses are given back."""

    rotate_tokens: bool = False
    """Whether the swarm's join tokens are made new after a manager was borrowed."""


@dataclass(frozen=True, slots=True)
class RunSettings:
    """What maintenance runs may do."""

    programs: tuple[str, ...] = ()
    """Absolute paths of the programs that a runbook's `exec` may run; none unless they are named."""


@dataclass(frozen=True, slots=True)
class RehearsalSettings:
    """What a rehearsal on a private engine may take of this host."""

    memory_mb: float = 1024
    """Memory that its tasks must fit in: services with the most replicas get fewer where they do not."""


@dataclass(frozen=True, slots=True)
class RecordSettings:
    """How the recorder watches, and how much it keeps."""

    poll_s: float = 30
    """Pause between two snapshots while nothing changes; an event of the engine ends it early."""
    max_mb: float = 64
    """Size of the record: what is oldest goes first, and leaks last. Nothing is kept for more than 60 days."""


@dataclass(frozen=True, slots=True)
class Nixos:
    """Where the configuration of a NixOS host is; unused on other hosts."""

    repository: str = "/etc/nixos"
    """The folder that relative paths are taken from; no file outside of it is ever edited."""
    file: str = "nix/modules/swarm.nix"
    """The file that creates the network."""
    flake: str = "."
    """The flake that the host is built from, such as `.#host`."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that an operator can set."""

    __pydantic_config__: ClassVar = {"extra": "forbid", "str_min_length": 1}
    network: str = "proxy"
    """The network of interest: the one that stacks share."""
    docker_unit: str = "docker.service"
    """The service of dockerd, with its type: a bare name gets it here, so that names of units can be compared."""
    theme: str = "terminal"
    """Colours of the live console: `terminal` for its own 16, or `dark` or `light` for fixed ones that suit such a background."""
    thresholds: Thresholds = field(default_factory=Thresholds)
    snapshot: SnapshotSettings = field(default_factory=SnapshotSettings)
    quiet: QuiescenceSettings = field(default_factory=QuiescenceSettings)
    guard: Guard = field(default_factory=Guard)
    reclaim: Reclaim = field(default_factory=Reclaim)
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


def load_settings(paths: Iterable[Path], required_path: Path | None = None) -> Settings:
    """Return the settings of these files, each over those before it; absent files are skipped.

    `required_path` comes last and must be there. Raises SettingsError that names file, key and the nearest known key,
    with all problems of a file at once.
    """
    settings = Settings()
    for path in (*paths, *((required_path,) if required_path else ())):
        try:
            data = tomllib.loads(path.read_text("utf-8"))
        except FileNotFoundError:
            if path is required_path:
                raise SettingsError(
                    f"There is no settings file {clean(str(path))}.", "Check --config."
                ) from None
            continue
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
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
            raise SettingsError(
                f"{clean(str(path))}: {'; '.join(problems)}.", "Correct the file, or move it away."
            )
    return settings


def _apply(current: Settings, data: dict[str, Any], problems: list[str]) -> Settings:
    """Return settings with data over them. What is wrong is taken out of the data, and is a problem."""
    from pydantic import TypeAdapter, ValidationError  # noqa: PLC0415 - only a file that exists pays for it

    defaults = asdict(current)
    try:
        # JSON, because only there a strict tuple can be a list. No setting is a date or a time, which JSON lacks.
        whole = json.dumps(_merge(defaults, data), default=lambda _: None)
        return TypeAdapter(Settings).validate_json(whole, strict=True)
    except ValidationError as error:
        for problem in sorted(error.errors(include_url=False), key=lambda error: len(error["loc"])):
            *path, key = _place(problem["loc"])
            if key in (section := reduce(getitem, path, data)):
                problems.append(_problem(problem["type"], path, key, _known_keys(path, defaults)))
                del section[key]
    return _apply(current, data, problems)


def _place(location: tuple[int | str, ...]) -> list[Any]:
    """Return the way to the key that is wrong. Which item of a list it is matters for tables only."""
    return [step for place, step in enumerate(location) if isinstance(step, str) or place < len(location) - 1]


def _known_keys(path: list[Any], defaults: Mapping[str, Any]) -> Mapping[str, Any]:
    return asdict(LISTS[path[0]]()) if path and path[0] in LISTS else reduce(getitem, path, defaults)


def _merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    deeper = {
        key: _merge(below[key], value)
        for key, value in above.items()
        if isinstance(value, dict) and isinstance(below.get(key), dict)
    }
    return {**below, **above, **deeper}


def _problem(kind: str, path: list[Any], key: str, defaults: Mapping[str, Any]) -> str:
    if path and path[0] in LISTS:
        return f"{_table(path[0], path[1])}: {_problem(kind, [], key, defaults)}"
    name = clean(".".join((*path, key)), 100)
    if kind == "unexpected_keyword_argument":
        return f"unknown key {name}{nearest(key, defaults)}"
    if not path and key in LISTS and defaults.get(key) is not None:
        return f"{name} must be a list of tables: write [[{name}]]"
    expected_types = {dict: "a table", bool: "true or false", float: "a positive number", str: "a string"}
    return f"{name} must be {expected_types.get(type(defaults[key]), 'a list of strings')}"


def _table(name: str, place: int) -> str:
    """Return what a table of a list is called; people count from 1."""
    return f"[[{name}]] {place + 1}"


def _contradictions(settings: Settings) -> list[str]:
    thresholds = settings.thresholds
    wrong = [
        f"{section}.{name} must be a positive number"
        for section, values in asdict(settings).items()
        if isinstance(values, dict)
        for name, value in values.items()
        if isinstance(value, float) and not 0 < value < 1e9
    ]
    shares = ("use_warning", "use_critical", "leak_warning")
    wrong += [
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
