"""Several engines on one switch form one swarm."""

import pytest

from tests.engine.cluster import swarm_of

pytestmark = pytest.mark.engine


def test_three_engines_form_a_swarm_with_one_leader() -> None:
    with swarm_of("manager", "manager") as engines:
        first = engines[0]
        seen = first.docker(
            "node", "ls", "--format", "{{.Hostname}} {{.Status}} {{.ManagerStatus}}"
        ).splitlines()

        assert sorted(seen) == ["node1 Ready Leader", "node2 Ready Reachable", "node3 Ready Reachable"]
        addresses = first.docker(
            "node", "inspect", "-f", "{{.Status.Addr}}", "node1", "node2", "node3"
        ).split()
        assert addresses == ["10.99.0.2", "10.99.0.3", "10.99.0.4"]
