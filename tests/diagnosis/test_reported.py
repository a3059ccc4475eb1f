"""What a task reports itself, whatever its state and whatever stands in front of the cause."""

from dataclasses import replace

import pytest

from console.causes import nodes
from console.causes.values import Area
from console.diagnosis.why.evidence import ServiceStatus
from console.diagnosis.why.explain import explain
from console.journal.signatures import Confidence
from console.settings import Thresholds
from console.swarm.model import PublishedPort, Task
from tests.support.swarms import HERE, ago, network, service, snapshot, swarm
from tests.support.why import PROXY, ROOMY, app, failures, one, value, why

SETUP = "starting container failed: failed to set up container networking: "
UNREACHABLE = (
    'failed to resolve reference "docker.io/lab/absent:1": failed to do request: Head '
    '"https://registry-1.docker.io/v2/lab/absent/manifests/1": dial tcp: lookup registry-1.docker.io: '
    "network is unreachable"
)
TAKEN = (
    "driver failed programming external connectivity on endpoint gw_1 (f3): Bind for 0.0.0.0:80 failed: "
    "port is already allocated"
)
VXLAN = 'subnet sandbox join failed for "10.0.2.0/24": error creating vxlan interface: file exists'
WEB = PublishedPort(80, "tcp", is_ingress=True)
WEB_HOST = PublishedPort(80, "tcp", is_ingress=False)


def preparing(error: str, **more: object) -> Task:
    return one(state="preparing", error=error, since=ago(400), **more)


def test_an_address_in_use_is_the_cause_behind_the_words_of_newer_engines() -> None:
    told = why([app()], failures(SETUP + "Address already in use", code=None))
    assert (told.cause, told.certainty, told.is_address_problem) == ("address-taken", Confidence.LIKELY, True)
    assert "command" not in told.advice


def test_an_image_that_cannot_be_pulled_is_told_while_the_task_still_prepares() -> None:
    told = why([app()], [preparing(UNREACHABLE)])
    assert (told.cause, told.standing) == ("image-unreachable", ServiceStatus.BLOCKED)
    assert "its image cannot be pulled" in told.verdict
    assert told.verdict.endswith("network is unreachable")
    assert value(told, "Status.Err") == f'"{UNREACHABLE}"'
    assert told.command == "docker pull docker.io/lab/absent:1"


def test_a_stale_vxlan_interface_names_network_interface_and_cure() -> None:
    tapped = network("tap", "10.0.2.0/24", id="n0p1q2r3s4t5u6v7w8x9y0z1a")
    told = why([app()], failures(SETUP + VXLAN, code=None), [ROOMY, tapped])
    assert (told.cause, told.is_address_problem) == ("stale-vxlan", False)
    assert "stale" in told.meaning
    assert value(told, "IPAM.Config.Subnet") == "10.0.2.0/24"
    assert value(told, "interface").startswith("vx-…-n0p1q,")
    assert value(told, "failures").startswith("3 listed")
    assert f"drain {HERE.hostname}" in told.advice
    assert "restart" in told.advice
    assert told.command == "ip -d link show type vxlan"


@pytest.mark.parametrize("prefix", ["", "starting container failed: ", SETUP])
def test_a_port_that_is_taken_is_no_matter_of_the_application(prefix: str) -> None:
    told = why([app()], failures(prefix + TAKEN, code=None))
    assert (told.cause, told.is_address_problem) == ("port-taken", False)
    assert "port 80" in told.verdict
    assert "log is empty" in told.meaning
    assert "docker service scale app=0" in told.advice
    assert "Docker 29" in told.advice
    assert "logs" not in told.command
    assert "docker ps --filter publish=80" in value(told, "port 80")


def test_the_service_that_has_the_port_is_named() -> None:
    taker = replace(service("shop_web", (PROXY, "10.0.1.7")), ports=(WEB,))
    told = why([app(), taker], failures(TAKEN, code=None))
    assert told.verdict.endswith("by shop_web")
    assert value(told, "Endpoint.Ports") == "publishes 80/tcp through ingress, on every node"
    elsewhere = replace(taker, ports=(WEB_HOST,))
    assert "shop_web" not in why([app(), elsewhere], failures(TAKEN, code=None)).verdict
    there = replace(one(id="w"), service_id="id-shop_web")
    told = why([app(), elsewhere], [*failures(TAKEN, code=None), there])
    assert told.verdict.endswith("by shop_web")


def test_an_older_task_of_its_own_may_have_the_port() -> None:
    own = app(ports=(WEB_HOST,), replicas=2)
    told = why([own], [*failures(TAKEN, code=None), one(id="older", slot=2)])
    assert told.verdict.endswith("by an older task of its own")


