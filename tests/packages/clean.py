"""A clean Debian in namespaces of its own, without a network, in which a package is installed as on a new host."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from pwd import getpwuid

from console import __version__
from tests.support.systemd import CHECKOUT, Machine

ROOT = CHECKOUT / "debian" / "root.sh"
NUMBERS = {"bookworm": 12, "trixie": 13}
"""The releases for which there is a package, and their numbers."""
CACHE = Path(getpwuid(0).pw_dir) / ".cache/vipconsole-roots"
STATE = "var/lib/vipconsole"
_UNLISTED = ("/var/lib/dpkg", "/var/lib/apt", "/var/cache", "/var/log", "/tmp")  # noqa: S108 - as below


def package(suite: str) -> str:
    """Return the name of the package that `make deb` has built for a release."""
    (found,) = (CHECKOUT / "dist").glob(f"vipconsole_{__version__}+deb{NUMBERS[suite]}_*.deb")
    return found.name


@contextmanager
def clean_debian(suite: str, *binds: tuple[Path, str]) -> Iterator[Machine]:
    """Give a clean root of a release in which `dist` is /dist; it is gone afterwards. `binds` are seen inside too."""
    pairs = ((CHECKOUT / "dist", "/dist"), *binds)
    shown = [word for place, inside in pairs for word in ("--bind", str(place), inside)]
    waiting = ("sh", "-c", "echo ready; exec sleep infinity")
    command = [str(ROOT), f"{suite}-host", "--offline", *shown, *waiting]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as keeper:
        assert keeper.stdout is not None
        assert keeper.stdout.readline() == b"ready\n"
        machine = Machine(_child(_child(keeper.pid)))
        try:
            yield machine
        finally:
            subprocess.run(["kill", "-9", str(machine.init)], check=True)
            keeper.wait(60)


def _child(parent: int) -> int:
    (only,) = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return int(only)


def install(machine: Machine, name: str) -> str:
    """Install a package, and return what was said."""
    return machine.run("dpkg", "-i", name if name.startswith("/") else f"/dist/{name}")


def older(machine: Machine, name: str) -> str:
    """Make the same package as a version before, with a module that is no longer there, and return its path."""
    folder = "/tmp/older"  # noqa: S108 - of a root that is one test's own
    machine.run(
        "sh",
        "-ec",
        f"""dpkg-deb -R /dist/{name} {folder}
        sed -i 's/^Version: .*/Version: 0.0.1/' {folder}/DEBIAN/control
        echo old = 1 >"$(echo {folder}/opt/vipconsole/lib/python3.*/site-packages/console)/gone.py"
        dpkg-deb --root-owner-group -Znone -b {folder} {folder}.deb
        rm -r {folder}""",
    )
    return f"{folder}.deb"


def files(machine: Machine) -> set[str]:
    """Return every file and folder, but what dpkg, apt and man keep about all packages."""
    pruned = " -o ".join(f"-path {path}" for path in _UNLISTED)
    listed = machine.run("sh", "-c", f"find / -xdev \\( {pruned} \\) -prune -o -print")
    return set(listed.splitlines())
