"""The monitor on a simulated engine: its states show what happens to the engine and to the monitor's connection."""

import asyncio
import gc
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from console.addresses.leaks import LeakCertainty, LeakEvidence
from console.alerts.decision import trial
from console.alerts.values import AlertState
from console.diagnosis.quiescence.values import QuiescenceVerdict
from console.diagnosis.values import Severity
from console.monitor.monitor import Monitor, Sources
from console.monitor.values import MonitorState
from console.settings import QuiescenceSettings, Settings
from console.simulator.engine import EngineInfo, SimulatedEngine
from console.simulator.stacks import DeployedStack, Part, deploy, remove_at_once, remove_services
from console.storage.alerts import write_alerts
from console.swarm.client import EngineConnection
from tests.support.engines import Simulation, simulation
from tests.support.monitors import NO_LOG, SimulatedMonitor, account_of, simulated_monitor

pytestmark = pytest.mark.timeout(240)
APP = (Part("app", ("proxy",), replicas=2, grace_s=2.0),)


def a_swarm(api: str, subnet: str = "10.0.1.0/24") -> SimulatedEngine:
    engine = SimulatedEngine(EngineInfo(api))
    config = {"Driver": "default", "Config": [{"Subnet": subnet}]}
    engine.networks.create({"Name": "proxy", "Driver": "overlay", "Attachable": True, "IPAM": config})
    deploy(engine, "traefik", (Part("app", ("proxy",), is_internal=False),))
    engine.advance(60)
    return engine


@pytest.fixture(params=["1.41", "1.52"])
def simulated(request: pytest.FixtureRequest) -> Iterator[Simulation]:
    with simulation(a_swarm(request.param)) as running:
        yield running


def used(monitor_state: MonitorState) -> int:
    return account_of(monitor_state, "proxy").accounted


def is_seen(monitor_state: MonitorState) -> bool:
    return monitor_state.snapshot.value is not None and monitor_state.snapshot.failure is None


def deployed(watched: SimulatedMonitor, name: str = "ghost") -> DeployedStack:
    return watched.do(lambda engine: deploy(engine, name, APP))


async def test_a_service_that_starts_is_seen_within_a_second(simulated: Simulation) -> None:
    async with simulated_monitor(simulated.host, simulated.running) as watched:
        await watched.until(is_seen)
        assert used(watched.monitor_state) == 3
        await watched.let(4)
        deployed(watched)
        await watched.until(lambda monitor_state: used(monitor_state) == 6, within_s=2.5)


async def test_what_does_not_change_is_the_very_same(simulated: Simulation) -> None:
    async with simulated_monitor(simulated.host, simulated.running) as watched:
        await watched.until(lambda monitor_state: is_seen(monitor_state) and monitor_state.quiet.value)
        await watched.let(12)
        before = watched.monitor_state
        await watched.let(6)
        after = watched.monitor_state
        assert after.number > before.number
        assert after.snapshot.at_s > before.snapshot.at_s
        assert after.snapshot.value is before.snapshot.value
        assert after.leak_log is before.leak_log
        assert after.quiet.value is before.quiet.value
        assert after.log is before.log
        # What is asked of an unchanging swarm: five lists, and few inspections.
        snapshots = watched.connection.asked.count("list the tasks")
        inspections = sum(each.startswith("inspect the network") for each in watched.connection.asked)
        assert inspections < snapshots


async def test_a_removal_that_leaks_is_entered_with_who_and_what(simulated: Simulation) -> None:
    async with simulated_monitor(simulated.host, simulated.running) as watched:
        await watched.until(is_seen)
        ghost = deployed(watched)
        await watched.let(10)
        watched.do(lambda engine: remove_at_once(engine, ghost))
        monitor_state = await watched.until(
            lambda monitor_state: len(monitor_state.leak_log.entries) == 2, within_s=20
        )
        lost = watched.do(lambda engine: engine.addresses_of("proxy", "leaked"))
        found = [
            (each.stack, each.service_name, each.removed_network) for each in monitor_state.leak_log.entries
        ]
        assert found == [("ghost", "ghost_app", "ghost_internal")] * 2
        assert {each.task_name for each in monitor_state.leak_log.entries} == {"ghost_app.1", "ghost_app.2"}
        assert sorted(
            str(one) for each in monitor_state.leak_log.entries for one in each.addresses
        ) == sorted(lost)
        assert monitor_state.leak_log.gaps == ()
        assert monitor_state.leak_log.monitored_since is not None


