"""How an engine joins a swarm, leads it for a moment, and leaves it; and what is refused on the way."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.contract.calls import IMAGE, Refused
from tests.contract.pair import (
    ADDRESSES,
    Pair,
    node_at,
    node_state,
    nodes,
    real_pair,
    refusal_of,
    swarm_part,
)

HERE, THERE = ADDRESSES
NO_SWARM = (
    'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and '
    "try again."
)
NOT_MANAGER = (
    "This node is not a swarm manager. Worker nodes can't be used to view or modify cluster state. Please run this "
    "command on a manager node or promote the current node to a manager."
)
LEAVING = "You are attempting to leave the swarm on a node that is participating as a manager. "
NO_LEADER = (
    "rpc error: code = Unknown desc = The swarm does not have a leader. It's possible that too few managers are online. "
    "Make sure more than half of the managers are online."
)
NOT_VALID = "rpc error: code = InvalidArgument desc = A valid join token is necessary to join this cluster"


WORLDS = ("simulator", pytest.param("engine", marks=pytest.mark.engine))


@contextmanager
def pair_of(kind: str) -> Iterator[Pair]:
    if kind == "engine":
        with real_pair() as real:
            yield real
    else:
        # Whoever asks for the real engines alone needs none of what the simulator imports.
        from tests.contract.simulated import simulated_pair  # noqa: PLC0415

        with simulated_pair() as simulated:
            yield simulated


@pytest.fixture(params=WORLDS)
def pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    """Give the manager of a swarm, and an engine in none."""
    with pair_of(request.param) as fresh:
        yield fresh


@pytest.fixture(params=WORLDS, scope="module")
def lasting_pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    """Give a pair that tests share: after each the one manages its swarm alone, and the other is in none."""
    with pair_of(request.param) as shared:
        yield shared


def test_an_engine_in_no_swarm_answers_for_none(lasting_pair: Pair) -> None:
    for path in ("/swarm", "/swarm/unlockkey", "/nodes", "/nodes/self", "/services", "/tasks"):
        assert refusal_of(lasting_pair.second, "GET", path) == (503, NO_SWARM), path
    assert refusal_of(lasting_pair.second, "DELETE", "/nodes/some?force=1") == (503, NO_SWARM)
    assert refusal_of(lasting_pair.second, "POST", "/swarm/update?version=1", {}) == (503, NO_SWARM)
    for path in ("/swarm/leave", "/swarm/leave?force=1"):
        assert refusal_of(lasting_pair.second, "POST", path) == (503, "This node is not part of a swarm")
    place = swarm_part(lasting_pair.second)
    assert (place["LocalNodeState"], place["ControlAvailable"], place["NodeID"]) == ("inactive", False, "")
    assert (place["NodeAddr"], place["Error"], place["RemoteManagers"]) == ("", "", None)


def test_a_swarm_tells_its_tokens_and_whether_its_managers_are_locked(lasting_pair: Pair) -> None:
    swarm = lasting_pair.first.call("GET", "/swarm")
    assert set(swarm["JoinTokens"]) == {"Worker", "Manager"}
    for token in swarm["JoinTokens"].values():
        assert token.startswith("SWMTKN-1-")
        assert [len(part) for part in token.split("-")[2:]] == [50, 25]
    assert swarm["Spec"]["EncryptionConfig"] == {"AutoLockManagers": False}
    assert lasting_pair.first.call("GET", "/swarm/unlockkey") == {"UnlockKey": ""}
    assert "JoinTokens" not in swarm_part(lasting_pair.first)["Cluster"]


def test_what_cannot_join_is_refused_and_in_no_swarm(lasting_pair: Pair) -> None:
    def refused(token: str, **more: object) -> tuple[int, str]:
        with pytest.raises(Refused) as caught:
            lasting_pair.join(token, **more)  # type: ignore[arg-type]
        return caught.value.status, caught.value.message

    token = lasting_pair.tokens()["Manager"]
    start, _, secret = token.rpartition("-")
    assert refused("nonsense") == (500, "invalid join token")
    assert refused(token, remotes=()) == (400, "at least 1 RemoteAddr is required to join")
    assert refused(token, Availability="sleep") == (500, 'invalid Availability: "sleep"')
    assert refused(f"{start}-{secret[::-1]}") == (400, NOT_VALID)
    assert swarm_part(lasting_pair.second)["LocalNodeState"] == "inactive"
    assert len(nodes(lasting_pair.first)) == 1


def test_tokens_change_when_they_are_rotated(pair: Pair) -> None:
    swarm = pair.first.call("GET", "/swarm")
    path = "/swarm/update?rotateWorkerToken=1&rotateManagerToken=1&version="
    assert refusal_of(pair.first, "POST", path, swarm["Spec"]) == (
        400,
        "invalid swarm version '': strconv.ParseUint: parsing \"\": invalid syntax",
    )
    assert refusal_of(pair.first, "POST", f"{path}1", swarm["Spec"]) == (
        500,
        "rpc error: code = Unknown desc = update out of sequence",
    )
    pair.first.call("POST", f"{path}{swarm['Version']['Index']}", swarm["Spec"])
    now = pair.first.call("GET", "/swarm")
    assert now["Version"]["Index"] > swarm["Version"]["Index"]
    assert not {*now["JoinTokens"].values()} & {*swarm["JoinTokens"].values()}
    with pytest.raises(Refused, match="A valid join token is necessary"):
        pair.join(swarm["JoinTokens"]["Manager"])
    pair.join(now["JoinTokens"]["Manager"])
    assert len(nodes(pair.second)) == 2


def test_a_swarm_whose_managers_are_locked_has_a_key_that_can_be_changed(lasting_pair: Pair) -> None:
    def change(query: str, *, is_locked: bool) -> str:
        swarm = lasting_pair.first.call("GET", "/swarm")
        spec = {**swarm["Spec"], "EncryptionConfig": {"AutoLockManagers": is_locked}}
        lasting_pair.first.call("POST", f"/swarm/update?version={swarm['Version']['Index']}{query}", spec)
        assert lasting_pair.first.call("GET", "/swarm")["Spec"]["EncryptionConfig"] == {
            "AutoLockManagers": is_locked
        }
        return str(lasting_pair.first.call("GET", "/swarm/unlockkey")["UnlockKey"])

    key = change("", is_locked=True)
    assert key.startswith("SWMKEY-1-")
    assert len(key) == len("SWMKEY-1-") + 43
    assert change("", is_locked=True) == key
    assert change("&rotateManagerUnlockKey=1", is_locked=True) != key
    assert change("", is_locked=False) == ""


LOCKED = 'Swarm is encrypted and needs to be unlocked before it can be used. Please use "docker swarm unlock" to unlock it.'


def test_a_locked_manager_that_was_started_again_waits_for_its_key(pair: Pair) -> None:
    swarm = pair.first.call("GET", "/swarm")
    assert refusal_of(pair.first, "POST", "/swarm/unlock", {"UnlockKey": "x"}) == (409, "swarm is not locked")
    assert refusal_of(pair.second, "POST", "/swarm/unlock", {"UnlockKey": "x"}) == (503, NO_SWARM)
    spec = {**swarm["Spec"], "EncryptionConfig": {"AutoLockManagers": True}}
    pair.first.call("POST", f"/swarm/update?version={swarm['Version']['Index']}", spec)
    key = pair.first.call("GET", "/swarm/unlockkey")["UnlockKey"]
    pair.join_as_manager()
    pair.first.pass_time(2)
    pair.kill_second()
    pair.start_second()
    pair.wait(lambda: swarm_part(pair.second)["LocalNodeState"] == "locked", "it is locked")
    place = swarm_part(pair.second)
    assert (place["NodeID"], place["ControlAvailable"], place["Error"]) == ("", False, LOCKED)
    assert refusal_of(pair.second, "GET", "/nodes") == (503, LOCKED)
    assert refusal_of(pair.second, "POST", "/swarm/leave") == (
        503,
        "Swarm is encrypted and locked. Please unlock it first or use `--force` to ignore this message.",
    )

    def unlock(words: str) -> tuple[int, str]:
        return refusal_of(pair.second, "POST", "/swarm/unlock", {"UnlockKey": words})

    assert unlock("nonsense") == (400, "invalid key string")
    wrong = f"SWMKEY-1-{key.removeprefix('SWMKEY-1-')[::-1]}"
    assert unlock(wrong) == (401, "swarm could not be unlocked: invalid key provided")
    pair.second.call("POST", "/swarm/unlock", {"UnlockKey": key})
    pair.wait(lambda: len(nodes(pair.second)) == 2, "it answers for the swarm")


def test_the_last_manager_neither_leaves_nor_is_demoted(lasting_pair: Pair) -> None:
    assert refusal_of(lasting_pair.first, "POST", "/swarm/leave") == (
        503,
        f"{LEAVING}Removing the last manager erases all current state of the swarm. Use `--force` to ignore this message. ",
    )
    with pytest.raises(Refused) as caught:
        lasting_pair.change(lasting_pair.first, HERE, Role="worker")
    assert caught.value.message == (
        "rpc error: code = FailedPrecondition desc = attempting to demote the last manager of the swarm"
    )


def test_a_drained_manager_joins_and_neither_leaves_nor_is_removed_before_it_is_demoted(pair: Pair) -> None:
    pair.join_as_manager()
    node = node_at(pair.first, THERE)
    assert (node["Spec"]["Role"], node["Spec"]["Availability"]) == ("manager", "drain")
    assert node["ManagerStatus"] == {"Reachability": "reachable", "Addr": f"{THERE}:2377"}
    place = swarm_part(pair.second)
    assert (place["LocalNodeState"], place["ControlAvailable"]) == ("active", True)
    assert (place["NodeID"], place["NodeAddr"]) == (node["ID"], THERE)
    assert {each["Addr"] for each in place["RemoteManagers"]} == {f"{each}:2377" for each in ADDRESSES}
    assert pair.second.call("GET", "/swarm")["JoinTokens"] == pair.tokens()
    already = 'This node is already part of a swarm. Use "docker swarm leave" to leave this swarm and join another one.'
    with pytest.raises(Refused) as caught:
        pair.join(pair.tokens()["Manager"])
    assert (caught.value.status, caught.value.message) == (503, already)
    for through in (pair.first, pair.second):
        status, message = refusal_of(through, "POST", "/swarm/leave")
        assert status == 503
        assert message.startswith(
            f"{LEAVING}Removing this node leaves 1 managers out of 2. Without a Raft quorum"
        )
    is_manager = (
        f"rpc error: code = FailedPrecondition desc = node {node['ID']} is a cluster manager and is a member of the raft "
        "cluster. It must be demoted to worker before removal"
    )
    for path in (f"/nodes/{node['ID']}", f"/nodes/{node['ID']}?force=1"):
        assert refusal_of(pair.first, "DELETE", path) == (400, is_manager)
    assert refusal_of(pair.first, "DELETE", "/nodes/none?force=1") == (404, "node none not found")


def test_a_worker_answers_for_no_swarm_and_is_removed_once_it_has_left(pair: Pair) -> None:
    pair.join(pair.tokens()["Worker"])
    place = swarm_part(pair.second)
    assert (place["LocalNodeState"], place["ControlAvailable"]) == ("active", False)
    for path in ("/swarm", "/swarm/unlockkey", "/nodes", "/services"):
        assert refusal_of(pair.second, "GET", path) == (503, NOT_MANAGER)
    pair.wait(lambda: len(nodes(pair.first)) == 2, "the worker is listed")
    pair.wait(
        lambda: any(node["Status"].get("Addr") == THERE for node in nodes(pair.first)), "it has its address"
    )
    pair.wait(lambda: node_state(pair.first, THERE) == "ready", "it is ready")
    node = node_at(pair.first, THERE)["ID"]
    pair.second.call("POST", "/swarm/leave")
    assert swarm_part(pair.second)["LocalNodeState"] == "inactive"
    # It is not missed yet.
    assert refusal_of(pair.first, "DELETE", f"/nodes/{node}") == (
        400,
        f"rpc error: code = FailedPrecondition desc = node {node} is not down and can't be removed",
    )
    pair.first.call("DELETE", f"/nodes/{node}?force=1")
    assert len(nodes(pair.first)) == 1


def test_a_borrowed_manager_leads_for_a_while_and_no_task_ends(pair: Pair) -> None:
    service = pair.first.create_service(
        "traefik", [], replicas=2, constraints=("node.role==manager",), image=IMAGE
    )
    tasks = {each["ID"] for each in pair.first.wait_for_state(service, "running", 2)}
    pair.join_as_manager()
    pair.change(pair.second, HERE, Availability="pause")
    pair.change(pair.second, HERE, Role="worker")
    # A real one hears of them within a second: a pause between two looks could be as long.
    looks = 1 if pair.first.name == "simulator" else 1000
    pair.wait(
        lambda: any("unknown" in _states(pair) for _ in range(looks)), "it has yet to hear of the nodes", 10
    )
    pair.wait(lambda: _leads(pair, THERE), "the second one leads", 10)
    pair.wait(lambda: _states(pair) == {"ready"}, "it has heard of both")
    pair.first.pass_time(8)
    assert node_state(pair.second, HERE) == "ready"
    assert refusal_of(pair.first, "GET", "/nodes") == (503, NOT_MANAGER)
    place = swarm_part(pair.first)
    assert (place["LocalNodeState"], place["ControlAvailable"], place["NodeAddr"]) == ("active", False, HERE)
    pair.change(pair.second, HERE, Role="manager")
    pair.wait(lambda: len(nodes(pair.first)) == 2, "the first one is a manager again")
    pair.change(pair.second, HERE, Availability="active")
    pair.change(pair.first, THERE, Role="worker")
    pair.wait(
        lambda: any(
            node.get("ManagerStatus", {}).get("Leader") and node["Status"]["Addr"] == HERE
            for node in nodes(pair.first)
        ),
        "the first one leads",
    )
    pair.wait(lambda: "ManagerStatus" not in node_at(pair.first, THERE), "the second one is a worker")
    node = node_at(pair.first, THERE)["ID"]
    pair.wait(lambda: _leaves(pair), "the second one knows that it may leave")
    pair.first.call("DELETE", f"/nodes/{node}?force=1")
    (left,) = nodes(pair.first)
    assert (left["Spec"]["Role"], left["Spec"]["Availability"]) == ("manager", "active")
    pair.first.pass_time(8)
    assert {each["ID"] for each in pair.first.tasks(service)} == tasks
    assert pair.first.states(service) == ["running", "running"]


def _leaves(pair: Pair) -> bool:
    try:
        pair.second.call("POST", "/swarm/leave")
    except Refused as refusal:
        if refusal.message.startswith(LEAVING):
            return False
        raise
    return True


def _leads(pair: Pair, address: str) -> bool:
    return bool(node_at(pair.second, address).get("ManagerStatus", {}).get("Leader"))


def _states(pair: Pair) -> set[str]:
    return {node["Status"]["State"] for node in nodes(pair.second)}


# Real engines take a minute for it.
@pytest.mark.parametrize(
    "pair",
    ["simulator", pytest.param("engine", marks=(pytest.mark.engine, pytest.mark.sweep))],
    indirect=True,
)
def test_one_of_two_managers_alone_has_no_leader_until_the_other_is_back(pair: Pair) -> None:
    pair.join_as_manager()
    pair.kill_second()
    pair.wait(
        lambda: node_at(pair.first, THERE)["ManagerStatus"]["Reachability"] == "unreachable",
        "it is seen that the second one is dead",
    )

    def is_alone() -> bool:
        try:
            pair.first.call("GET", "/nodes")
        except Refused as refusal:
            return (refusal.status, refusal.message) == (500, NO_LEADER)
        return False

    pair.wait(is_alone, "nobody leads")
    for method, path in (("GET", "/swarm"), ("GET", "/services"), ("DELETE", "/nodes/some?force=1")):
        assert refusal_of(pair.first, method, path) == (500, NO_LEADER)
    assert pair.first.call("GET", "/networks")
    place = swarm_part(pair.first)
    assert (place["LocalNodeState"], place["ControlAvailable"], place["Error"]) == ("active", True, NO_LEADER)
    assert refusal_of(pair.first, "POST", "/swarm/leave")[1].startswith(f"{LEAVING}The only way to restore")
    pair.start_second()
    pair.wait(lambda: len(nodes(pair.first)) == len(nodes(pair.second)) == 2, "both answer again")
    pair.wait(lambda: _states(pair) == {"ready"}, "both are ready")
