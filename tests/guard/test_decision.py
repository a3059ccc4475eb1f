"""The guard's decision as a table: what was found, what is allowed, and what it does and says."""

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest

from console.diagnosis.assess import assess
from console.diagnosis.quiescence.values import Blocker, Check, CheckState, Report
from console.errors import Result, Unknown
from console.guard.policy import decide
from console.guard.values import Daemon, GuardDecision, GuardInputs, GuardOptions, GuardVerdict
from console.journal.summary import Summary, summarise
from console.journal.values import Batch, JournalEntry
from console.settings import Thresholds
from console.swarm.model import Network, Node, Service, SwarmState, Task
from tests.journal.lines import START_LINE, line, vip_line
from tests.support.swarms import HERE, LONG_AGO, NOW, ago, network, service, snapshot, swarm, task

PROXY = "id-proxy"
GHOST = "g" * 25
FOLLOWER = replace(HERE, is_leader=False)
LEADER = Node("node-2", "ci-host-2", "ready", "active", is_manager=True, is_leader=True)
UNREAD = Unknown("It hangs.", "Look at it.")
ALLOWED = GuardOptions("proxy", may_restart=True)
FORBIDDEN = GuardOptions("proxy")
BORROWING = GuardOptions("proxy", may_borrow=True)
BOTH = replace(ALLOWED, may_borrow=True)
NOT_HERE: dict[str, Any] = {"why_no_borrow": Unknown("It advertises a loopback address.", "Change it.")}


def needing(count: int, *, allowed: bool = True) -> GuardOptions:
    return GuardOptions("proxy", count, may_restart=allowed)


def checks(**states: CheckState) -> Report:
    found = (
        Check(code, code, state, (Blocker("web", "is updating"),) if state is CheckState.BUSY else (), "Why.")
        for code, state in {"changes": CheckState.QUIET, "stuck": CheckState.STUCK, **states}.items()
    )
    return Report(NOW, tuple(found))


def logged(*lines: tuple[str, float]) -> Summary:
    """What dockerd logged, each line so many seconds ago."""
    entries = tuple(
        JournalEntry(f"c{n}", ago(age), "0" * 32, "stdout", "docker.service", "dockerd", 1, text)
        for n, (text, age) in enumerate(lines)
    )
    return summarise([Batch(entries)], {GHOST: "ghost_app"}, 86_400)


SILENT = logged()
REFUSED = logged((vip_line(GHOST), 90))
CALM = checks()
GHOST_TASK = "t" * 25
TASK_REFUSED = logged(
    (
        line(
            "task allocation failure",
            f"failed to allocate network IP for task {GHOST_TASK} network {'n' * 25}: could not find an available IP",
        ),
        90,
    )
)


def proxy(held: int, *, api: tuple[int, int], leaked: int = 0, created_s: float | None = None) -> Network:
    """A /28 (13 addresses) on which so many addresses are held and leaked."""
    taken = 3 + held + leaked
    made = LONG_AGO if created_s is None else ago(created_s)
    use = {"10.0.1.0/28": (taken, 16 - taken)} if api >= (1, 52) else None
    return network("proxy", "10.0.1.0/28", use=use, created=made)


def state(
    held: int = 0,
    *,
    leaked: int = 0,
    waiting_s: float | None = None,
    api: tuple[int, int] = (1, 52),
    nodes: tuple[Node, ...] = (HERE,),
    created_s: float | None = None,
    replicas: int = 1,
    more: tuple[Task, ...] = (),
) -> SwarmState:
    """Return a swarm with a proxy, and with `ghost_app` waiting for its addresses where `waiting_s` says so.

    `more` are tasks of a service `db` that is on no network.
    """
    tasks: list[Task] = [task("web", (PROXY, f"10.0.1.{n + 2}"), slot=n, node="") for n in range(held)]
    services: list[Service] = [service("web", networks=(PROXY,), mode="dnsrr")]
    if more:
        services.append(service("db", networks=(), updated=ago(5000)))
        tasks += more
    if waiting_s is not None:
        ghost = service("ghost_app", networks=(PROXY,), updated=ago(waiting_s))
        services.append(replace(ghost, id=GHOST))
        tasks += [
            replace(
                task("ghost_app", state="new", since=ago(waiting_s), node="", slot=n),
                service_id=GHOST,
                id=GHOST_TASK if n == 0 else f"{n}",
            )
            for n in range(replicas)
        ]
    return swarm([proxy(held, api=api, leaked=leaked, created_s=created_s)], services, tasks, nodes, api)