@pytest.mark.parametrize(("node", "is_named"), [(HERE.id, True), ("node-elsewhere", False)])
def test_a_container_outside_the_swarm_may_have_the_port(node: str, *, is_named: bool) -> None:
    tasks = [replace(each, node_id=node) for each in failures(TAKEN, code=None)]
    seen = snapshot(swarm([ROOMY], [app()], tasks))
    (found,) = explain(seen, Thresholds(), ("app",), outside={80: ("old-web",), 81: ("other",)}).services
    assert found.explanation.verdict.endswith("by the container old-web") is is_named
    assert "other" not in found.explanation.verdict


def test_a_global_service_is_not_told_to_scale() -> None:
    told = why([app(mode="global", replicas=None)], failures(TAKEN, code=None))
    assert "scale app=0" not in told.advice
    assert "Docker 29" in told.advice


@pytest.mark.parametrize("state", ["failed", "rejected", "preparing"])
@pytest.mark.parametrize("beginning", ["something new of dockerd's: ", 'exec: "' + "x" * 400 + '": '])
def test_the_end_of_a_long_error_is_kept_for_the_cause_stands_there(state: str, beginning: str) -> None:
    error = f"{beginning}{'and what it was doing: ' * 20}the cause"
    tasks = [preparing(error)] if state == "preparing" else failures(error, state=state, code=None)
    told = why([app()], tasks)
    assert ": the cause" in told.verdict
    assert "…" in told.verdict
    assert len(told.verdict) < 300


@pytest.mark.parametrize("state", ["assigned", "accepted", "preparing", "ready", "starting", "pending"])
def test_an_error_of_a_task_is_shown_whatever_its_state(state: str) -> None:
    told = why([app()], [one(state=state, error="some error nobody knows", since=ago(300))])
    assert (told.cause, told.standing) == ("reported-error", ServiceStatus.BLOCKED)
    assert value(told, "Status.Err") == '"some error nobody knows"'


def test_an_error_is_shown_beside_whatever_else_is_the_cause() -> None:
    told = why([app()], [one(state="running", error="some error nobody knows")])
    assert told.cause == "well"
    assert value(told, "Status.Err") == '"some error nobody knows"'
    told = why([app(update_state="updating")], [one(state="new", error="x y", attachments=(), since=ago(3))])
    assert value(told, "Status.Err") == '"x y"'


@pytest.mark.parametrize("state", ["shutdown", "orphaned", "remove"])
def test_an_error_of_a_task_that_was_ended_is_shown_too(state: str) -> None:
    told = why([app()], [one(state=state, desired_state="shutdown", error="some error nobody knows")])
    assert told.standing is not ServiceStatus.RUNS
    assert value(told, "Status.Err") == '"some error nobody knows"'


@pytest.mark.parametrize(
    ("error", "cause", "words"),
    [
        ("no suitable node", "no-suitable-node", "gives no reason"),
        ("no suitable node (scheduling constraints not satisfied on 2 nodes; insufficient resources on 1 node)",
         "no-suitable-node", "insufficient resources on 1 node"),
        ("insufficient resources on 1 node", "no-suitable-node", "insufficient resources"),
        ("unsupported platform on 1 node", "no-suitable-node", "unsupported platform"),
        ("no suitable node (max replicas per node limit exceed)", "no-suitable-node", "max replicas"),
        ("no suitable node (host-mode port already in use on 1 node)", "no-suitable-node", "host-mode port"),
        ("no suitable node (missing plugin on 3 nodes)", "no-suitable-node", "missing plugin"),
        ("no suitable node (2 nodes not available for new tasks)", "no-suitable-node", "not available"),
        ("no suitable node (cannot fulfill requested CSI volume mounts on 1 node)", "no-suitable-node", "CSI"),
        ("cannot find volume to satisfy mount with source group:data", "no-suitable-node", "cannot find volume"),
    ],
)  # fmt: skip
def test_what_the_scheduler_says_is_told_with_and_without_brackets(
    error: str, cause: str, words: str
) -> None:
    waiting = one(state="pending", error=error, since=ago(300), node_id="")
    told = why([app(constraints=("node.labels.ssd == true",))], [waiting])
    assert (told.cause, told.standing) == (cause, ServiceStatus.BLOCKED)
    assert words in told.verdict
    assert told.advice
    assert value(told, "Placement.Constraints") == "node.labels.ssd == true"


@pytest.mark.parametrize("is_back", [False, True])
def test_a_task_that_lost_its_node_by_a_constraint_was_ended_by_the_manager(*, is_back: bool) -> None:
    tasks = failures("assigned node no longer meets constraints", state="rejected", code=None, count=1)
    if is_back:
        tasks[0] = one(id="back", since=ago(2), created=ago(2))
    told = why([app(constraints=("node.role == manager",))], tasks)
    assert told.cause == "constraint-enforced"
    assert "the manager ended its task" in told.verdict
    assert "node.role" in told.meaning
    assert "demoted" in told.meaning
    assert value(told, "Placement.Constraints") == "node.role == manager"
    assert told.standing is (ServiceStatus.CONVERGING if is_back else ServiceStatus.BLOCKED)


