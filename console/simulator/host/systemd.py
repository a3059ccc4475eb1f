"""Stand-ins for systemctl, systemd-run and journalctl.

Units of the host are kept as their properties. A transient unit is a process that really runs; it is known by a folder with
its process ID, and with its exit code once it has ended. None is ever started again by itself.
"""

import json
import os
import re
import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from console.simulator.host.processes import TRANSIENT, wait_until
from console.storage.state import write_atomically

UNITS = "run/systemd/units.json"
LOGS = "var/log"
OWN_UNITS = ("docker.service", "docker.socket", "swarm-init.service", "certs.service")
DOCKER = "docker.service"
STARTED_WITHIN_S = 60.0
STARTED_AGAIN_S = 15.0
"""How long a unit stays failed."""
_OVER = {"active": ("active", "success"), "failed": ("failed", "exit-code")}


def first_units() -> str:
    """Return the units of a host that has just booted, as the file that keeps them."""
    return json.dumps({name: _properties("active") for name in OWN_UNITS})


def _properties(state: str) -> dict[str, str]:
    now = str(round(time.monotonic() * 1e6))
    detail, result = _OVER[state]
    return {
        "LoadState": "loaded",
        "ActiveState": state,
        "SubState": "failed" if state == "failed" else "running",
        "Result": result if state == "failed" else "success",
        "InvocationID": os.urandom(16).hex(),
        "StateChangeTimestampMonotonic": now,
        "ActiveEnterTimestampMonotonic": now if detail == "active" else "0",
        "ConditionResult": "yes",
        "ConditionTimestampMonotonic": now,
        "StartLimitIntervalUSec": "1min",
        "StartLimitBurst": "3",
        "UnitFileState": "enabled",
    }


def set_unit(root: Path, name: str, state: str) -> None:
    """Let a unit of the host be `active`, started now, or `failed`."""
    write_atomically(root / UNITS, json.dumps({**_units(root), name: _properties(state)}), 0o600)


def _units(root: Path) -> dict[str, dict[str, str]]:
    units: dict[str, dict[str, str]] = json.loads((root / UNITS).read_text("utf-8"))
    return units


def systemctl(root: Path, arguments: Sequence[str]) -> int:
    """Show units, restart one, end or forget a transient one."""
    names = list(arguments[arguments.index("--") + 1 :]) if "--" in arguments else []
    match arguments[0]:
        case "show":
            option = next(argument for argument in arguments if argument.startswith("--property="))
            keys = option.partition("=")[2].split(",")
            put_line("\n\n".join(_property_block(root, name, keys) for name in _matching(root, names)))
        case "list-jobs":
            pass
        case "list-timers":
            put_line("[]")
        case "list-unit-files":
            put_line("\n".join(f"{name} enabled" for name in sorted(_units(root))))
        case "restart":
            for name in names:
                _restart(root, name)
        case "stop" | "reset-failed":
            for name in names:
                _end(root, name, is_stop=arguments[0] == "stop")
        case other:
            return complain(f"Unknown command verb {other}.")
    return 0


def _matching(root: Path, names: Sequence[str]) -> Iterator[str]:
    for name in names:
        if re.search(r"[*?\[]", name):
            yield from (unit for unit in sorted(_units(root)) if fnmatchcase(unit, name))
        else:
            yield name


def _property_block(root: Path, name: str, keys: Sequence[str]) -> str:
    properties = {
        "Id": name,
        "LoadState": "not-found",
        "ActiveState": "inactive",
        "SubState": "dead",
        "Result": "success",
        "ExecMainCode": "0",
        "ExecMainStatus": "0",
        **_own(root, name),
        **_transient(root / TRANSIENT / name),
    }
    return "\n".join(f"{key}={properties.get(key, '')}" for key in keys)


def _own(root: Path, name: str) -> Mapping[str, str]:
    """Return the properties of a unit of the host. One that has failed is started again after a while."""
    properties = _units(root).get(name, {})
    failed_s = time.monotonic() - int(properties.get("StateChangeTimestampMonotonic", "0")) / 1e6
    if properties.get("ActiveState") == "failed" and failed_s > STARTED_AGAIN_S:
        set_unit(root, name, "active")
        return _units(root)[name]
    return properties