def on_two_networks(*, recreated_s: float) -> SwarmState:
    """Return a swarm in which `ghost_app` has needed addresses for a moment, on proxy, which is large and new, and on its own."""
    shared = network("proxy", "10.0.0.0/16", created=ago(recreated_s))
    own = network("ghost_default", "10.9.0.0/24")
    ghost = replace(service("ghost_app", networks=(PROXY, own.id), updated=ago(5)), id=GHOST)
    waits = replace(task("ghost_app", state="new", since=ago(5), node=""), service_id=GHOST, id=GHOST_TASK)
    return swarm([shared, own], [ghost], [waits], api=(1, 41))


OLD = (1, 41)
HEALTHY = state(2)
LEAKED_FULL = state(5, leaked=8, waiting_s=300)
PARKED = replace(
    LEAKED_FULL, services=(replace(service("web", networks=(PROXY,)), parked_by="elsewhere/proxy-16"),)
)
PAUSED_NODE = replace(
    FOLLOWER,
    availability="pause",
    desired_role="manager",
    handover="elsewhere/7",
    availability_before="active",
)
HANDING_OVER = state(5, leaked=8, waiting_s=300, nodes=(PAUSED_NODE, LEADER))
TRULY_FULL = state(13, waiting_s=300)
PULLING = (task("db", state="preparing", since=ago(300), node=HERE.id),)
PULLING_IN_VAIN = (task("db", state="preparing", since=ago(1000), node=HERE.id),)
FAILING = (
    task("db", state="failed", since=ago(40), desired="shutdown"),
    task("db", state="starting", since=ago(3)),
)


@dataclass(frozen=True)
class Row:
    name: str
    swarm: SwarmState
    options: GuardOptions
    verdict: GuardVerdict
    says: str = ""
    restarts: bool = False
    borrows: bool = False
    prunes: tuple[str, ...] = ()
    census: str = ""
    journal: Result[Summary] = SILENT
    more: dict[str, Any] = field(default_factory=dict)


