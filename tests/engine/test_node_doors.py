"""The doors to a real node: dockerd behind TLS by a docker context, dockerd and its journal behind a real sshd.

The program runs beside them as an operator's does, with the keys and the known hosts of a home directory. How ssh, sshd and
dockerd fail is told in a sentence and a hint.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.engine.daemon import Daemon
from tests.engine.lab import PATH, Engine, running_engine
from tests.engine.namespaces import run
from tests.journal.journals import daemon, foreign, write_journal
from tests.journal.lines import vip_line
from tests.support.program import vipconsole

pytestmark = pytest.mark.engine

TLS_PORT, SSH_PORT, HANGING_PORT = 2376, 2222, 2223
TLS = f"tcp://127.0.0.1:{TLS_PORT}"
SSH = f"ssh://root@127.0.0.1:{SSH_PORT}"
BANNER = "This machine is watched.\nWho has no business here leaves.\n"
ACCOUNTS = """root:x:0:0:root:{home}:/bin/bash
sshd:x:{sshd}:65534::/run/sshd:/usr/sbin/nologin
nobody:x:65534:65534:nobody:/nonexistent:/bin/sh
"""
SHADOW = "root:*:19000:0:99999:7:::\nsshd:*:19000:0:99999:7:::\nnobody:*:19000:0:99999:7:::\n"


class Authority:
    """A certificate authority in a folder of its own, and what it signs."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        self._make("ca", "-subj", f"/CN=ca-{folder.name}")

    def sign(self, name: str, use: str) -> tuple[str, str]:
        """Return the files of a new certificate for 127.0.0.1 and of its key; it may be used as server or as client."""
        self._make(
            name, "-CA", f"{self.folder}/ca.pem", "-CAkey", f"{self.folder}/ca-key.pem", "-subj", f"/CN={name}",
            "-addext", "subjectAltName=IP:127.0.0.1", "-addext", f"extendedKeyUsage={use}Auth",
            "-addext", "basicConstraints=critical,CA:FALSE",
        )  # fmt: skip
        return f"{self.folder}/{name}.pem", f"{self.folder}/{name}-key.pem"

    def _make(self, name: str, *options: str) -> None:
        files = ("-out", f"{self.folder}/{name}.pem", "-keyout", f"{self.folder}/{name}-key.pem")
        key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
        run(["openssl", "req", "-x509", "-days", "2", *key, *files, *options])