def _transient(folder: Path) -> Mapping[str, str]:
    if not (folder / "pid").exists():
        return {}
    there = {"LoadState": "loaded", "ActiveState": "active", "SubState": "running"}
    try:
        code = int((folder / "exit").read_text())
    except FileNotFoundError:
        return there
    result = "signal" if code < 0 else "exit-code" if code else "success"
    return {
        **there,
        "ActiveState": "failed" if code else "active",
        "SubState": "failed" if code else "exited",
        "Result": result,
        "ExecMainCode": "2" if code < 0 else "1",
        "ExecMainStatus": str(abs(code)),
    }


def _restart(root: Path, name: str) -> None:
    if name == DOCKER:
        from console.simulator.host.control import restart_engine  # noqa: PLC0415 - HTTP costs more than all the rest

        restart_engine(root)
    set_unit(root, name, "active")


def _end(root: Path, name: str, *, is_stop: bool) -> None:
    folder = root / TRANSIENT / name
    if not folder.exists():
        return
    if not (folder / "exit").exists():
        if is_stop:
            os.kill(int((folder / "pid").read_text()), signal.SIGTERM)
        return
    has_failed = (folder / "exit").read_text() != "0"
    if has_failed is not is_stop:
        import shutil  # noqa: PLC0415 - what only looks is asked again and again, and starts sooner without it

        shutil.rmtree(folder)


def systemd_run(root: Path, arguments: Sequence[str]) -> int:
    """Start a program as a transient unit; return once it runs."""
    import shutil  # noqa: PLC0415 - as above
    import subprocess  # noqa: PLC0415 - as above

    at = list(arguments).index("--")
    options, argv = arguments[:at], list(arguments[at + 1 :])
    flags = dict(option.removeprefix("--").partition("=")[::2] for option in options)
    properties, environment = _pairs(options, "property"), _pairs(options, "setenv")
    unit = f"{flags['unit']}.service"
    folder = root / TRANSIENT / unit
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        return complain(f"Failed to start transient service unit: Unit {unit} was already loaded")
    log = properties.get("StandardOutput", f"append:{root / LOGS / unit}.log").removeprefix("append:")
    # A service manager is no descendant of the process that asks it.
    if os.fork():
        # What ends at once may be collected already.
        if wait_until(lambda: (folder / "pid").exists() or not folder.exists(), STARTED_WITHIN_S):
            return 0
        return complain(f"Failed to start transient service unit: {unit} did not start, see {log}")
    os.setsid()
    os.dup2(os.open(os.devnull, os.O_RDWR), 0)
    output = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    for descriptor in (1, 2):
        os.dup2(output, descriptor)
    # systemd replaces `$$` in arguments, not in the name of the program.
    argv[1:] = [argument.replace("$$", "$") for argument in argv[1:]]
    cwd = properties.get("WorkingDirectory", flags.get("working-directory", "/"))
    process = subprocess.Popen(argv, env=environment, cwd=cwd, start_new_session=True)  # noqa: S603 - as it was told to
    _put(folder / "pid", str(process.pid))
    code = process.wait()
    if "collect" in flags or (code == 0 and "remain-after-exit" not in flags):
        shutil.rmtree(folder, ignore_errors=True)
    else:
        _put(folder / "exit", str(code))
    os._exit(0)


def _pairs(options: Sequence[str], name: str) -> dict[str, str]:
    start = f"--{name}="
    return dict(
        option.removeprefix(start).partition("=")[::2] for option in options if option.startswith(start)
    )


def _put(path: Path, text: str) -> None:
    new = path.with_suffix(".new")
    new.write_text(text)
    new.replace(path)


def journalctl(root: Path, arguments: Sequence[str]) -> int:
    """Print the last lines that a unit logged."""
    unit = next((text.partition("=")[2] for text in arguments if text.startswith("--unit=")), "")
    count = next((int(text.partition("=")[2]) for text in arguments if text.startswith("--lines=")), 10)
    if not unit:
        return 0
    log = root / LOGS / f"{unit}.log"
    if unit == DOCKER:
        entries = (root / LOGS / "journal.json").read_text("utf-8").splitlines()
        lines = [str(json.loads(entry)["MESSAGE"]) for entry in entries[-count:]]
    else:
        lines = log.read_text("utf-8", "replace").splitlines()[-count:] if log.exists() else []
    put_line("\n".join(lines))
    return 0


def put_line(line: str) -> None:
    """Print a line."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def complain(line: str, code: int = 1) -> int:
    """Say what is wrong, and return an exit code."""
    sys.stderr.write(f"{line}\n")
    return code