GO, NOTE, STOP, UNKNOWN = GuardVerdict.GO, GuardVerdict.NOTE, GuardVerdict.STOP, GuardVerdict.UNKNOWN
DAEMON = Daemon(LONG_AGO, 60, ())
TABLE = (
    Row("healthy", HEALTHY, ALLOWED, GO, "proxy has 11 of 13 addresses free."),
    Row("healthy, on an engine that cannot count", state(2, api=OLD), ALLOWED, GO, "at most 11 of 13"),
    Row("as many free as are needed", HEALTHY, needing(11), GO, "and 11 are needed"),
    Row("nearly full, and nobody said how many are needed", state(12), ALLOWED, STOP, "92 % full"),
    Row("nearly full, and enough for what is needed", state(12), needing(1), GO, "1 of 13 addresses free, and 1"),
    Row("three quarters full", state(10), ALLOWED, NOTE, "proxy is 77 % full"),
    Row("fewer free than needed, nothing leaked", state(8), needing(6), STOP, "nothing leaked"),
    Row("fewer free than needed, enough leaked", state(4, leaked=5), needing(6), STOP, "9 would be free", restarts=True),
    Row("fewer free than needed, not enough leaked", state(8, leaked=2), needing(6), STOP, "5 would be free, and 6"),
    Row("full of leaks, a deploy waits", LEAKED_FULL, ALLOWED, STOP, "1 deploy (ghost_app) cannot", restarts=True),
    Row("the same, refused a moment ago", state(5, leaked=8, waiting_s=5), ALLOWED, STOP, "(ghost_app)",
        restarts=True, journal=REFUSED),
    Row("waiting for a moment only, dockerd said nothing", state(5, leaked=8, waiting_s=5), ALLOWED, STOP, "is full"),
    Row("full of live services", TRULY_FULL, ALLOWED, STOP, "A restart would not help: nothing leaked"),
    Row("full of live services on an engine that cannot count", state(13, waiting_s=300, api=OLD), ALLOWED, STOP,
        "A restart would not help", journal=REFUSED),
    Row("refused on an engine that cannot count", state(5, waiting_s=300, api=OLD), ALLOWED, STOP, "(ghost_app)",
        restarts=True, journal=REFUSED),
    Row("a task was refused on an engine that cannot count", state(5, waiting_s=300, api=OLD), ALLOWED, STOP,
        "(ghost_app)", restarts=True, journal=TASK_REFUSED),
    Row("stuck on an engine that cannot count, and dockerd said nothing", state(5, waiting_s=300, api=OLD), ALLOWED,
        STOP, "1 deploy waits"),
    Row("a journal that cannot be read is no reason to restart", state(5, waiting_s=300, api=OLD), ALLOWED, STOP,
        "1 deploy waits", journal=UNREAD),
    Row("a journal that cannot be read does not hide what the engine counts", LEAKED_FULL, ALLOWED, STOP,
        "(ghost_app)", restarts=True, journal=UNREAD),
    Row("refused before the allocator was rebuilt", HEALTHY, ALLOWED, GO,
        journal=logged((vip_line(GHOST), 90), (START_LINE, 60))),
    Row("refused, and its service has its address now", HEALTHY, ALLOWED, NOTE, journal=REFUSED),
    Row("refused before the network was recreated, somebody else", state(5, waiting_s=30, api=OLD, created_s=60),
        ALLOWED, NOTE, journal=logged((vip_line("h" * 25), 90))),
    Row("refused before the network was recreated", state(5, waiting_s=30, api=OLD, created_s=60), ALLOWED, NOTE,
        "at most 8 of 13", journal=REFUSED),
    Row("refused before the network was recreated, and it waits", state(5, waiting_s=70, api=OLD, created_s=80),
        ALLOWED, STOP, "1 deploy waits", journal=REFUSED),
    Row("refused since the network was recreated", state(5, waiting_s=95, api=OLD, created_s=100), ALLOWED, STOP,
        "(ghost_app)", restarts=True, journal=REFUSED),
    Row("refused before the other network of the two was recreated", on_two_networks(recreated_s=60), ALLOWED, NOTE,
        journal=REFUSED),
    Row("refused since both networks are there", on_two_networks(recreated_s=100), ALLOWED, STOP, "(ghost_app)",
        restarts=True, journal=REFUSED),
    Row("waiting although there is room", state(2, waiting_s=300), ALLOWED, STOP, "1 deploy waits"),
    Row("leaks wanted by more tasks than could come back", state(5, leaked=8, waiting_s=300, replicas=9), ALLOWED,
        STOP, "8 would be free, and 10"),
    Row("need unknown to the engine", state(2, api=OLD), needing(5), UNKNOWN, "at most 11", census="proxy"),
    Row("need unknown to the engine, whose allocator has just been rebuilt", state(2, api=OLD),
        replace(needing(5), allocator_is_new=True), GO, "at most 11 of 13 addresses free, and 5 are needed"),
    Row("more needed than can be free at most", state(2, api=OLD), needing(12), STOP, "would not help"),
    Row("not allowed", LEAKED_FULL, FORBIDDEN, STOP, "neither a borrowed manager nor a restart of the docker unit is allowed"),
    Row("not the leader", state(5, leaked=8, waiting_s=300, nodes=(FOLLOWER, LEADER)), ALLOWED, STOP, "ci-host-2"),
    Row("full of leaks, and a manager may be borrowed", LEAKED_FULL, BORROWING, STOP, "1 deploy (ghost_app)", borrows=True),
    Row("a borrowed manager comes before a restart", LEAKED_FULL, BOTH, STOP, "1 deploy (ghost_app)", borrows=True),
    Row("none can be borrowed here, a restart is allowed", LEAKED_FULL, BOTH, STOP,
        "No manager can be borrowed. It advertises a loopback address.", restarts=True, more=NOT_HERE),
    Row("none can be borrowed here, a restart is not allowed", LEAKED_FULL, BORROWING, STOP,
        "Nothing was done: no manager can be borrowed. It advertises", more=NOT_HERE),
    Row("a container would stay down, and a borrowed manager stops none", LEAKED_FULL, BOTH, STOP, borrows=True,
        more={"daemon": Daemon(ago(10), 60, ("db",))}),
    Row("none can be borrowed here, and a container would stay down", LEAKED_FULL, BOTH, STOP,
        "no manager can be borrowed", more={**NOT_HERE, "daemon": Daemon(LONG_AGO, 60, ("db",))}),
    Row("no manager is borrowed while something is being deployed", LEAKED_FULL, BOTH, STOP, "not quiet",
        more={"quiet": checks(updates=CheckState.BUSY)}),
    Row("no manager is borrowed by a node that does not lead", state(5, leaked=8, waiting_s=300, nodes=(FOLLOWER, LEADER)),
        BOTH, STOP, "ci-host-2"),
    Row("a manager was borrowed an hour ago", LEAKED_FULL, BOTH, STOP, "gave leaked addresses back 60 min ago",
        more={"last_restart_at": ago(3600)}),
    Row("no manager is borrowed for a network that is full of live services", TRULY_FULL, BOTH, STOP, "would not help"),
    Row("no leader", state(5, leaked=8, waiting_s=300, nodes=(FOLLOWER,)), ALLOWED, STOP, "no leader"),
    Row("something is being deployed", LEAKED_FULL, ALLOWED, STOP, "not quiet",
        more={"quiet": checks(updates=CheckState.BUSY)}),
    Row("something has been pulling its image for minutes", state(5, leaked=8, waiting_s=300, more=PULLING), ALLOWED,
        STOP, "Nothing was done: db is being deployed."),
    Row("something has been pulling its image for too long", state(5, leaked=8, waiting_s=300, more=PULLING_IN_VAIN),
        ALLOWED, STOP, "(ghost_app)", restarts=True),
    Row("something fails and is started again and again", state(5, leaked=8, waiting_s=300, more=FAILING), ALLOWED,
        STOP, "(ghost_app)", restarts=True),
    Row("it is not known whether it is quiet", LEAKED_FULL, ALLOWED, STOP, "not known whether it is quiet",
        more={"quiet": checks(jobs=CheckState.UNKNOWN)}),
    Row("a container would stay down", LEAKED_FULL, ALLOWED, STOP, "would stay down: db",
        more={"daemon": Daemon(LONG_AGO, 60, ("db",))}),
    Row("the unit was started a moment ago", LEAKED_FULL, ALLOWED, STOP, "a moment ago",
        more={"daemon": Daemon(ago(10), 60, ())}),
    Row("the unit cannot be looked at", LEAKED_FULL, ALLOWED, STOP, "cannot be inspected", more={"daemon": UNREAD}),
    Row("restarted an hour ago", LEAKED_FULL, ALLOWED, STOP, "gave leaked addresses back 60 min ago",
        more={"last_restart_at": ago(3600)}),
    Row("restarted seven hours ago", LEAKED_FULL, ALLOWED, STOP, restarts=True,
        more={"last_restart_at": ago(7 * 3600)}),
    Row("restarted in the future, by a clock that was set back", LEAKED_FULL, ALLOWED, STOP, "back 0 s ago",
        more={"last_restart_at": NOW + timedelta(hours=1)}),
    Row("when it was restarted last is not known", LEAKED_FULL, ALLOWED, STOP, "not known when addresses were given back last",
        more={"last_restart_at": UNREAD}),
    Row("a run is unfinished", LEAKED_FULL, ALLOWED, STOP, "run proxy-16",
        more={"unfinished_run": "The run proxy-16 is unfinished."}),
    Row("whether a run is unfinished is not known", HEALTHY, ALLOWED, UNKNOWN, more={"unfinished_run": UNREAD}),
    Row("another command holds the lock", LEAKED_FULL, ALLOWED, STOP, "census proxy", more={"holder": "census proxy"}),
    Row("another machine's run has parked a service", PARKED, ALLOWED, STOP, "parked, without tasks until the run proxy-16"),
    Row("a hand-over is unfinished", HANDING_OVER, ALLOWED, STOP, "ci-host is paused: no new task starts on it"),
    Row("the swarm cannot be read", replace(HEALTHY, services=UNREAD), ALLOWED, UNKNOWN, "It hangs."),
    Row("the network is gone", swarm(api=(1, 52)), ALLOWED, STOP, "no overlay named proxy"),
    Row("unused overlays, quiet", HEALTHY, ALLOWED, GO, prunes=("old_default",), more={"prunable": ("old_default",)}),
    Row("unused overlays, busy", HEALTHY, ALLOWED, GO,
        more={"prunable": ("old_default",), "quiet": checks(changes=CheckState.BUSY)}),
    Row("unused overlays, a deploy takes its time", state(2, more=PULLING), ALLOWED, GO,
        more={"prunable": ("old_default",)}),
    Row("unused overlays, something fails again and again", state(2, more=FAILING), ALLOWED, GO,
        prunes=("old_default",), more={"prunable": ("old_default",)}),
    Row("unused overlays, not wanted", HEALTHY, replace(ALLOWED, may_prune=False), GO,
        more={"prunable": ("old_default",)}),
)  # fmt: skip


