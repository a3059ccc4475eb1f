"""`vipconsole validate` and `vipconsole schema`, as an operator calls them."""

import json
from pathlib import Path

from tests.support.program import vipconsole

GOOD = "schema: vipconsole.runbook/1\nid: a\ntitle: A\nsteps: [{id: one, uses: checks.all}]\n"


def test_every_problem_of_every_file_is_a_line_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "good.yaml").write_text(GOOD)
    (tmp_path / "bad.yaml").write_text(GOOD.replace("title", "titel").replace("checks.all", "checks.al"))
    said = vipconsole(
        "validate", str(tmp_path / "good.yaml"), str(tmp_path / "bad.yaml"), str(tmp_path / "none")
    )
    assert said.code == 64
    assert said.out.splitlines() == [
        f"{tmp_path}/good.yaml: a, 1 step, valid",
        f"{tmp_path}/bad.yaml:1:1: title is missing",
        f"{tmp_path}/bad.yaml:3:1: unknown key titel (did you mean title?)",
        f"{tmp_path}/bad.yaml:4:25: unknown action checks.al (did you mean checks.all?)",
        f"{tmp_path}/none:1:1: The runbook {tmp_path}/none cannot be read: No such file or directory.",
    ]
    assert said.err == ""


def test_a_runbook_that_root_would_not_run_is_told_of(tmp_path: Path) -> None:
    (tmp_path / "good.yaml").write_text(GOOD)
    (tmp_path / "good.yaml").chmod(0o666)
    said = vipconsole("validate", str(tmp_path / "good.yaml"))
    assert said.code == 0
    assert "root would not run it" in said.err
    assert "Others than its owner can write" in said.err


def test_without_a_file_it_is_the_runbook_that_would_be_run() -> None:
    said = vipconsole("validate")
    assert said.code == 0
    assert said.out.endswith(", valid\n")


def test_the_schema_is_printed_for_editors() -> None:
    said = vipconsole("schema")
    assert said.code == 0
    assert said.json["$schema"] == "http://json-schema.org/draft-07/schema#"
    assert json.loads(said.out)["properties"]["schema"]["const"] == "vipconsole.runbook/1"
