"""Docker contexts, as the docker command writes them."""

import json
import socketserver
import threading
from hashlib import sha256
from pathlib import Path

import pytest

from console.errors import EngineUnreachable, UsageError
from console.swarm.address import DEFAULT_HOST, engine_or_context
from console.swarm.client import EngineConnection
from console.swarm.contexts import Certificates, context_address
from console.swarm.sdk_client import tls_config

HOST = "tcp://10.0.0.7:2376"
META = {"Name": "b", "Metadata": {}, "Endpoints": {"docker": {"Host": HOST, "SkipTLSVerify": False}}}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home directory with no config.json, which `docker context create` does not write."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("DOCKER_CONFIG", "DOCKER_CERT_PATH", "DOCKER_TLS_VERIFY", "DOCKER_HOST"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def write(home: Path, meta: object, *certificates: str, store: str = ".docker") -> Path:
    key = sha256(b"b").hexdigest()
    place = home / store / "contexts" / "meta" / key
    place.mkdir(parents=True)
    (place / "meta.json").write_text(meta if isinstance(meta, str) else json.dumps(meta))
    folder = home / store / "contexts" / "tls" / key / "docker"
    if certificates:
        folder.mkdir(parents=True)
    for name in certificates:
        (folder / f"{name}.pem").touch()
    return folder


def test_a_context_brings_its_certificates(home: Path) -> None:
    folder = write(home, META, "ca", "cert", "key")
    address = context_address("b")
    assert address.host == HOST
    assert address.certificates == Certificates(f"{folder}/ca.pem", f"{folder}/cert.pem", f"{folder}/key.pem")
    config = tls_config(address.certificates)
    assert config
    assert config.cert == (f"{folder}/cert.pem", f"{folder}/key.pem")
    assert (config.ca_cert, config.verify) == (f"{folder}/ca.pem", True)
    # A hand-over goes through an address alone: what it needs besides is told.
    with pytest.raises(UsageError) as raised:
        engine_or_context("b")
    assert f"DOCKER_CERT_PATH={folder}`" in raised.value.hint


def test_a_ca_alone_is_enough_to_verify_an_engine(home: Path) -> None:
    folder = write(home, META, "ca")
    address = context_address("b")
    assert address.certificates == Certificates(f"{folder}/ca.pem", None, None)
    config = tls_config(address.certificates)
    assert config
    assert (config.cert, config.ca_cert, config.verify) == (None, f"{folder}/ca.pem", True)


def test_who_verifies_nothing_still_speaks_tls(home: Path) -> None:
    write(home, {"Endpoints": {"docker": {"Host": HOST, "SkipTLSVerify": True}}})
    address = context_address("b")
    assert address.certificates
    assert not address.certificates.is_verified


def test_a_context_without_certificates_takes_none_of_the_environment(home: Path) -> None:
    write(home, META)
    assert context_address("b").certificates is False
    assert engine_or_context("b") == HOST


def test_contexts_lie_where_docker_config_says(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(home, META, store="elsewhere")
    monkeypatch.setenv("DOCKER_CONFIG", str(home / "elsewhere"))
    assert context_address("b").host == HOST


def test_the_default_context_is_the_engine_of_this_host() -> None:
    assert context_address("default").host == DEFAULT_HOST


async def test_what_speaks_no_tls_is_told(home: Path) -> None:
    with socketserver.TCPServer(("127.0.0.1", 0), Plain) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        host = f"tcp://127.0.0.1:{server.server_address[1]}"
        write(home, {"Endpoints": {"docker": {"Host": host, "SkipTLSVerify": True}}})
        connection = EngineConnection(context_address("b"), 20)
        try:
            with pytest.raises(EngineUnreachable) as raised:
                await connection.ask("tell its version", lambda client: client.get("/version"))
        finally:
            connection.close()
            server.shutdown()
    assert raised.value.sentence == f"What answers at {host} does not speak TLS."
    assert "2376" in raised.value.hint


async def test_certificates_of_the_environment_that_are_not_there_are_told(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    monkeypatch.setenv("DOCKER_CERT_PATH", str(home / "none"))
    connection = EngineConnection("tcp://127.0.0.1:1", 20)
    try:
        with pytest.raises(EngineUnreachable, match="are not all there"):
            await connection.ask("tell its version", lambda client: client.get("/version"))
    finally:
        connection.close()


class Plain(socketserver.BaseRequestHandler):
    """Answers whatever comes as an HTTP server does that does not understand it."""

    def handle(self) -> None:
        self.request.recv(64)
        self.request.sendall(b"HTTP/1.0 400 Bad Request\r\n\r\n")


def test_a_context_that_is_not_there_is_told(home: Path) -> None:
    with pytest.raises(UsageError, match="There is no docker context absent") as raised:
        context_address("absent")
    assert "docker context ls" in raised.value.hint
    assert home.is_dir()


@pytest.mark.parametrize("meta", ["", "[]", "{}", '{"Endpoints": []}', '{"Endpoints": {"docker": 3}}'])
def test_a_context_that_is_damaged_is_told(home: Path, meta: str) -> None:
    write(home, meta)
    with pytest.raises(UsageError, match="The docker context b cannot be read"):
        context_address("b")


def test_a_context_of_something_else_is_told(home: Path) -> None:
    write(home, {"Endpoints": {"docker": {}}})
    with pytest.raises(UsageError, match="The docker context b names no engine"):
        context_address("b")