def inputs(row: Row) -> GuardInputs:
    seen = snapshot(row.swarm, earlier=row.swarm, journal=None)
    seen = replace(seen, journal=row.journal)
    usual = {
        "quiet": CALM, "unfinished_run": "", "holder": "", "daemon": DAEMON, "last_restart_at": None, "prunable": (),
    }  # fmt: skip
    return GuardInputs(seen, assess(seen, Thresholds()), **{**usual, **row.more})


def decided(row: Row) -> GuardDecision:
    return decide(inputs(row), row.options, Thresholds())


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
def test_each_situation_has_its_decision(row: Row) -> None:
    found = decided(row)
    assert (found.verdict, found.restarts, found.borrows, found.prunes, found.census_of) == (
        row.verdict,
        row.restarts,
        row.borrows,
        row.prunes,
        row.census,
    )
    assert row.says in found.sentence


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
def test_without_permission_nothing_is_ever_restarted(row: Row) -> None:
    assert not decided(replace(row, options=replace(row.options, may_restart=False))).restarts


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
def test_where_only_permission_or_the_moment_is_missing_the_command_is_told(row: Row) -> None:
    told = decided(replace(row, options=replace(row.options, may_restart=False)))
    if any(" is allowed" in each for each in told.because):
        assert "`vipconsole guard --allow-restart`" in told.hint


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
def test_without_permission_no_manager_is_ever_borrowed(row: Row) -> None:
    assert not decided(replace(row, options=replace(row.options, may_borrow=False))).borrows


