"""The alert rules and the dashboard of docs/, against the metrics that exist."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.monitoring.exporting import exporting, fresh, full_state, scrape
from tests.support.monitors import HandClock
from tests.support.reference import DOCS
from tests.support.swarms import NOW

RULES, DASHBOARD = DOCS / "alert-rules.yaml", DOCS / "grafana-dashboard.json"
RULE_TESTS = Path(__file__).with_name("alert-rules.test.yaml")
SELECTOR = re.compile(r"\b(vipconsole_\w+)(?:\{([^}]*)\})?")
MATCHER = re.compile(r'(\w+)\s*(=~|!=|!~|=)\s*"([^"]*)"')
OF_PROMETHEUS = {"instance", "job"}
"""Labels that Prometheus adds."""


@cache
def expressions() -> tuple[str, ...]:
    rules = YAML(typ="safe").load(RULES.read_text())
    of_rules = [rule["expr"] for group in rules["groups"] for rule in group["rules"]]
    return (*of_rules, *_of_dashboard(json.loads(DASHBOARD.read_text())))


def _of_dashboard(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        for key, value in part.items():
            if key in ("expr", "query", "definition") and isinstance(value, str):
                yield value
            else:
                yield from _of_dashboard(value)
    elif isinstance(part, list):
        for value in part:
            yield from _of_dashboard(value)


async def test_every_metric_label_and_value_that_is_named_exists(tmp_path: Path) -> None:
    clock = HandClock(NOW)
    async with exporting(tmp_path, clock) as listener:
        await listener.take(fresh(full_state(), clock))
        found = await scrape(listener)
    named = set()
    for expression in expressions():
        for metric, matchers in SELECTOR.findall(expression):
            named.add(metric)
            assert metric in found, f"{metric} in {expression}"
            for label, _, value in MATCHER.findall(matchers):
                values = {sample.labels.get(label) for sample in found[metric]} - {None}
                assert label in OF_PROMETHEUS or values, f"{metric} has no label {label}"
                assert "$" in value or label in OF_PROMETHEUS or value in values, f"{label}={value}"
    assert len(named) > 15
    labels = {label for samples in found.values() for sample in samples for label in sample.labels}
    for grouped in re.findall(r"by \(([^)]*)\)", " ".join(expressions())):
        assert set(grouped.replace(" ", "").split(",")) <= labels | OF_PROMETHEUS


def test_what_rules_say_uses_labels_that_their_metrics_have() -> None:
    rules = YAML(typ="safe").load(RULES.read_text())
    for rule in (rule for group in rules["groups"] for rule in group["rules"]):
        used = set(re.findall(r"\$labels\.(\w+)", json.dumps(rule["annotations"])))
        assert used <= {"instance", "network", "alert"}, rule["alert"]
        assert rule["annotations"]["summary"].endswith("."), rule["alert"]


def test_promtool_accepts_the_rules_and_each_burns_when_it_should(tmp_path: Path) -> None:
    for path in (RULES, RULE_TESTS):
        shutil.copy(path, tmp_path)
    for arguments in (
        ("check", "rules", "--lint=all", "--lint-fatal", RULES.name),
        ("test", "rules", RULE_TESTS.name),
    ):
        said = subprocess.run(
            ["promtool", *arguments], cwd=tmp_path, capture_output=True, check=False, text=True, timeout=100
        )
        assert said.returncode == 0, said.stdout + said.stderr


def test_each_rule_has_a_test_in_which_it_burns() -> None:
    rules = YAML(typ="safe").load(RULES.read_text())
    tests = YAML(typ="safe").load(RULE_TESTS.read_text())
    names = {rule["alert"] for group in rules["groups"] for rule in group["rules"]}
    burning = {
        case["alertname"]
        for test in tests["tests"]
        for case in test["alert_rule_test"]
        if case.get("exp_alerts")
    }
    silent = {
        case["alertname"]
        for test in tests["tests"]
        for case in test["alert_rule_test"]
        if not case.get("exp_alerts")
    }
    assert burning == names
    # Deploys that wait need no time in which they do not.
    assert names - silent <= {"VipconsoleDeploysWait"}


def test_the_dashboard_is_one_that_can_be_imported() -> None:
    dashboard = json.loads(DASHBOARD.read_text())
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(set(ids)) == len(ids)
    cells: set[tuple[int, int]] = set()
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        mine = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not mine & cells, f"{panel['title']} lies over another panel"
        cells |= mine
        assert panel["datasource"]["uid"] == "${datasource}"
        assert panel["description"]
        assert all(target["datasource"]["uid"] == "${datasource}" for target in panel["targets"])


@pytest.mark.parametrize("name", [path.name for path in (RULES, DASHBOARD)])
def test_the_page_names_the_files(name: str) -> None:
    assert f"({name})" in (DOCS / "monitoring.md").read_text()