async def test_the_account_goes_by_the_leak_log_where_the_engine_does_not_count() -> None:
    with simulation(a_swarm("1.41")) as simulated:
        async with simulated_monitor(simulated.host, simulated.running) as watched:
            await watched.until(is_seen)
            ghost = deployed(watched)
            await watched.let(10)
            assert account_of(watched.monitor_state, "proxy").leaked is None
            watched.do(lambda engine: remove_at_once(engine, ghost))
            monitor_state = await watched.until(
                lambda monitor_state: account_of(monitor_state, "proxy").leaked == 2, within_s=20
            )
            (part,) = account_of(monitor_state, "proxy").subnets
            assert (part.leak.certainty, part.leak.evidence) == (
                LeakCertainty.AT_LEAST,
                LeakEvidence.LEAK_LOG,
            )
            lost = watched.do(lambda engine: engine.addresses_of("proxy", "leaked"))
            assert [str(each) for each in part.leak.addresses] == lost


async def test_the_engines_own_count_stands_while_addresses_change_hands_and_gets_the_names() -> None:
    with simulation(a_swarm("1.52")) as simulated:
        async with simulated_monitor(simulated.host, simulated.running) as watched:
            await watched.until(
                lambda monitor_state: (
                    is_seen(monitor_state) and account_of(monitor_state, "proxy").leaked == 0
                )
            )
            ghost = deployed(watched)
            await watched.until(lambda monitor_state: used(monitor_state) > 3)
            leak = account_of(watched.monitor_state, "proxy").subnets[0].leak
            assert (leak.count, leak.evidence, leak.as_of is not None) == (0, LeakEvidence.ENGINE_COUNT, True)
            await watched.let(10)
            watched.do(lambda engine: remove_at_once(engine, ghost))

            def is_counted(monitor_state: MonitorState) -> bool:
                leak = account_of(monitor_state, "proxy").subnets[0].leak
                return leak.count == 2 and leak.as_of is None

            await watched.until(lambda monitor_state: len(monitor_state.leak_log.entries) == 2, within_s=20)
            seen = account_of(watched.monitor_state, "proxy").subnets[0].leak
            assert (seen.count, seen.certainty, seen.observed_count) == (2, LeakCertainty.AT_LEAST, 2)
            monitor_state = await watched.until(is_counted, within_s=20)
            (part,) = account_of(monitor_state, "proxy").subnets
            assert (part.leak.certainty, part.leak.evidence) == (
                LeakCertainty.EXACT,
                LeakEvidence.ENGINE_COUNT,
            )
            lost = watched.do(lambda engine: engine.addresses_of("proxy", "leaked"))
            assert [str(each) for each in part.leak.addresses] == lost


async def test_a_patient_removal_is_no_entry(simulated: Simulation) -> None:
    async with simulated_monitor(simulated.host, simulated.running) as watched:
        await watched.until(is_seen)
        ghost = deployed(watched)
        await watched.let(10)
        watched.do(lambda engine: remove_services(engine, ghost))
        await watched.until(
            lambda _: not watched.do(lambda engine: engine.store.tasks_of(ghost.service_ids[0]))
        )
        await watched.let(1)
        (own,) = ghost.network_ids
        watched.do(lambda engine: engine.networks.remove(own))
        await watched.let(8)
        assert (watched.monitor_state.leak_log.entries, watched.monitor_state.leak_log.gaps) == ((), ())
        assert used(watched.monitor_state) == 3


async def test_while_tasks_are_ending_it_looks_every_half_second_and_not_after() -> None:
    with simulation(a_swarm("1.41")) as simulated:
        async with simulated_monitor(simulated.host, simulated.running) as watched:
            await watched.until(is_seen)
            ghost = deployed(watched)
            await watched.let(12)
            assert watched.monitor_state.poll_s == 2.0
            watched.do(lambda engine: remove_at_once(engine, ghost))
            await watched.let(0.5)
            before = watched.connection.asked.count("list the tasks")
            await watched.let(3)
            assert watched.connection.asked.count("list the tasks") - before >= 5
            assert watched.monitor_state.poll_s == 0.5
            await watched.let(20)
            assert watched.monitor_state.poll_s == 2.0
            before = watched.connection.asked.count("list the tasks")
            await watched.let(6)
            assert watched.connection.asked.count("list the tasks") - before == 3


async def test_a_restart_of_dockerd_makes_the_leak_log_void(simulated: Simulation) -> None:
    async with simulated_monitor(simulated.host, simulated.running) as watched:
        await watched.until(is_seen)
        ghost = deployed(watched)
        await watched.let(10)
        watched.do(lambda engine: remove_at_once(engine, ghost))
        await watched.until(lambda monitor_state: monitor_state.leak_log.entries, within_s=20)
        watched.do(SimulatedEngine.restart)
        await watched.until(lambda monitor_state: not monitor_state.leak_log.entries, within_s=5)
        await watched.let(10)
        assert account_of(watched.monitor_state, "proxy").leaked in (None, 0)