class Place:
    """A node that is reached in every way, and the program beside it."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self.engine, self.folder = engine, folder
        self.home = folder / "home"

    def glance(self, *nodes: str, call_timeout_s: float = 50, **environment: str) -> dict[str, Any]:
        """Return what a glance tells of nodes, by their names; each is given as the lines of its table."""
        rows = "".join(f"[[node]]\n{node}\n" for node in nodes)
        (self.folder / "config.toml").write_text(f"[snapshot]\ncall_timeout_s = {call_timeout_s}\n{rows}")
        answer = vipconsole(
            "glance", "--json", "--host", self.engine.host, "--config", str(self.folder / "config.toml"),
            environment=environment, home=self.home, inside=self.engine.namespaces.inside,
        )  # fmt: skip
        assert answer.code in (0, 1, 2), answer
        assert "Warning" not in answer.err
        return {each["name"]: each for each in answer.json["nodes"]}

    def create_context(self, name: str, **options: str) -> None:
        """Let the docker command make a context; no other file is there when the first is made."""
        told = ",".join(f"{key.replace('_', '-')}={value}" for key, value in options.items())
        environment = {**os.environ, "PATH": PATH, "HOME": str(self.home)}
        run(["docker", "context", "create", name, "--docker", told], environment=environment)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("doors")
    ours, theirs = Authority(folder / "ours"), Authority(folder / "theirs")
    ca = f"{ours.folder}/ca.pem"
    certificate, key = ours.sign("engine", "server")
    options = ("--tlsverify", "--tlscacert", ca, "--tlscert", certificate, "--tlskey", key, "--host", TLS)
    with running_engine("there", options=options) as engine:
        place = Place(engine, folder)
        open_ssh(place)
        own, own_key = ours.sign("operator", "client")
        other, other_key = theirs.sign("stranger", "client")
        place.create_context("well", host=TLS, ca=ca, cert=own, key=own_key)
        place.create_context("stranger", host=TLS, ca=ca, cert=other, key=other_key)
        place.create_context("doubted", host=TLS, ca=f"{theirs.folder}/ca.pem", cert=own, key=own_key)
        place.create_context(
            "trusting", host=TLS, ca=f"{theirs.folder}/ca.pem", cert=own, key=own_key, skip_tls_verify="true"
        )
        place.create_context("plain", host=TLS)
        place.create_context("by-ssh", host=SSH)
        with serving(place, SSH_PORT):
            yield place


def open_ssh(place: Place) -> None:
    """Give root a home with keys, a shell that greets, and dockerd's journal; all of it only inside."""
    inside, home = place.engine.namespaces, place.home
    (home / ".ssh").mkdir(parents=True)
    for name, file in (("host", place.folder / "host"), ("operator", home / ".ssh" / "id_ed25519")):
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(file)])
    (home / ".ssh" / "authorized_keys").write_text((home / ".ssh" / "id_ed25519.pub").read_text())
    public = " ".join((place.folder / "host.pub").read_text().split()[:2])
    (home / ".ssh" / "known_hosts").write_text(
        "".join(f"[127.0.0.1]:{port} {public}\n" for port in (SSH_PORT, HANGING_PORT))
    )
    # A port that is taken already, as by another session of the operator's; and one connection for all sessions.
    (home / ".ssh" / "config").write_text(
        f"LocalForward 127.0.0.1:{SSH_PORT} 127.0.0.1:9\n"
        f"ControlMaster auto\nControlPath /run/shared-%C\nControlPersist 600\n"
    )
    (home / ".bashrc").write_text("echo Welcome to this machine.\n")
    (place.folder / "banner").write_text(BANNER)
    for name, text in (("passwd", ACCOUNTS.format(home=home, sshd=100)), ("shadow", SHADOW)):
        (place.folder / name).write_text(text)
        inside.run("mount", "--bind", str(place.folder / name), f"/etc/{name}")
    machine = Path("/etc/machine-id").read_text().strip()
    journals = place.folder / "journal"
    journals.mkdir()
    write_journal(journals / "older.journal", [foreign(1)], int((time.time() - 7200) * 1e6))
    write_journal(journals / "system.journal", [daemon(vip_line())])
    inside.run("mkdir", "-p", "/run/sshd", f"/run/log/journal/{machine}")
    inside.run("cp", "-r", f"{journals}/.", f"/run/log/journal/{machine}")


@contextmanager
def serving(place: Place, port: int) -> Iterator[Daemon]:
    """Let a real sshd listen at a port."""
    settings = place.folder / f"sshd-{port}"
    settings.write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {place.folder}/host\nPidFile none\nUsePAM no\nStrictModes no\n"
        f"PasswordAuthentication no\nKbdInteractiveAuthentication no\nBanner {place.folder}/banner\n"
        "PermitRootLogin prohibit-password\nAuthorizedKeysFile .ssh/authorized_keys\n"
    )
    log = place.folder / f"sshd-{port}.log"
    log.touch()
    sshd = Daemon.start(
        place.engine.namespaces, log, ("/usr/sbin/sshd", "-D", "-e", "-f", str(settings)), dict(os.environ)
    )
    try:
        while "Server listening" not in log.read_text():
            assert not sshd.has_ended(0.02), log.read_text()
        yield sshd
    finally:
        sshd.close()


def is_read(node: dict[str, Any]) -> bool:
    return node["unknown"] is None and "ingress" in {network["name"] for network in node["networks"]}


def test_an_engine_behind_tls_is_read_by_the_certificates_of_its_context(place: Place) -> None:
    nodes = place.glance(
        f'name = "b"\ncontext = "well"\njournal = "{SSH}"',
        # Certificates that the environment names are for addresses, and those of other programs for none.
        DOCKER_TLS_VERIFY="1", DOCKER_CERT_PATH="/nonexistent", REQUESTS_CA_BUNDLE=f"{place.folder}/theirs/ca.pem",
    )  # fmt: skip
    assert is_read(nodes["b"]), nodes
    assert nodes["b"]["is_here"]
    assert [found["signature"] for found in nodes["b"]["journal"]["findings"]] == ["vip-create"]


def test_certificates_of_the_environment_are_for_addresses(place: Place) -> None:
    own = place.folder / "own"
    own.mkdir()
    for name, file in (("ca", "ca"), ("operator", "cert"), ("operator-key", "key")):
        (own / f"{file}.pem").write_bytes((place.folder / "ours" / f"{name}.pem").read_bytes())
    node = f'name = "b"\nhost = "{TLS}"'
    assert is_read(place.glance(node, DOCKER_TLS_VERIFY="1", DOCKER_CERT_PATH=str(own))["b"])
    missing = place.glance(node, DOCKER_TLS_VERIFY="1", DOCKER_CERT_PATH="/nonexistent")["b"]
    assert missing["unknown"] == f"The certificates for the engine at {TLS} are not all there."
    assert "DOCKER_CERT_PATH (ca.pem, cert.pem, key.pem)" in missing["hint"]


