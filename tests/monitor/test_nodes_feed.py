"""Other nodes in the monitor: asked now and then, joined with the newest snapshot, never waited for."""

from pathlib import Path

from console.monitor.values import MonitorState
from console.nodes.settings import NodeSettings
from console.settings import Settings
from tests.support.engines import simulation
from tests.support.monitors import simulated_monitor

AWAY = Settings(node=(NodeSettings("away", "unix:///nonexistent"),))


def codes(monitor_state: MonitorState) -> list[str]:
    snapshot = monitor_state.snapshot.value
    return [] if snapshot is None else [each.code for each in snapshot.assessment.findings]


def asked(questions: list[str]) -> int:
    """Return how often the monitored engine was asked for its own copies of networks."""
    return questions.count("inspect a network")


async def test_what_nodes_tell_joins_the_snapshots_and_is_asked_for_now_and_then(tmp_path: Path) -> None:
    with simulation("small") as simulated:
        async with simulated_monitor(
            simulated.host, simulated.running, state=tmp_path, settings=AWAY
        ) as watched:
            state = await watched.until(lambda state: "node-unread" in codes(state), within_s=5)
            assert state.snapshot.value is not None
            away = state.snapshot.value.snapshot.nodes.statuses[-1]
            assert (away.name, away.view) == ("away", None)
            before = asked(watched.connection.asked)
            await watched.let(30)
            assert asked(watched.connection.asked) == before > 0
            await watched.let(40)
            assert asked(watched.connection.asked) == 2 * before
            assert watched.monitor_state.snapshot.value is not None
            later = watched.monitor_state.snapshot.value.snapshot.nodes.statuses[-1]
            assert later.failing_since == away.failing_since


async def test_where_nothing_is_kept_no_node_is_asked() -> None:
    with simulation("small") as simulated:
        async with simulated_monitor(simulated.host, simulated.running, settings=AWAY) as watched:
            await watched.until(lambda state: state.snapshot.value is not None)
            await watched.let(5)
            assert asked(watched.connection.asked) == 0
            assert "node-unread" not in codes(watched.monitor_state)