async def test_a_full_network_and_the_deploy_that_waits_are_seen() -> None:
    with simulation(a_swarm("1.41", "10.0.1.0/29")) as simulated:
        async with simulated_monitor(simulated.host, simulated.running) as watched:
            await watched.until(is_seen)
            deployed(watched)
            await watched.until(lambda monitor_state: account_of(monitor_state, "proxy").free_at_most == 0)
            assert finding_codes(watched.monitor_state)["network-full"] is Severity.CRITICAL
            deployed(watched, "discourse")
            monitor_state = await watched.until(
                lambda monitor_state: "deploy-waits" in finding_codes(monitor_state), within_s=75
            )
            snapshot = monitor_state.snapshot.value
            assert snapshot is not None
            (waits,) = [each for each in snapshot.assessment.findings if each.code == "deploy-waits"]
            assert set(waits.names) == {"ghost_app", "discourse_app"}
            # Its age is updated now and then, though nothing changes.
            await watched.let(25)
            later = watched.monitor_state.snapshot.value
            assert later is not None
            assert later.assessment.findings != snapshot.assessment.findings


def finding_codes(monitor_state: MonitorState) -> dict[str, Severity]:
    snapshot = monitor_state.snapshot.value
    return {} if snapshot is None else {each.code: each.severity for each in snapshot.assessment.findings}


@pytest.mark.parametrize("kind", ["refuse", "garbage", "cut", "status:500"])
async def test_an_engine_that_fails_leaves_the_last_snapshot_and_says_why(
    simulated: Simulation, kind: str
) -> None:
    async with simulated_monitor(simulated.host, simulated.running) as watched:
        await watched.until(is_seen)
        await watched.let(4)
        last = watched.monitor_state.snapshot
        simulated.break_call("/info", kind)
        monitor_state = await watched.until(lambda monitor_state: monitor_state.snapshot.failure)
        assert monitor_state.snapshot.value is last.value
        assert monitor_state.snapshot.at_s >= last.at_s
        assert monitor_state.snapshot.failing_since_s == pytest.approx(watched.clock.monotonic(), abs=0.3)
        since = monitor_state.snapshot.failing_since_s
        await watched.let(8)
        assert watched.monitor_state.snapshot.failing_since_s == since
        (gap,) = watched.monitor_state.leak_log.gaps
        assert gap.until is None
        simulated.mend()
        monitor_state = await watched.until(is_seen, within_s=12)
        assert monitor_state.snapshot.at_s > last.at_s


async def test_an_engine_that_hangs_is_said_to(simulated: Simulation) -> None:
    async with simulated_monitor(simulated.host, simulated.running, timeout_s=1.0) as watched:
        await watched.until(is_seen)
        simulated.break_call("/*", "hang", times=1000)
        monitor_state = await watched.until(lambda monitor_state: monitor_state.snapshot.failure, within_s=20)
        assert monitor_state.snapshot.failure is not None
        assert "did not answer in time" in monitor_state.snapshot.failure.reason
        assert monitor_state.snapshot.value is not None
        simulated.mend()
        await watched.until(is_seen, within_s=20)


async def test_a_part_that_cannot_be_read_is_unknown_and_the_rest_is_new(simulated: Simulation) -> None:
    async with simulated_monitor(simulated.host, simulated.running) as watched:
        await watched.until(is_seen)
        simulated.break_call("/services", "cut")
        monitor_state = await watched.until(
            lambda monitor_state: "part-unread" in finding_codes(monitor_state)
        )
        assert monitor_state.snapshot.failure is None
        assert finding_codes(monitor_state)["part-unread"] is Severity.UNKNOWN
        simulated.mend()
        await watched.until(lambda monitor_state: "part-unread" not in finding_codes(monitor_state))


async def test_nobody_there_at_the_beginning_is_no_end(tmp_path: Path) -> None:
    with simulation(a_swarm("1.41")) as simulated:
        host = f"unix://{tmp_path}/later.sock"
        async with simulated_monitor(host, simulated.running) as watched:
            monitor_state = await watched.until(lambda monitor_state: monitor_state.snapshot.failure)
            assert monitor_state.snapshot.value is None
            assert monitor_state.snapshot.failure is not None
            assert "the socket does not exist" in monitor_state.snapshot.failure.reason
            (tmp_path / "later.sock").symlink_to(simulated.socket)
            await watched.until(is_seen, within_s=15)
            assert watched.monitor_state.leak_log.monitored_since is not None


