import pytest

from console.errors import UsageError
from console.swarm.connection import DEFAULT_HOST, EngineConnection, chosen_host


@pytest.mark.parametrize(
    ("asked", "host"),
    [
        ("", DEFAULT_HOST),
        ("unix:///run/docker.sock", "unix:///run/docker.sock"),
        ("unix:/run/docker.sock", "unix:///run/docker.sock"),
        ("/run/docker.sock", "unix:///run/docker.sock"),
        (" tcp://127.0.0.1:2375 ", "tcp://127.0.0.1:2375"),
    ],
)
def test_an_engine_is_named_as_docker_takes_it(
    asked: str, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    assert chosen_host(asked) == host
    monkeypatch.setenv("DOCKER_HOST", asked)
    assert chosen_host("") == host


@pytest.mark.parametrize(
    "asked", ["unix://", "unix:", "/", "tcp://", "npipe://x", "ssh://u@h", "docker.sock", "ftp://x"]
)
def test_what_is_no_address_is_wrong_usage(asked: str) -> None:
    with pytest.raises(UsageError):
        chosen_host(asked)


def test_an_address_is_shown_clean_and_used_as_it_is() -> None:
    connection = EngineConnection("unix:///run/evil\x1b[2J", 1)
    assert connection.host == "unix:///run/evil\\x1b[2J"
    connection.close()
