"""Text, JSON and metrics of the same look."""

import json
import re
from dataclasses import replace
from datetime import timedelta
from io import StringIO

import pytest
from rich.cells import cell_len
from rich.console import Console

from console.addresses.leaks import LeakLog
from console.diagnosis.assess import assess
from console.diagnosis.values import Assessment, Snapshot
from console.errors import Unknown
from console.settings import Thresholds
from console.swarm import parse
from console.swarm.model import SwarmState
from screens.output.glance import EVERYTHING, USUAL, render_glance
from screens.output.metrics import as_metrics
from screens.output.snapshot_json import as_json
from screens.present.text import ASCII, UNICODE, bar, glyphs_for
from tests.support.swarms import NOW, ago, entry, network, service, snapshot, swarm, task

PROXY = "id-proxy"
HOSTILE = (
    "[/x]",
    "[bold]",
    "\x1b[2J\x1b]0;t\x07",
    "\u202egnp",
    "a\nb\r\tc",
    "x" * 10_000,
    "宽" * 70,
    "\ud800",
    '"\\\n}',
)


def text_of(seen: Snapshot, found: Assessment, *, width: int = 80, everything: bool = True) -> str:
    console = Console(
        file=StringIO(),
        width=width,
        markup=False,
        emoji=False,
        highlight=False,
        force_terminal=True,
        no_color=False,
    )
    detail = EVERYTHING if everything else USUAL
    console.print(render_glance(seen, found, NOW + timedelta(seconds=3), UNICODE, detail))
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def strip(text: str) -> str:
    """Take away the escapes that the renderer itself wrote: colours and weights."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def both(state: SwarmState, **more: SwarmState) -> tuple[Snapshot, Assessment]:
    seen = snapshot(state, **more)  # type: ignore[arg-type] # only `earlier` is passed
    return seen, assess(seen, Thresholds())


def busy() -> SwarmState:
    proxy = network("proxy", "10.0.1.0/28", load_balancer="10.0.1.5", peers=1, use={"10.0.1.0/28": (8, 8)})
    return swarm(
        [proxy, network("late", driver="", created=ago(10)), network("dual", "10.0.2.0/24", "fd00::/64")],
        [service("ghost_app", (PROXY, "10.0.1.2"))],
        [task("ghost_app", (PROXY, "10.0.1.3"))],
        api=(1, 52),
    )


@pytest.mark.parametrize("width", [60, 80, 160])
def test_no_line_is_wider_than_the_terminal_and_no_figure_is_cut(width: int) -> None:
    seen, found = both(busy(), earlier=busy())
    lines = strip(text_of(seen, found, width=width)).splitlines()
    assert max(map(len, lines)) <= width
    (row,) = [line for line in lines if " proxy " in line and " 5/13 " in line]
    assert row.split()[-5:] == ["1", "1", "1", "2", "8"]


def test_the_verdict_comes_first_and_the_place_and_age_last() -> None:
    seen, found = both(busy(), earlier=busy())
    lines = strip(text_of(seen, found)).splitlines()
    assert lines[0].startswith(" WARNING  2 leaked on proxy")
    assert lines[-1].strip() == "ci-host  engine 29.1.0  manager, leader of 1 node  read 3 s ago, took 0.1 s"


def test_what_is_not_known_is_a_question_mark_or_a_bound() -> None:
    state = busy()
    blind = SwarmState(swarm().engine, state.networks, Unknown("cut off"), Unknown("cut off"), state.nodes)
    text = strip(text_of(*both(blind)))
    (row,) = [line for line in text.splitlines() if "10.0.1.0/28" in line]
    assert row.split()[-5:] == ["?", "?", "1", "?", "8"]
    assert "UNKNOWN  services cannot be read; tasks cannot be read" in text


def test_networks_without_a_subnet_and_ipv6_ones_have_their_rows() -> None:
    text = strip(text_of(*both(busy())))
    assert "late" in text
    assert "none yet" in text
    assert "fd00::/64" in text
    assert re.search(r"fd00::/64 +IPv6", text)


def test_nearly_empty_networks_are_folded_away_and_troubled_ones_never() -> None:
    many = [network(f"n{n:03}", f"10.1.{n}.0/24") for n in range(100)]
    twin = [network("n099", "10.2.0.0/24", id="twin")]
    seen, found = both(swarm([*many, *twin]))
    text = strip(text_of(seen, found, everything=False))
    assert "… 93 more, all under 5 % (--all shows them)" in text
    assert "n099" in text
    assert "n050" not in text
    assert "n050" in strip(text_of(seen, found, everything=True))


@pytest.mark.parametrize("hostile", HOSTILE)
def test_nothing_from_outside_reaches_a_terminal_or_a_file_raw(hostile: str) -> None:
    raw_network = {
        "Id": "id-proxy",
        "Name": hostile,
        "Driver": "overlay",
        "Scope": "swarm",
        "Created": "2026-06-01T00:00:00Z",
        "IPAM": {"Config": [{"Subnet": "10.0.1.0/28", "Gateway": "10.0.1.1"}]},
    }
    raw_task = {
        "ID": hostile,
        "CreatedAt": "2026-06-01T00:00:00Z",
        "ServiceID": hostile,
        "NodeID": hostile,
        "Spec": {},
        "Status": {"State": "new", "Timestamp": "2026-06-01T00:00:00Z", "Err": hostile, "Message": hostile},
        "DesiredState": "running",
    }
    raw_service = {
        "ID": hostile,
        "Version": {"Index": 1},
        "CreatedAt": "2026-06-01T00:00:00Z",
        "UpdatedAt": "2026-06-01T00:00:00Z",
        "Spec": {
            "Name": hostile,
            "Labels": {parse.STACK_LABEL: hostile},
            "TaskTemplate": {"Networks": [{"Target": PROXY}]},
        },
    }
    detail = parse.network_detail({"Containers": {hostile: {"Name": hostile, "IPv4Address": "10.0.1.9/28"}}})
    state = swarm([parse.network(raw_network, detail)], [parse.service(raw_service)], [parse.task(raw_task)])
    seen, found = both(state)
    text = text_of(seen, found)
    assert strip(text).replace("\n", "").isprintable()
    assert max(map(cell_len, strip(text).splitlines())) <= 80
    document = as_json(seen, found)
    assert document.isascii()
    assert json.loads(document)["networks"]
    metrics = as_metrics(seen, found, Thresholds())
    assert all(line.isprintable() for line in metrics.split("\n"))
    assert "vipconsole_services_waiting 1.0\n" in metrics


def test_json_tells_everything_and_names_its_schema() -> None:
    document = json.loads(as_json(*both(busy(), earlier=busy())))
    assert document["schema"] == "vipconsole.glance/1"
    assert (document["severity"], document["exit_code"]) == ("warning", 1)
    proxy = next(each for each in document["networks"] if each["name"] == "proxy")
    (part,) = proxy["subnets"]
    assert part["leaked"] == {
        "count": 2,
        "certainty": "exact",
        "evidence": "engine count",
        "addresses": [],
        "why_unknown": None,
        "as_of": None,
        "possibly_load_balancers": 0,
        "seen_leaking": 0,
    }
    assert part["held"][0] == {
        "address": "10.0.1.2",
        "holders": [{"kind": "vip", "name": "ghost_app", "id": "id-ghost_app"}],
    }
    assert part["reserved"] == ["10.0.1.0", "10.0.1.1", "10.0.1.15"]
    assert proxy["accounted"] + proxy["leaked"] + proxy["free"] == proxy["capacity"]
    unread = Unknown("Nothing listens.", "Start it.")
    nothing = SwarmState(unread, unread, unread, unread, unread)
    assert json.loads(as_json(*both(nothing)))["engine"] == {
        "unknown": "Nothing listens.",
        "hint": "Start it.",
    }


def test_what_was_only_seen_leaking_is_a_lower_bound_in_every_face() -> None:
    seen = replace(
        snapshot(replace(busy(), engine=swarm().engine, networks=(network("proxy", "10.0.1.0/28"),))),
        leak_log=LeakLog(NOW, (entry(PROXY, "10.0.1.8", "10.0.1.9"),)),
    )
    found = assess(seen, Thresholds())
    text = strip(text_of(seen, found))
    (row,) = [line for line in text.splitlines() if "10.0.1.0/28" in line]
    assert row.split()[-5:] == ["1", "≥", "2", "≤", "8"]
    assert "At least 2 addresses of proxy leaked (15 % of 13)" in text
    (proxy,) = json.loads(as_json(seen, found))["networks"]
    assert (proxy["leaked"], proxy["leaked_is_exact"], proxy["free_is_exact"]) == (2, False, False)
    leaked = proxy["subnets"][0]["leaked"]
    assert (leaked["certainty"], leaked["evidence"]) == ("at least", "leak log")
    assert leaked["addresses"] == ["10.0.1.8", "10.0.1.9"]
    sample = 'vipconsole_network_leaked_addresses{network="proxy",subnet="10.0.1.0/28"} 2.0\n'
    assert sample in as_metrics(seen, found, Thresholds())


def test_metrics_have_no_sample_for_what_is_unknown() -> None:
    seen, found = both(busy(), earlier=busy())
    known = as_metrics(seen, found, Thresholds())
    assert 'vipconsole_network_leaked_addresses{network="proxy",subnet="10.0.1.0/28"} 2.0\n' in known
    for kind, count in (("capacity", 13), ("expected", 3), ("in_use", 5), ("available", 8)):
        assert f'{{kind="{kind}",network="proxy",subnet="10.0.1.0/28"}} {count}.0\n' in known
    assert "vipconsole_network_leaked_addresses" not in as_metrics(
        *both(swarm(busy().networks)), Thresholds()
    )
    unread = Unknown("Nothing listens.")
    nothing = as_metrics(*both(SwarmState(unread, unread, unread, unread, unread)), Thresholds())
    assert "vipconsole_up 0.0\n" in nothing
    assert "vipconsole_severity 3.0\n" in nothing
    assert "vipconsole_network" not in nothing
    assert "vipconsole_tasks" not in nothing


def test_every_metric_is_declared_once_before_its_samples() -> None:
    declared: list[str] = []
    for line in as_metrics(*both(busy()), Thresholds()).splitlines():
        if line.startswith("# TYPE "):
            declared.append(line.split()[2])
        elif not line.startswith("#"):
            assert line.split("{")[0].split()[0] == declared[-1]
    assert len(declared) == len(set(declared)) > 8


def test_bars_look_full_or_empty_only_when_they_are() -> None:
    assert [bar(share, 4, UNICODE) for share in (0, 0.001, 0.5, 0.999, 1)] == [
        "░░░░",
        "█░░░",
        "██░░",
        "███░",
        "████",
    ]
    assert bar(0.5, 4, ASCII) == "##.."
    assert glyphs_for({"LANG": "de_DE.UTF-8"}) is UNICODE
    assert glyphs_for({"LANG": "C.UTF-8", "LC_ALL": "C"}) is ASCII
    assert glyphs_for({}) is ASCII
