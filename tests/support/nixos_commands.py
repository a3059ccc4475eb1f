"""Stand-ins for the commands of a NixOS host: nixos-rebuild, switch-to-configuration, systemd-run, systemctl.

A program of its own, started as `nixos_commands.py HOST COMMAND ARGUMENT…`; HOST is the folder of `tests.support.nixos`.
They do what the real ones are documented to do. Builds, profiles and garbage-collection roots are Nix's own, in a store
of the host's. `HOST/behaviour` makes them fail in the ways that are known.

They are started a thousand times, and most only look: so what is large is imported only where it is used, and what their
behaviour is kept in needs nothing imported at all. A start took four times as long.
"""

from __future__ import annotations

import fcntl
import marshal
import os
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

HOST = sys.argv[1]
UNITS = "etc/systemd/system"
LOCK = f"{HOST}/switch.lock"
BEHAVIOUR = f"{HOST}/behaviour"


def behaviours() -> dict[str, Any]:
    with open(BEHAVIOUR, "rb") as file:
        told: dict[str, Any] = marshal.load(file)
    return told


def behaviour(key: str, otherwise: Any = None) -> Any:
    return behaviours().get(key, otherwise)


def read(path: str) -> str:
    with open(path) as file:
        return file.read()


def write(path: str, text: str) -> None:
    """Write a file in one step."""
    with open(f"{path}.new", "w") as file:
        file.write(text)
    os.replace(f"{path}.new", path)


def run(*argv: str, within_s: float | None = None) -> int:
    import subprocess

    return subprocess.run(argv, check=False, timeout=within_s).returncode


