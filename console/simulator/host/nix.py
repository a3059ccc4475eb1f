"""Stand-ins for the commands of Nix and NixOS. A system is a folder; what its units run comes from the Nix file.

There is no Nix: the file is read by the parser that the program itself edits it by, and nothing is evaluated.
"""

import fcntl
import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from console.simulator.host.faults import take_fault
from console.simulator.host.systemd import complain, put_line, set_unit

SYSTEM = "nixos-system-ci-host-25.11"
UNITS = "etc/systemd/system"
ANSWERS = {
    "nixos-rebuild": (
        "--help",
        "nixos-rebuild {switch|build} [--flake FLAKE] [--no-reexec] [--store-path STORE_PATH] [--log-format FORMAT]",
    ),
    "nix-instantiate": ("--version", "nix-instantiate (Nix) 2.28.4"),
}
"""What a command always says to one question: its script answers that, and no Python starts for it."""
CERTS = "certs.service"
"""The unit that fails where a switch is to leave a failed unit."""
_ALPHABET = "0123456789abcdfghijklmnpqrsvwxyz"
_PAUSE_S = 0.3
"""Between two lines of a build or a switch, which are seen to come one by one. What plays these commands has no event loop."""


def nixos_rebuild(root: Path, arguments: Sequence[str]) -> int:
    """Build the system of a flake, or switch to a system that is built."""
    if arguments[:1] == ["build"] and "--flake" in arguments:
        return _build(root, Path(_after(arguments, "--flake").partition("#")[0]))
    if arguments[:1] == ["switch"] and "--store-path" in arguments:
        return _switch(root, _after(arguments, "--store-path"))
    return complain(f"nixos-rebuild: error: unrecognized arguments: {' '.join(arguments)}", 2)


def _build(root: Path, flake: Path) -> int:
    _say("building the system configuration...")
    _event(action="start", id=1, type=104, text="", level=0)
    for number, part in enumerate(("unit-script-swarm-init-start", "unit-swarm-init.service", SYSTEM), 1):
        _event(action="result", id=1, type=105, fields=[number - 1, 3, 0, 0])
        _event(action="start", id=10 + number, type=105, level=3, text=f"building '/nix/store/{part}.drv'")
        time.sleep(_PAUSE_S)
    if take_fault(root, "build"):
        error = "error: builder for '/nix/store/unit-swarm-init.service.drv' failed with exit code 1"
        _event(action="msg", level=0, msg=error)
        return 1
    try:
        system = build_system(root, flake)
    except (OSError, ValueError) as error:
        _event(action="msg", level=0, msg=f"error: {error}")
        return 1
    _event(action="result", id=1, type=105, fields=[3, 3, 0, 0])
    replace_link(Path("result"), system)
    put_line(str(system))
    return 0


def build_system(root: Path, flake: Path) -> Path:
    """Return the system that a repository describes, made in the store unless it is there. Raises OSError, ValueError."""
    from console.nixos.source import NixSource  # noqa: PLC0415 - most commands read no Nix file

    data = (flake / "nix/modules/swarm.nix").read_bytes()
    source = NixSource(data)
    broken = source.first_unreadable_line()
    if broken is not None:
        raise ValueError(f"syntax error in nix/modules/swarm.nix, line {broken}")
    scripts = [text.content for text in source.texts() if b"docker network create" in text.content]
    script = _stored(root, "unit-script-swarm-init-start", b"\n".join(scripts))
    units = {
        "swarm-init.service": f"[Service]\nType=oneshot\nRemainAfterExit=true\nExecStart={script}\n",
        "docker.service": f"[Service]\nExecStart=dockerd\n# {(flake / 'daemon.json').read_text()}\n",
        CERTS: "[Service]\nType=oneshot\nExecStart=renew-certs\n",
    }
    system = store_path(root, SYSTEM, json.dumps(units, sort_keys=True).encode())
    if not system.exists():
        for name, text in units.items():
            _write(system / UNITS / name, text, 0o600)
        command = f'#!/bin/sh\nexec {root}/bin/switch-to-configuration "{system}" "$@"\n'
        _write(system / "bin/switch-to-configuration", command, 0o700)
    return system


def store_path(root: Path, name: str, content: bytes) -> Path:
    """Return where something of this content lies in the store of a host."""
    digest = hashlib.sha256(content).digest()
    return root / "nix/store" / f"{''.join(_ALPHABET[byte % 32] for byte in digest)}-{name}"


