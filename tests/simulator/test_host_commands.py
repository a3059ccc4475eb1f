"""The commands of the demo's host do what the program reads of the real ones."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from console.errors import UsageError
from console.runbook.language.file import read_runbook
from console.runbook.language.source import shipped_runbook
from console.simulator.host.demo_host import demo_folder
from console.simulator.host.faults import arm_fault, disarm_faults, parse_fault, take_fault
from console.simulator.host.processes import wait_until
from console.simulator.host.tree import SHORTER, make_tree, shorter

pytestmark = pytest.mark.process


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return the folder of a demo host without an engine."""
    folder = tmp_path / "demo"
    make_tree(folder, shorter(shipped_runbook().read_text()))
    return folder


def run_command(root: Path, name: str, *arguments: str, code: int = 0) -> str:
    """Return what a command of the host output, on both streams."""
    done = subprocess.run(
        [root / "bin" / name, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=60,
        cwd=root,
        env={"PATH": f"{root}/bin:/usr/bin:/bin"},
    )
    assert done.returncode == code, done.stdout
    return done.stdout


def properties_of(root: Path, unit: str, *properties: str) -> dict[str, str]:
    output = run_command(
        root, "systemctl", "show", "--no-pager", f"--property={','.join(properties)}", "--", unit
    )
    return dict(line.split("=", 1) for line in output.splitlines())


def test_the_runbook_of_the_host_is_the_shipped_one_with_shorter_waits(root: Path) -> None:
    shipped = read_runbook(shipped_runbook())
    own = read_runbook(root / "etc/vipconsole/runbook.yaml")
    assert [step.id for step in own.steps] == [step.id for step in shipped.steps]
    changed = [
        before.id
        for before, after in zip(shipped.steps, own.steps, strict=True)
        if before.action != after.action
    ]
    assert {"quiescent", "recreate"} <= set(changed)
    assert (
        len(shorter(shipped_runbook().read_text()).splitlines())
        == len(shipped_runbook().read_text().splitlines()) + 2
    )
    with pytest.raises(AssertionError, match=SHORTER[0][0]):
        shorter("another runbook")


def test_a_build_holds_the_script_of_the_file_and_a_switch_makes_it_run(root: Path) -> None:
    old = (root / "run/current-system").resolve()
    swarm_nix = root / "etc/nixos/nix/modules/swarm.nix"
    swarm_nix.write_text(
        swarm_nix.read_text().replace("--attachable proxy", "--attachable --subnet 10.10.0.0/16 proxy")
    )
    run_command(
        root,
        "nixos-rebuild",
        "build",
        "--flake",
        f"{root}/etc/nixos#ci-host",
        "--log-format",
        "internal-json",
    )
    new = (root / "result").resolve()
    assert new != old
    scripts = (root / "nix/store").glob("*-unit-script-swarm-init-start")
    (script,) = [each for each in scripts if "10.10.0.0/16" in each.read_text()]
    assert str(script) in (new / "etc/systemd/system/swarm-init.service").read_text()
    output = run_command(root, "nix", "store", "diff-closures", str(old), str(new))
    assert output.startswith("unit-swarm-init.service")
    dry = run_command(root, str(new / "bin/switch-to-configuration"), "dry-activate")
    assert "would restart the following units: swarm-init.service" in dry
    assert (root / "run/current-system").resolve() == old
    run_command(root, "nixos-rebuild", "switch", "--no-reexec", "--store-path", str(new))
    assert (root / "run/current-system").resolve() == new
    assert (root / "nix/var/nix/profiles/system").resolve() == new


def test_a_file_that_is_no_nix_does_not_build(root: Path) -> None:
    (root / "etc/nixos/nix/modules/swarm.nix").write_text("{ a = ")
    output = run_command(root, "nixos-rebuild", "build", "--flake", f"{root}/etc/nixos#ci-host", code=1)
    assert "syntax error" in output
    parsed = run_command(
        root, "nix-instantiate", "--parse", f"{root}/etc/nixos/nix/modules/swarm.nix", code=1
    )
    assert "error: syntax error" in parsed


def test_a_transient_unit_is_known_until_it_is_forgotten(root: Path) -> None:
    log = root / "log"
    started = (
        "--unit=x",
        "--remain-after-exit",
        f"--property=StandardOutput=append:{log}",
        "--setenv=A=b c",
        "--",
    )
    run_command(root, "systemd-run", *started, "/bin/sh", "-c", 'echo "$$A"; exit 3')
    again = run_command(root, "systemd-run", *started, "/bin/true", code=1)
    assert "already loaded" in again
    wanted = {"ActiveState": "failed", "ExecMainStatus": "3", "Result": "exit-code"}
    assert any(properties_of(root, "x.service", *wanted) == wanted for _ in range(500))
    assert log.read_text() == "b c\n"
    run_command(root, "systemctl", "reset-failed", "--", "x.service")
    assert properties_of(root, "x.service", "LoadState") == {"LoadState": "not-found"}


def test_units_of_the_host_are_found_by_name_and_by_glob(root: Path) -> None:
    assert properties_of(root, "docker.service", "LoadState", "ActiveState") == {
        "LoadState": "loaded",
        "ActiveState": "active",
    }
    output = run_command(root, "systemctl", "show", "--no-pager", "--property=Id", "--", "docker*")
    assert output.split() == ["Id=docker.service", "Id=docker.socket"]
    assert run_command(root, "systemctl", "list-jobs") == ""
    assert json.loads(run_command(root, "systemctl", "list-timers", "--output=json")) == []
    assert json.loads(run_command(root, "loginctl", "list-sessions", "--output=json")) == []
    assert "Unknown command verb" in run_command(root, "systemctl", "daemon-reload", code=1)


def test_the_commands_need_a_root_of_their_own() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "console.simulator.host", "systemctl", "restart", "--", "docker.service"],
        capture_output=True,
        check=False,
        env={"PATH": os.environ["PATH"]},
        timeout=60,
    )
    assert done.returncode == 64


def test_a_fault_is_named_exactly_and_happens_once(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    assert parse_fault("switch") == ("switch", "units")
    assert parse_fault("switch=refused") == ("switch", "refused")
    with pytest.raises(UsageError, match=r"did you mean build\?"):
        parse_fault("builds")
    arm_fault(tmp_path, "build", "builder")
    arm_fault(tmp_path, "switch", "units")
    assert [take_fault(tmp_path, "build") for _ in range(2)] == ["builder", ""]
    disarm_faults(tmp_path)
    assert take_fault(tmp_path, "switch") == ""


def test_where_the_host_is() -> None:
    assert demo_folder({"HOME": "/home/a"}) == Path("/home/a/.local/state/vipconsole/demo")
    assert demo_folder({"HOME": "/home/a", "XDG_STATE_HOME": "/s"}) == Path("/s/vipconsole/demo")


def test_a_unit_that_ends_and_is_collected_at_once_has_been_started(root: Path) -> None:
    # Each may be gone before it is seen; the command waits for none of them.
    for number in range(5):
        run_command(root, "systemd-run", f"--unit=short-{number}", "--collect", "--", "/bin/true")


def test_blocking_waits_check_once_at_least_and_end_with_their_time() -> None:
    answers = iter((False, False, True))
    assert wait_until(lambda: next(answers), 100)
    assert wait_until(lambda: True, 0)
    assert not wait_until(lambda: False, 0)