def test_what_tls_fails_on_is_told(place: Place) -> None:
    names = ("stranger", "doubted", "trusting", "plain")
    nodes = place.glance(*(f'name = "{name}"\ncontext = "{name}"' for name in names))
    assert is_read(nodes["trusting"]), nodes
    assert nodes["stranger"]["unknown"].startswith(f"The engine at {TLS} ended the connection")
    assert "signed by the CA that dockerd has as --tlscacert" in nodes["stranger"]["hint"]
    assert nodes["doubted"]["unknown"].startswith(f"The certificate of the engine at {TLS} is not accepted: ")
    assert "signed by the CA in ca.pem" in nodes["doubted"]["hint"]
    assert nodes["plain"]["unknown"] == f"The engine at {TLS} wants TLS, and no certificates are set for it."
    assert "DOCKER_CERT_PATH" in nodes["plain"]["hint"]


@pytest.mark.parametrize("way", [f'host = "{SSH}{{socket}}"', 'context = "by-ssh"'])
def test_an_engine_and_its_journal_behind_sshd_are_read_though_a_shell_greets(place: Place, way: str) -> None:
    place.engine.namespaces.run("ln", "-sfn", str(place.engine.socket), "/run/docker.sock")
    node = place.glance(f'name = "b"\n{way.format(socket=place.engine.socket)}')["b"]
    assert is_read(node), node
    assert [found["signature"] for found in node["journal"]["findings"]] == ["vip-create"]
    # The shell's greeting is no entry that was lost.
    assert node["journal"]["is_complete"]


def test_what_ssh_fails_on_is_told(place: Place) -> None:
    nodes = place.glance(
        f'name = "unknown"\nhost = "ssh://root@localhost:{SSH_PORT}"',
        f'name = "refused"\nhost = "ssh://nobody@127.0.0.1:{SSH_PORT}"',
        'name = "absent"\nhost = "ssh://root@127.0.0.1:9"',
        f'name = "without"\nhost = "{SSH}/nonexistent.sock"',
    )
    told = {name: (node["unknown"], node["hint"]) for name, node in nodes.items()}
    assert told["unknown"][0] == "ssh does not reach root@localhost: Host key verification failed."
    assert f"`ssh -p {SSH_PORT} root@localhost` shows the fingerprint" in told["unknown"][1]
    assert told["refused"][0].startswith("ssh does not reach nobody@127.0.0.1: ")
    assert "Permission denied (publickey)." in told["refused"][0]
    assert f"`ssh -o BatchMode=yes -p {SSH_PORT} nobody@127.0.0.1 true` must work" in told["refused"][1]
    assert told["absent"][0] == (
        "ssh does not reach root@127.0.0.1: ssh: connect to host 127.0.0.1 port 9: Connection refused."
    )
    assert told["without"][0] == (
        "ssh reaches root@127.0.0.1, but no engine answers there at /nonexistent.sock (connect failed: open failed)."
    )
    assert "AllowStreamLocalForwarding" in told["without"][1]
    # The journal is behind the same ssh.
    assert nodes["refused"]["journal"]["unknown"] == told["refused"][0]
    assert nodes["without"]["journal"]["findings"]


def test_sshd_that_accepts_and_says_nothing_costs_its_time_limit(place: Place) -> None:
    with serving(place, HANGING_PORT) as sshd:
        sshd.stand_still()
        nodes = place.glance(
            f'name = "hangs"\nhost = "ssh://root@127.0.0.1:{HANGING_PORT}"', call_timeout_s=2
        )
    assert nodes["hangs"]["unknown"] == "ssh does not reach root@127.0.0.1: no answer within 1.5 s."
    assert nodes["hangs"]["journal"]["unknown"] == "ssh does not reach root@127.0.0.1: no answer within 2 s."
    assert "true` must work" in nodes["hangs"]["hint"]


def test_nothing_of_ssh_is_left_behind(place: Place) -> None:
    place.glance(f'name = "b"\nhost = "{SSH}{place.engine.socket}"')
    lines = place.engine.namespaces.run("sh", "-c", "cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' '")
    assert "sshd" in lines
    assert "BatchMode" not in lines
    assert "shared-" not in lines