def complain(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def nixos_rebuild(arguments: list[str]) -> int:
    if arguments == ["--help"]:
        print(behaviour("help", ""))
        return 0
    if "--log-format" in arguments and behaviour("no_log_format"):
        complain("nixos-rebuild: error: unrecognized arguments: --log-format internal-json")
        return 2
    match arguments[0]:
        case "build":
            return rebuild_build(arguments[1:])
        case "switch" if "--store-path" in arguments and behaviour("help"):
            system = arguments[arguments.index("--store-path") + 1]
            return set_and_switch(system)
    complain(f"nixos-rebuild: error: unrecognized arguments: {' '.join(arguments)}")
    return 2


def rebuild_build(arguments: list[str]) -> int:
    complain("building the system configuration...")
    flake, _, attribute = arguments[arguments.index("--flake") + 1].partition("#")
    misbehave("build")
    if not attribute:
        complain("error: flake has no attribute for this host")
        return 1
    log_format = arguments[arguments.index("--log-format") + 1] if "--log-format" in arguments else "raw"
    options = ("--offline", "-f", f"{flake}/system.nix", "--out-link", "result", "--log-format", log_format)
    code = run("nix", "build", *options, within_s=100)
    if code:
        complain(f"Command 'nix build' returned non-zero exit status {code}.")
        return code
    print("Done. The new configuration is", end=" ", file=sys.stderr, flush=True)
    if not behaviour("prints_no_path"):
        print(os.path.realpath("result"), flush=True)
    return 0


def set_and_switch(system: str) -> int:
    code = run("nix-env", "--profile", f"{HOST}/profiles/system", "--set", system, within_s=60)
    if code:
        return code
    code = run(f"{system}/bin/switch-to-configuration", "switch")
    if code:
        complain(f"Command 'systemd-run … switch' returned non-zero exit status {code}.")
        return int(behaviour("wrapper_code", code))
    print("Done. The new configuration is", end=" ", file=sys.stderr, flush=True)
    print(system, flush=True)
    return 0


def switch_to_configuration(arguments: list[str]) -> int:
    import signal

    system, action = arguments[0], arguments[1]
    # Like the real one it would die with its terminal, if it had one.
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    with open(LOCK, "a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            complain("Could not acquire lock")
            return 11
        return activate(system, action)


def activate(system: str, action: str) -> int:
    before, after = units_of(f"{HOST}/current-system"), units_of(system)
    changed = [name for name in after if before.get(name) != after[name]]
    docker = [each for each in changed if each == "docker.service"]
    others = [each for each in changed if each not in docker]
    stopped = ["docker.service", "docker.socket"] if docker else []
    if action == "dry-activate":
        if behaviour("dry_code"):
            complain("Failed to get unit: dbus is away")
            return int(behaviour("dry_code"))
        tell("would stop the following units: ", stopped)
        if not behaviour("dry_silent"):
            complain("would activate the configuration...")
        tell("would restart the following units: ", [*behaviour("also_restarts", []), *others])
        tell("would start the following units: ", stopped)
        return 0
    tell("stopping the following units: ", stopped)
    misbehave("switch")
    code = int(behaviour("switch_code", 0))
    if code in (1, 11, 100):
        complain(behaviour("switch_says", "Pre-switch check 'switchInhibitors' failed"))
        return code
    complain("activating the configuration...")
    replace_link(f"{HOST}/current-system", system)
    if code == 2:
        complain("Failed to run activate script")
    tell("restarting the following units: ", others)
    if code == 4:
        complain(f"warning: the following units failed: {behaviour('failed_units', 'certs.service')}")
    return code


def misbehave(what: str) -> None:
    """Do what the host's behaviour says for a build or a switch: flood, hang, wait for a file, end badly."""
    for _ in range(behaviour(f"{what}_megabytes", 0)):
        sys.stderr.write(("x" * 1023 + "\n") * 1024)
    sys.stderr.flush()
    write(f"{HOST}/{what}.began", "")
    while os.path.exists(f"{HOST}/{what}.gate"):
        time.sleep(0.02)
    if not os.path.exists(HOST):
        sys.exit("the host is gone")
    if behaviour(f"{what}_fails"):
        complain(behaviour(f"{what}_fails"))
        sys.exit(1)
    if behaviour(f"{what}_signal"):
        os.kill(os.getpid(), behaviour(f"{what}_signal"))


def tell(phrase: str, units: list[str]) -> None:
    if units:
        complain(phrase + ", ".join(sorted(units)))


def units_of(system: str) -> dict[str, str]:
    folder = f"{system}/{UNITS}"
    return {name: read(f"{folder}/{name}") for name in os.listdir(folder) if name.endswith(".service")}


def replace_link(link: str, target: str) -> None:
    new = f"{link}.new"
    if os.path.lexists(new):
        os.unlink(new)
    os.symlink(target, new)
    os.replace(new, link)


# systemd: a unit is a folder below HOST/units with `unit.json`, and `exit` once it has ended.


def systemd_run(arguments: list[str]) -> int:
    import subprocess

    at = arguments.index("--")
    options, argv = arguments[:at], arguments[at + 1 :]
    given = dict(each.removeprefix("--").partition("=")[::2] for each in options)
    properties = dict(
        each.removeprefix("--property=").partition("=")[::2]
        for each in options
        if each.startswith("--property=")
    )
    environment = dict(
        each.removeprefix("--setenv=").partition("=")[::2] for each in options if each.startswith("--setenv=")
    )
    folder = f"{HOST}/units/{given['unit']}.service"
    if os.path.exists(folder):
        complain(f"Failed to start transient service unit: Unit {given['unit']}.service was already loaded")
        return 1
    os.makedirs(folder)
    argv = [argv[0], *(each.replace("$$", "$") for each in argv[1:])]
    # A service manager is no descendant of whoever asks it.
    if os.fork():
        while not os.path.exists(f"{folder}/pid"):
            time.sleep(0.01)
        return 0
    os.setsid()
    log = os.open(
        properties["StandardOutput"].removeprefix("append:"), os.O_WRONLY | os.O_APPEND | os.O_CREAT
    )
    for descriptor in (1, 2):
        os.dup2(log, descriptor)
    os.dup2(os.open("/dev/null", os.O_RDONLY), 0)
    process = subprocess.Popen(
        argv, env=environment, cwd=properties["WorkingDirectory"], start_new_session=True
    )
    write(f"{folder}/pid", str(process.pid))
    code = process.wait()
    write(f"{folder}/exit", str(code))
    if code == 0 and "remain-after-exit" not in given:
        forget(folder)
    os._exit(0)


def forget(folder: str) -> None:
    for name in os.listdir(folder):
        os.unlink(f"{folder}/{name}")
    os.rmdir(folder)


def systemctl(arguments: list[str]) -> int:
    if behaviour("systemctl_down"):
        complain("Failed to connect to bus: No such file or directory")
        return 1
    names = arguments[arguments.index("--") + 1 :]
    match arguments[0]:
        case "show":
            wanted = next(each for each in arguments if each.startswith("--property="))
            print("\n\n".join(shown(name, wanted.partition("=")[2].split(",")) for name in names))
        case "stop" | "reset-failed":
            folder = f"{HOST}/units/{names[0]}"
            has_failed = os.path.exists(folder) and read(f"{folder}/exit") != "0"
            if os.path.exists(folder) and has_failed is (arguments[0] == "reset-failed"):
                forget(folder)
            for each in names:
                behaviour_of_units(each, lambda told: told.update(ActiveState="inactive"))
        case other:
            complain(f"Unknown command verb {other}.")
            return 1
    return 0


def behaviour_of_units(name: str, change: Callable[[dict[str, str]], None]) -> None:
    data = behaviours()
    told = data.get("units", {}).get(name)
    if told is not None:
        change(told)
        with open(BEHAVIOUR, "wb") as file:
            marshal.dump(data, file)


OWN_UNITS = ("docker.service", "docker.socket", "swarm-init.service")
"""The units of this host that no stand-in has started."""


def shown(name: str, wanted: list[str]) -> str:
    told = {
        "Id": name,
        "LoadState": "not-found",
        "ActiveState": "inactive",
        "SubState": "dead",
        "Result": "success",
    }
    told |= {"ExecMainCode": "0", "ExecMainStatus": "0"}
    told |= {"LoadState": "loaded"} if name in OWN_UNITS else {}
    told |= behaviour("units", {}).get(name, {})
    folder = f"{HOST}/units/{name}"
    if os.path.exists(folder):
        told |= {"LoadState": "loaded", "ActiveState": "active", "SubState": "running"}
        if os.path.exists(f"{folder}/exit"):
            code = int(read(f"{folder}/exit"))
            killed = code < 0
            told |= {
                "SubState": "failed" if code else "exited",
                "ActiveState": "failed" if code else "active",
                "Result": "signal" if killed else "exit-code" if code else "success",
                "ExecMainCode": "2" if killed else "1",
                "ExecMainStatus": str(abs(code)),
            }
    return "\n".join(f"{key}={told[key]}" for key in wanted if key in told)


COMMANDS: dict[str, Callable[[list[str]], int]] = {
    "nixos-rebuild": nixos_rebuild,
    "switch-to-configuration": switch_to_configuration,
    "systemd-run": systemd_run,
    "systemctl": systemctl,
}

if __name__ == "__main__":
    with open(f"{HOST}/calls", "a") as calls:
        calls.write(" ".join(" ".join(each.split()) for each in sys.argv[2:]) + "\n")
    sys.exit(COMMANDS[sys.argv[2]](sys.argv[3:]))
