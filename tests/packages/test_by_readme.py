"""An installation by README, word by word: on each release, by package and by wheel, as root and as a user of group docker."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from console import __version__
from tests.packages.by_readme import INSIDE, Person, Readme, follow, readme, wheels
from tests.packages.clean import NUMBERS, clean_debian, files
from tests.support.engines import simulation
from tests.support.systemd import CHECKOUT, Machine
from tests.support.terminal import on_terminal

pytestmark = [pytest.mark.package, pytest.mark.timeout(600)]
SOCKET = "/var/run/docker.sock"
DOCKER = 2375
"""The number of group docker."""
PEOPLE = {"op": 1000, "guest": 1001}
WAYS = ("deb", "wheel")
# A shell keeps something of its own at home.
COMPLETING = {
    "bash": "HOME=/tmp bash -ic '. /usr/share/bash-completion/bash_completion; _completion_loader vipconsole; complete -p vipconsole'",
    "zsh": "HOME=/tmp zsh -ic 'autoload -U compinit; compinit -u -D; echo $_comps[vipconsole]'",
    "fish": "HOME=/tmp fish -c 'complete -C \"vipconsole gl\"'",
}
OFFERS = {"bash": "complete -o", "zsh": "_vipconsole", "fish": "glance"}
FOLDERS = ("/.local", "/.local/state")
"""Everybody's, for every program."""
BY_ZSH = {"/usr/local/share/zsh", "/usr/local/share/zsh/site-functions"}
"""Debian's zsh makes them, and needs neither: they go with what README puts there where nothing else is in them."""


@pytest.fixture(params=NUMBERS)
def suite(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def debian(suite: str) -> Iterator[Machine]:
    """Give a Debian with the checkout and an engine whose socket is for root and for group docker."""
    with simulation("evening") as served:
        os.chown(served.socket, 0, DOCKER)
        served.socket.chmod(0o660)
        binds = ((CHECKOUT, INSIDE), (wheels(suite), "/wheels"), (served.socket, SOCKET))
        with clean_debian(suite, *binds) as machine:
            add_people(machine)
            # The engine calls itself so.
            machine.run("hostname", "ci-host")
            yield machine


def add_people(machine: Machine) -> None:
    """Let there be `op`, who is in group docker, and `guest`, who is not; a small Debian has no useradd."""
    people = "\n".join(
        f"{name}:x:{number}:{number}::/home/{name}:/bin/bash" for name, number in PEOPLE.items()
    )
    groups = "\n".join((f"docker:x:{DOCKER}:op", *(f"{name}:x:{number}:" for name, number in PEOPLE.items())))
    for text, path in ((people, "/etc/passwd"), (groups, "/etc/group")):
        machine.run("tee", "-a", path, given=f"{text}\n".encode())
    for name in PEOPLE:
        machine.run("install", "-d", "-o", name, "-g", name, f"/home/{name}")


@pytest.mark.parametrize("way", WAYS)
def test_what_readme_says_installs_for_root_and_for_group_docker_and_removes_all_of_it(
    way: str, suite: str, debian: Machine, tmp_path: Path
) -> None:
    root, op, guest = (Person(name, debian) for name in ("root", "op", "guest"))
    before = files(debian)
    text = readme()
    follow(text.installation(way), root, suite)
    if way == "wheel":
        assert root.types(text.for_fish).returncode == 0
    for person in (root, op):
        see_the_swarm(person)
    outside = guest.types("vipconsole glance")
    assert outside.returncode == 3
    assert "join the group that owns the socket" in " ".join(outside.stdout.decode().split())
    upgrade(root, way, suite, text)
    if way == "wheel":
        add_the_simulated_swarm(root, op, text.with_simulation)
    for person in (root, op):
        see_the_demo(person, tmp_path)
    if way == "deb":
        assert root.types("apt remove -y vipconsole && apt purge -y vipconsole").returncode == 0
        follow([line for line in text.removal if line.startswith("$")], root, suite, op)
    else:
        follow(text.removal, root, suite, op)
    assert files(debian) - before <= {f"{person.home}{folder}" for person in (root, op) for folder in FOLDERS}
    assert before - files(debian) <= BY_ZSH


def see_the_swarm(person: Person) -> None:
    assert person.types("vipconsole --version").stdout.split()[-1].decode() == __version__
    glance = person.types("vipconsole glance")
    assert (glance.returncode, glance.stderr) == (2, b""), glance
    assert b"proxy has 4 of 253 free, 12 leaked" in glance.stdout
    doctor = person.types("vipconsole doctor --all")
    said = " ".join(doctor.stdout.decode().split())
    assert "unix:///var/run/docker.sock answers: ci-host, a manager" in said
    if person.name == "root":
        assert "It runs as root: it may look, and change what you confirm." in said
    else:
        assert "It does not run as root: it may look." in said
        refused = person.types("vipconsole reclaim --by restart")
        assert refused.returncode == 3
        assert b"Run it with sudo" in refused.stderr
    # No systemd runs there.
    assert "systemctl enable" not in said
    for shell, line in COMPLETING.items():
        assert OFFERS[shell] in person.types(line).stdout.decode(), (shell, person.types(line))
    assert b"vipconsole.1" in person.types("man -w vipconsole").stdout


def upgrade(root: Person, way: str, suite: str, text: Readme) -> None:
    """Install over what another version has left, also where its number is the same."""
    program = "/opt/vipconsole/lib/python3.*/site-packages/console"
    assert root.types(f"echo broken >$(echo {program}/text.py)").returncode == 0
    assert root.types("vipconsole glance").returncode == 1
    follow(text.upgrade(way), root, suite)
    assert root.types("vipconsole glance").returncode == 2


def add_the_simulated_swarm(root: Person, op: Person, arguments: str) -> None:
    for person, command in ((root, "`/opt/"), (op, "`sudo /opt/")):
        refused = person.types("vipconsole glance --demo")
        assert refused.returncode == 3
        assert f"{command}vipconsole/bin/python3 -m pip install aiohttp`" in " ".join(
            refused.stderr.decode().split()
        )
    assert root.types(f"/opt/vipconsole/bin/pip {arguments}").returncode == 0


def see_the_demo(person: Person, folder: Path) -> None:
    glance = person.types("vipconsole glance --demo")
    assert (glance.returncode, b"proxy" in glance.stdout) == (2, True), glance
    check = person.types("vipconsole run --demo --check")
    assert b"GOES DOWN" in check.stdout, check
    command = tuple(person.machine.entering(*person.command("vipconsole", "--demo")))
    with on_terminal(command=command, folder=folder, size=(100, 30)) as shown:
        shown.until_shown("SIMULATED")
        shown.until_shown("proxy")
        shown.send(b"q")
        assert shown.end() == 0
        assert shown.is_given_back