def test_both_cures_are_told_where_one_manager_is_all_there_is() -> None:
    told = decided(Row("", LEAKED_FULL, FORBIDDEN, STOP))
    assert told.hint.index("--allow-borrow` borrows") < told.hint.index("--allow-restart` restarts")


def test_a_hand_over_is_told_where_there_are_several_managers() -> None:
    others = [replace(LEADER, id=f"node-{n}", is_leader=False) for n in (2, 3)]
    told = decided(Row("", state(5, leaked=8, waiting_s=300, nodes=(HERE, *others)), FORBIDDEN, STOP))
    assert told.hint.startswith("`vipconsole reclaim --by handover` stops no container.")
    assert "--allow-borrow" not in told.hint


def test_where_none_can_be_borrowed_the_restart_is_told_too() -> None:
    told = decided(Row("", LEAKED_FULL, BORROWING, STOP, more=NOT_HERE))
    assert told.hint.startswith("Change it. Otherwise `vipconsole guard --allow-restart` restarts")
    assert told.because[-1] == "a restart of the docker unit is not allowed."


def test_what_is_in_the_way_is_told_before_the_command() -> None:
    busy = Row("", LEAKED_FULL, FORBIDDEN, STOP, more={"quiet": checks(updates=CheckState.BUSY)})
    assert decided(busy).hint.startswith(
        "Try again when that is over. Then `vipconsole guard --allow-borrow` borrows a second manager for some seconds"
    )


def test_every_obstacle_is_told() -> None:
    row = Row("", LEAKED_FULL, FORBIDDEN, STOP, more={"daemon": Daemon(ago(10), 60, ("db",))})
    assert len(decided(row).because) == 3
