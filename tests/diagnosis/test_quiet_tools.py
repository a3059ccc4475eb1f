import pytest

from console.diagnosis.quiescence.host import ancestors, command_of, deploy_tools, matches
from console.settings import QuiescenceSettings
from tests.support.hosts import OWN, process

PATTERNS = QuiescenceSettings().deploy_tools


def tools(*argv: str) -> list[str]:
    return [name for name, _ in deploy_tools([process(7, *argv)], OWN, PATTERNS)]


@pytest.mark.parametrize(
    ("line", "tool"),
    [
        ("abra app deploy x.example.org", "abra"),
        ("/usr/local/bin/abra app deploy", "abra"),
        ("python3 /usr/bin/abra app deploy", "abra"),
        ("python3.11 -W ignore -u /usr/bin/abra app deploy", "abra"),
        ("python3 -m abra app deploy", "abra"),
        ("/nix/store/x-python/bin/python3 /nix/store/y/bin/.nixos-rebuild-wrapped switch", "nixos-rebuild"),
        ("/nix/store/x-bash/bin/bash /run/current-system/sw/bin/nixos-rebuild switch", "nixos-rebuild"),
        ("bash -o pipefail /opt/upgrade-all.sh", "upgrade-all"),
        ("-bash /opt/upgrade-all.sh", "upgrade-all"),
        ("/bin/sh -e /usr/bin/abra app", "abra"),
        ("/bin/bash -euo pipefail /opt/upgrade-all.sh", "upgrade-all"),
        ("bash -x +e -- /opt/upgrade-all.sh", "upgrade-all"),
        ("sh - /opt/upgrade-all.sh", "upgrade-all"),
        ("bash --rcfile /etc/x /opt/upgrade-all.sh", "upgrade-all"),
        ("/usr/bin/python3 -Es /usr/bin/abra app", "abra"),
        ("python3 -Im abra app", "abra"),
        ("python3 -Wignore -Xdev /usr/bin/abra app", "abra"),
        ("perl -s -w -MCarp -I lib /opt/upgrade-all", "upgrade-all"),
        ("ruby -s -rjson -I lib /opt/upgrade-all", "upgrade-all"),
        ("node --require ./x.js /opt/upgrade-all", "upgrade-all"),
        ("docker stack deploy -c compose.yml shop", "docker stack"),
        ("docker -H tcp://x:1 --debug stack deploy shop", "docker stack"),
        ("docker --context=x service update --force web", "docker service"),
        ("docker compose -f compose.yml up -d", "docker compose"),
        ("docker-compose up -d", "docker-compose"),
        ("docker compose -f logs -p ps up", "docker compose"),
        ("docker compose --profile config --ansi never down", "docker compose"),
        ("docker-compose compose -f x.yml up -d", "docker-compose"),
        ("docker-compose --context x compose -p logs up", "docker-compose"),
        ("python3 /usr/bin/docker-compose -f logs up", "docker-compose"),
        ("docker service create --name logs alpine ls --help", "docker service"),
        ("docker stack deploy -c compose.yml logs", "docker stack"),
    ],
)
def test_a_deploy_tool_is_known_however_it_was_started(line: str, tool: str) -> None:
    assert tools(*line.split()) == [tool]


@pytest.mark.parametrize(
    "line",
    [
        "vim docker stack",
        "vim /srv/docker stack/notes",
        "grep -r abra /etc",
        "less /usr/bin/abra",
        "tail -f abra",
        "docker ps",
        "docker run stack",
        "docker logs service",
        "docker --context service ps",
        "docker stack ls",
        "docker service logs -f web",
        "docker service ps --no-trunc web",
        "watch docker service ls",
        "docker compose -f x.yml logs -f",
        "docker compose -p x ps",
        "docker compose --project-directory /srv --env-file .env --parallel 2 --progress plain ps",
        "docker compose --file=x.yml ps",
        "docker --context x compose -f x.yml top",
        "docker-compose -f x.yml ps",
        "docker-compose compose logs -f",
        "docker-compose compose -f x.yml -p x logs -f",
        "docker-compose --context x compose ps",
        "docker-compose docker-cli-plugin-metadata",
        "docker-compose --version",
        "docker stack --help",
        "docker stack deploy --help",
        "docker compose --help up",
        "python3 -c abra",
        "bash -c nixos-rebuild",
        "bash -lc abra",
        "sh -ec abra",
        "bash -s abra",
        "python3 -uc abra",
        "python3 - abra",
        "perl -e abra",
        "perl -lne abra",
        "ruby -e abra",
        "node -e abra",
        "node --eval=1 abra",
        "fish -c abra",
        "abracadabra",
        "bash",
        "python3",
    ],
)
def test_what_only_mentions_or_looks_at_one_is_none(line: str) -> None:
    assert tools(*line.split()) == []


def test_words_with_spaces_in_them_are_no_words_of_a_tool() -> None:
    assert (
        tools("vim", "docker stack")
        == tools("docker stack deploy")
        == tools("sh", "-c", "docker stack")
        == []
    )


def test_the_process_that_asks_and_its_ancestors_do_not_count() -> None:
    family = (
        process(1, "init", parent=0),
        process(50, "bash", "/opt/upgrade-all", parent=1),
        process(99, "abra", "app", "upgrade", parent=50),
        process(100, "python3", "/usr/bin/vipconsole", parent=99),
        process(60, "abra", "app", "deploy", parent=1),
    )
    assert ancestors(family, 100) == {100, 99, 50, 1}
    assert [each.pid for _, each in deploy_tools(family, OWN, PATTERNS)] == [60]


def test_a_circle_of_parents_ends() -> None:
    assert ancestors([process(2, "a", parent=3), process(3, "b", parent=2)], 2) == {2, 3}


def test_a_pattern_is_a_glob_word_by_word() -> None:
    assert matches(command_of(["/opt/deploy-shop", "now"]), ("deploy-*",))
    assert not matches(command_of(["/opt/deploy-shop", "now"]), ("deploy-*", "later"))
    assert not matches((), ("abra",))
    named_logs = ("docker", "stack", "deploy", "-c", "x.yml", "logs")
    assert matches(named_logs, ("docker", "stack", "deploy"))
    assert matches(("docker-compose", "compose", "up"), ("docker-compose", "up"))
    assert command_of([]) == ()
