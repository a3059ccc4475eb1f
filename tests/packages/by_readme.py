"""The commands of README's section about installing, word by word, and who types them."""

import hashlib
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.packages.clean import CACHE, NUMBERS
from tests.support.systemd import CHECKOUT, Machine

SECTION = re.compile(r"^## Install and uninstall\n(.*?)^## ", re.MULTILINE | re.DOTALL)
BLOCK = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)
FISH = re.compile(r"^fish completes after `([^`]+)`", re.MULTILINE)
EXTRA = re.compile(r"`pip (install '[^`]+')` instead adds the simulated swarm")
BUILDERS = ("hatchling", "packaging", "pathspec", "pluggy", "tomlkit", "trove-classifiers")
"""What `pip install .` fetches to build the wheel."""
INSIDE = "/root/vipconsole"
"""Where the checkout lies in a clean root."""
PATHS = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Readme:
    """What README says about installing."""

    section: str

    @property
    def blocks(self) -> list[list[str]]:
        return [block.splitlines() for block in BLOCK.findall(self.section)]

    def installation(self, way: str) -> list[str]:
        """Return the lines that install, with their prompts."""
        deb, wheel, _ = self.blocks
        return {"deb": deb, "wheel": wheel}[way]

    def upgrade(self, way: str) -> list[str]:
        """Return the lines that install over an older version, also where its number is the same."""
        lines, said = self.installation(way), " ".join(self.section.split())
        if way == "deb":
            assert "install the new package (with `--reinstall` where its number is the same)" in said
            return [lines[0].replace("apt install", "apt install --reinstall")]
        assert "repeat the first and the third line in the new checkout" in said
        return [lines[0], lines[2]]

    @property
    def removal(self) -> list[str]:
        """The lines that remove what the lines for a wheel have installed."""
        return self.blocks[2]

    @property
    def for_fish(self) -> str:
        """The line that lets fish complete after an installation of a wheel."""
        (found,) = FISH.findall(self.section)
        return str(found)

    @property
    def with_simulation(self) -> str:
        """The arguments for pip of the installation that has the simulated swarm."""
        (found,) = EXTRA.findall(self.section)
        return str(found)


def readme() -> Readme:
    (section,) = SECTION.findall((CHECKOUT / "README.md").read_text("utf-8"))
    return Readme(section)


@dataclass(frozen=True)
class Person:
    """Somebody who types on a clean Debian, in the checkout as root and at home as anybody else."""

    name: str
    machine: Machine

    @property
    def home(self) -> str:
        return "/root" if self.name == "root" else f"/home/{self.name}"

    def command(self, *words: str) -> tuple[str, ...]:
        """Return the command that lets the person do something with the groups and the variables of a login."""
        who = ("setpriv", f"--reuid={self.name}", f"--regid={self.name}", "--init-groups")
        variables = (PATHS, f"HOME={self.home}", f"USER={self.name}", "LANG=C.UTF-8", "TERM=xterm")
        # Nothing is fetched: the libraries lie beside.
        offline = ("PIP_NO_INDEX=1", "PIP_FIND_LINKS=/wheels", "PIP_ROOT_USER_ACTION=ignore")
        return (*who, "env", "-i", *variables, *offline, *words)

    def types(self, line: str, within_s: float = 200.0) -> subprocess.CompletedProcess[bytes]:
        """Type a line into bash, and return how it ended."""
        where = INSIDE if self.name == "root" else self.home
        words = self.command("bash", "-c", f"cd {where} && {line}")
        return self.machine.call(*words, within_s=within_s)


def follow(lines: list[str], root: Person, suite: str, *others: Person) -> None:
    """Type lines of README: what has `#` before it as root, what has `$` as everybody."""
    for line in lines:
        prompt, command = line.split(" ", 1)
        # As its comment says.
        command = command.replace("+deb12", f"+deb{NUMBERS[suite]}")
        for person in (root,) if prompt == "#" else (root, *others):
            done = person.types(command)
            # The program's own exit code tells how the network is.
            most = 2 if command.startswith("vipconsole ") else 0
            assert done.returncode <= most, f"{line}: {done.stdout.decode()}{done.stderr.decode()}"


def wheels(suite: str) -> Path:
    """Return a folder with the libraries for a release, and what builds the wheel; it is fetched once."""
    parts = re.split(r"\n(?=\S)", (CHECKOUT / "requirements-dev.lock").read_text("utf-8"))
    builders = "\n".join(part for part in parts if part.partition("==")[0] in BUILDERS) + "\n"
    libraries = CHECKOUT / "requirements.lock"
    digest = hashlib.sha256(libraries.read_bytes() + builders.encode()).hexdigest()[:12]
    folder = CACHE / f"{suite}-wheels" / digest
    if not folder.is_dir():
        shutil.rmtree(folder.parent, ignore_errors=True)
        making = folder.with_suffix(".part")
        making.mkdir(parents=True)
        lock = making / "builders.lock"
        lock.write_text(builders)
        pip = Path(sys.executable).with_name("pip")
        script = str(CHECKOUT / "debian/wheels.sh")
        subprocess.run([script, pip, suite, making, libraries, lock], check=True, timeout=280)
        making.rename(folder)
    return folder
