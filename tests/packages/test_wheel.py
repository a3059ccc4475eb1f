"""The wheel: complete, small, without tests; what is in it works where there is no checkout."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.support.manual import COMPLETIONS, PAGE
from tests.support.systemd import CHECKOUT

RUNBOOK = "console/runbook/runbook.yaml"
LARGEST = 3_000_000
SHARED = {
    "share/man/man1/vipconsole.1": PAGE,
    "share/bash-completion/completions/vipconsole": COMPLETIONS["bash"],
    "share/zsh/site-functions/_vipconsole": COMPLETIONS["zsh"],
    "share/fish/vendor_completions.d/vipconsole.fish": COMPLETIONS["fish"],
}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=CHECKOUT,
        check=True,
        capture_output=True,
        timeout=200,
    )
    (built,) = folder.glob("*.whl")
    return built


def test_it_has_every_file_of_the_program_and_no_other(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as packed:
        content = {name: packed.read(name) for name in packed.namelist()}
    program = {
        str(path.relative_to(CHECKOUT))
        for folder in ("console", "screens")
        for path in (CHECKOUT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    endings = {Path(name).suffix for name in program}
    assert endings >= {".py", ".tcss", ".json", ".service", ".timer", ".sh", ".nix"}
    others = {name for name in content if ".dist-info/" not in name and ".data/" not in name}
    assert others == program | {RUNBOOK}
    shared = {name.partition(".data/data/")[2]: content[name] for name in content if ".data/" in name}
    assert shared == {name: path.read_bytes() for name, path in SHARED.items()}
    assert wheel.stat().st_size < LARGEST


def test_the_shipped_runbook_and_script_are_found_in_it(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(tmp_path)
    # The other file that is no Python and without which a command fails only when it is needed.
    assert (tmp_path / "console" / "host" / "temporary" / "temporary-manager.sh").is_file()
    where = "from console.runbook.language.source import default_runbook; print(default_runbook())"
    said = subprocess.run(
        [sys.executable, "-c", where],
        cwd="/",
        env={"PYTHONPATH": str(tmp_path)},
        check=True,
        capture_output=True,
        text=True,
        timeout=100,
    )
    found = Path(said.stdout.strip())
    assert found == tmp_path / RUNBOOK
    assert found.read_bytes() == (CHECKOUT / "runbook.yaml").read_bytes()