STORAGE = {each.id for each in nodes.CAUSES if each.area is Area.STORAGE}
KNOWN = [
    ("No such image: lab/absent:1", "image-missing"),
    (("pull access denied for lab/x, repository does not exist or may require 'docker login': denied: requested access "
     "to the resource is denied"), "image-denied"),
    (('failed to resolve reference "docker.io/lab/x:latest": pull access denied, repository does not exist or may '
     "require authorization: server message: insufficient_scope: authorization failed"), "image-denied"),
    (('failed to resolve reference "ghcr.io/lab/x:1": failed to authorize: failed to fetch oauth token: unexpected '
     "status from GET request to https://ghcr.io/token: 403 Forbidden"), "image-denied"),
    ('Get "https://registry.lab:5000/v2/": no basic auth credentials', "image-denied"),
    ("toomanyrequests: You have reached your unauthenticated pull rate limit. https://www.docker.com/x",
     "image-rate-limit"),
    (("failed to copy: httpReadSeeker: failed open: unexpected status code https://registry-1.docker.io/v2/x: 429 Too "
     "Many Requests - Server message: toomanyrequests: y"), "image-rate-limit"),
    ('Get "https://registry.lab:5000/v2/": x509: certificate signed by unknown authority', "image-certificate"),
    ('Get "https://registry.lab:5000/v2/": http: server gave HTTP response to HTTPS client', "image-certificate"),
    ("manifest for lab/x:9 not found: manifest unknown: manifest unknown", "image-not-found"),
    ('failed to resolve reference "docker.io/lab/x:9": docker.io/lab/x:9: not found', "image-not-found"),
    ("no matching manifest for linux/arm64/v8 in the manifest list entries", "image-platform"),
    ('Get "https://registry-1.docker.io/v2/": net/http: request canceled while waiting for connection',
     "image-unreachable"),
    ("invalid reference format: repository name must be lowercase", "image-name"),
    ("failed to register layer: write /usr/lib/x: no space left on device", "node-disk-full"),
    ('invalid mount config for type "bind": bind source path does not exist: /srv/a', "bind-source-missing"),
    ("invalid bind mount source, source path not found: /srv/a", "bind-source-missing"),
    (("error while mounting volume '/var/lib/docker/volumes/x/_data': failed to mount local volume: mount :/e:/x: "
     "connection refused"), "volume-failed"),
    ("attached to volume which is being drained", "csi-drained"),
    ("dependency not ready: published path is unavailable", "csi-not-ready"),
    (TAKEN, "port-taken"), (VXLAN, "stale-vxlan"),
    (('starting container failed: subnet sandbox join failed for "10.77.0.0/28": overlay: cannot determine address family '
      "of transport: the local data-plane address is not currently known"), "node-starting"),
    ("failed to allocate gateway (10.0.24.1): Address already in use", "gateway-taken"),
    ("invalid pool request: Pool overlaps with other one on this address space", "node-pool-overlap"),
    (("attaching to network failed, make sure your network options are correct and check manager logs: context "
     "deadline exceeded"), "attach-timeout"),
    ("network shop_internal not found", "network-not-found"),
    ("No such network: shop_internal", "network-not-found"),
    ("Could not attach to network proxy: rpc error: code = NotFound desc = network proxy not found", "network-not-found"),
    ("container ab12: endpoint join on GW Network failed: " + TAKEN, "port-taken"),
]  # fmt: skip


@pytest.mark.parametrize("state", ["failed", "rejected", "preparing"])
@pytest.mark.parametrize(("error", "cause"), KNOWN)
def test_a_known_cause_is_told_in_every_state(state: str, error: str, cause: str) -> None:
    tasks = [preparing(error)] if state == "preparing" else failures(error, state=state, code=None)
    told = why([app()], tasks)
    is_mount = state == "rejected" and cause in STORAGE
    assert told.cause == ("rejected" if is_mount else cause)
    assert told.advice
    assert not any(mark in f"{told.verdict}{told.meaning}" for mark in "{}")


def test_what_an_error_names_is_quoted_in_the_command() -> None:
    told = why([app()], failures("No such image: x; reboot", state="rejected", code=None))
    assert told.command == "docker pull 'x; reboot'"


def test_a_task_whose_own_words_quote_a_cause_has_not_that_cause() -> None:
    for error in (
        'starting container failed: exec: "a: Address already in use": executable file not found in $PATH: unknown',
        'starting container failed: exec: "Bind for 0.0.0.0:80 failed: port is already allocated": not found',
    ):
        assert why([app()], failures(error, code=127)).cause == "cannot-start"
    path = 'invalid mount config for type "bind": bind source path does not exist: /a: Address already in use'
    assert why([app()], failures(path, code=None)).cause == "bind-source-missing"


def test_a_container_that_never_ran_has_no_log_to_read() -> None:
    told = why([app()], failures("starting container failed: a network of a new kind broke", code=None))
    assert told.cause == "cannot-start"
    assert "its log is empty" in told.advice
    assert told.is_address_problem is None
    assert why([app()], failures("something new of dockerd's", code=None)).cause == "cannot-start"