# A connection that the simulated engine accepts in the moment in which it goes down is dropped unclosed by asyncio.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_a_daemon_that_goes_down_and_comes_back_is_seen_again_soon(simulated: Simulation) -> None:
    async with simulated_monitor(simulated.host, simulated.running) as watched:
        await watched.until(is_seen)
        await watched.let(6)
        simulated.control("down", {"seconds": 4})
        await until_it_answers(simulated.socket, is_up=False)
        watched.monitor.wake()
        await watched.until(lambda monitor_state: monitor_state.snapshot.failure, within_s=5)
        # It may have been in the middle of an answer.
        failure = str(watched.monitor_state.snapshot.failure)
        assert "not running" in failure or "closed the connection" in failure
        await until_it_answers(simulated.socket, is_up=True)
        watched.do(SimulatedEngine.restart)
        await watched.until(is_seen, within_s=30)
        assert len(watched.monitor_state.leak_log.gaps) <= 1
    # Here, and not in a test after this one.
    gc.collect()


async def until_it_answers(socket: Path, *, is_up: bool) -> None:
    for _ in range(6000):
        try:
            _, writer = await asyncio.open_unix_connection(str(socket))
        except OSError:
            if not is_up:
                return
        else:
            writer.close()
            if is_up:
                return
        await asyncio.sleep(0.01)
    raise AssertionError("the simulated engine does not go down, or does not come back")


async def test_quiet_is_judged_at_the_same_snapshots(simulated: Simulation) -> None:
    settled = Settings(quiet=QuiescenceSettings(dwell_s=5))
    async with simulated_monitor(simulated.host, simulated.running, settings=settled) as watched:
        monitor_state = await watched.until(
            lambda monitor_state: verdict(monitor_state) is QuiescenceVerdict.QUIET
        )
        assert monitor_state.quiet_since_s is not None
        await watched.let(6)
        deployed_s = watched.clock.monotonic()
        deployed(watched)
        monitor_state = await watched.until(
            lambda monitor_state: verdict(monitor_state) is QuiescenceVerdict.BUSY, within_s=5
        )
        # The change may be all that is in the way: a late snapshot finds the tasks running. It counts from there.
        assert monitor_state.quiet_since_s is None or monitor_state.quiet_since_s >= deployed_s
        monitor_state = await watched.until(
            lambda monitor_state: verdict(monitor_state) is QuiescenceVerdict.QUIET, within_s=30
        )
        assert watched.connection.asked.count("list the tasks") == watched.connection.asked.count(
            "list the nodes"
        )


def verdict(monitor_state: MonitorState) -> QuiescenceVerdict | None:
    return None if monitor_state.quiet.value is None else monitor_state.quiet.value.verdict


async def test_closing_it_leaves_no_task_and_no_thread(simulated: Simulation) -> None:
    tasks, threads = asyncio.all_tasks(), set(threading.enumerate())
    connection = EngineConnection(simulated.host, 5)
    monitor_states = Monitor(Sources(connection, NO_LOG, None), Settings()).monitor_states()
    async for monitor_state in monitor_states:
        if is_seen(monitor_state):
            break
    await monitor_states.aclose()
    assert asyncio.all_tasks() == tasks
    connection.close()
    for _ in range(6000):
        if not new_threads(threads):
            break
        await asyncio.sleep(0.01)
    assert new_threads(threads) == set()


def new_threads(before: set[threading.Thread]) -> set[threading.Thread]:
    # Those of the loop's own executor end with the loop.
    now = {each for each in threading.enumerate() if not each.name.startswith("asyncio_")}
    return now - before


async def test_an_alert_that_does_not_get_through_is_a_finding_while_it_does_not(
    simulated: Simulation, tmp_path: Path
) -> None:
    def failing_alerts(monitor_state: MonitorState) -> bool:
        return "alert-failing" in finding_codes(monitor_state)

    async with simulated_monitor(simulated.host, simulated.running, state=tmp_path) as watched:
        await watched.until(is_seen)
        assert not failing_alerts(watched.monitor_state)
        now = watched.clock.now()
        failing = AlertState(pending=(trial(now, "here"),), failing_since=now, reason="HTTP 500")
        write_alerts(tmp_path, {"ops": failing})
        await watched.until(failing_alerts, within_s=30)
        write_alerts(tmp_path, {"ops": AlertState(delivered=1, delivered_at=now)})
        await watched.until(lambda monitor_state: not failing_alerts(monitor_state), within_s=30)