def _stored(root: Path, name: str, content: bytes) -> Path:
    path = store_path(root, name, content)
    _write(path, content.decode(), 0o700)
    return path


def _write(path: Path, text: str, mode: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)


def _switch(root: Path, system: str) -> int:
    nix_env(root, ("--set", system))
    result = subprocess.run([f"{system}/bin/switch-to-configuration", "switch"], check=False)  # noqa: S603 - a path that it was given
    if result.returncode:
        return result.returncode
    _say(f"Done. The new configuration is {system}")
    return 0


def switch_to_configuration(root: Path, arguments: Sequence[str]) -> int:
    """Make a system the one that runs, or tell what that would do. Two at a time are refused."""
    system, action = Path(arguments[0]), arguments[1]
    lock = root / "run/nixos/switch-to-configuration.lock"
    with lock.open("a") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return complain("Could not acquire lock", 11)
        changed = _changed(root / "run/current-system", system)
        if action == "dry-activate":
            _say("would activate the configuration...")
            _listed("would restart the following units: ", changed)
            return 0
        return _activate(root, system, changed)


def _activate(root: Path, system: Path, changed: Sequence[str]) -> int:
    reason = take_fault(root, "switch")
    if reason == "refused":
        return complain("Pre-switch check 'switchInhibitors' failed", 1)
    _say("activating the configuration...")
    time.sleep(_PAUSE_S)
    replace_link(root / "run/current-system", system.resolve())
    _listed("restarting the following units: ", changed)
    for name in changed:
        set_unit(root, name, "active")
    time.sleep(_PAUSE_S)
    if reason == "units":
        set_unit(root, CERTS, "failed")
        return complain(f"warning: the following units failed: {CERTS}", 4)
    set_unit(root, CERTS, "active")
    return 0


def _changed(running: Path, system: Path) -> list[str]:
    before, after = _units_of(running), _units_of(system)
    return sorted(name for name, text in after.items() if before.get(name) != text)


def _units_of(system: Path) -> Mapping[str, str]:
    return {path.name: path.read_text() for path in (system / UNITS).glob("*.service")}


def nix_env(root: Path, arguments: Sequence[str]) -> int:
    """Let the next boot start a system (`--profile PROFILE --set SYSTEM`)."""
    replace_link(root / "nix/var/nix/profiles/system", Path(_after(arguments, "--set")))
    return 0


def nix_store(root: Path, arguments: Sequence[str]) -> int:
    """Keep a store path by a link (`--realise PATH --add-root LINK --indirect`)."""
    path = Path(_after(arguments, "--realise"))
    if not path.is_relative_to(root / "nix/store") or not path.exists():
        return complain(f"error: path '{path}' is not valid", 1)
    replace_link(Path(_after(arguments, "--add-root")), path)
    put_line(str(path))
    return 0


def nix(_: Path, arguments: Sequence[str]) -> int:
    """Tell how two systems differ (`store diff-closures OLD NEW`)."""
    if list(arguments[-4:-2]) != ["store", "diff-closures"]:
        return complain(f"error: '{' '.join(arguments)}' is not a recognised command", 1)
    changed = _changed(Path(arguments[-2]), Path(arguments[-1]))
    for name in changed:
        put_line(f"unit-{name}: ε → ∅, +0.1 KiB")
    return 0


def nix_instantiate(_: Path, arguments: Sequence[str]) -> int:
    """Print a Nix file as it was understood (`--parse FILE`), or complain about it."""
    from console.nixos.source import NixSource  # noqa: PLC0415 - most commands read no Nix file

    data = Path(_after(arguments, "--parse")).read_bytes()
    broken = NixSource(data).first_unreadable_line()
    if broken is not None:
        return complain(f"error: syntax error at {arguments[-1]}:{broken}:1:", 1)
    sys.stdout.buffer.write(data)
    return 0


def replace_link(link: Path, target: Path) -> None:
    """Let a link lead somewhere else, in one step."""
    new = link.with_name(f"{link.name}.new")
    new.unlink(missing_ok=True)
    new.symlink_to(target)
    new.replace(link)


def _after(arguments: Sequence[str], option: str) -> str:
    return arguments[list(arguments).index(option) + 1]


def _event(**event: object) -> None:
    _say(f"@nix {json.dumps(event)}")


def _listed(phrase: str, units: Sequence[str]) -> None:
    if units:
        _say(phrase + ", ".join(units))


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
