"""What README, CONTRIBUTING and docs/ say is so: generated parts, links, command lines, paths, shapes."""

import ast
import asyncio
import json
import re
import shlex
import tomllib
from argparse import Namespace
from collections.abc import Iterator, Mapping
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from console.diagnosis.quiescence.values import CheckState
from console.settings import Settings, load_settings
from screens.cli.arguments import build_parser
from screens.cli.main import main
from tests.support.manual import COMPLETIONS, PAGE, written
from tests.support.reference import DOCS, END, GENERATED, ROOT, START, renewed
from tests.support.swarms import network, swarm

CONTRIBUTING = ROOT / "CONTRIBUTING.md"
PAGES = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.glob("*.md")))
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`([^`\n]+)`")
PROMPT = re.compile(r"^[$#] (?=\S)")
PATH = re.compile(r"^[\w.-]+(/[\w.-]+)*/?$")
BRACES = re.compile(r"^([^{}]*)\{([^{}]+)\}([^{}]*)$")
WALK = re.compile(r"^- \*\*[^*]*: (?P<count>\d+)\.\*\*(?P<way>.*?)(?=^- |^$)", re.MULTILINE | re.DOTALL)
LONGEST_WALKS = (14, 18, 10)
"""An address to its cell, a typed word to its call, a journal line to its finding."""
PRIVATE = re.compile(
    r"\banew\b|for want of|to be had|nothing of it|whoever|passed over|\bby now\b", re.IGNORECASE
)
FOLDERS = ("console/", "screens/", "tests/", "docs/")
MOST_OF_A_PICTURE = 300_000
PNG = b"\x89PNG\r\n\x1a\n"


def named(pages: tuple[Path, ...] = PAGES) -> list[Any]:
    return [pytest.param(each, id=str(each.relative_to(ROOT))) for each in pages]


def prose(page: Path) -> str:
    return FENCE.sub("", page.read_text("utf-8"))


def anchors(page: Path) -> set[str]:
    plain = (re.sub(r"[^\w\- ]", "", each.lower()) for each in HEADING.findall(prose(page)))
    return {each.strip().replace(" ", "-") for each in plain}


def typed(page: Path) -> Iterator[str]:
    """Yield each command line of the page's blocks, without prompt and comment."""
    for kind, block in FENCE.findall(page.read_text("utf-8")):
        if kind in ("console", "sh", "bash"):
            for line in block.splitlines():
                if PROMPT.match(line):
                    yield PROMPT.sub("", line)


def commands(page: Path) -> Iterator[list[str]]:
    """Yield the arguments of each call of the program: in blocks, and between backticks."""
    lines = [part for line in typed(page) for part in re.split(r"&&|\|\|", line)]
    # In a sentence a command may be spoken of by its name alone.
    lines += [each for each in INLINE.findall(prose(page)) if "…" not in each and len(each.split()) > 2]
    for line in lines:
        words = shlex.split(line.partition(">")[0], comments=True)
        if words and words[0].rpartition("/")[2] == "vipconsole":
            yield words[1:]


@pytest.mark.parametrize("path", [*COMPLETIONS.values(), PAGE], ids=lambda path: path.name)
def test_the_manual_page_and_the_completions_are_those_of_the_parser(path: Path) -> None:
    assert path.read_text("utf-8") == written()[path], f"{path.name} is out of date: run `make docs`"


@pytest.mark.parametrize("name", GENERATED)
def test_generated_parts_are_what_the_program_declares(name: str) -> None:
    page = (DOCS / name).read_text("utf-8")
    assert page == renewed(page, GENERATED[name]()), f"docs/{name} is out of date: run `make docs`"


def test_a_page_without_its_markers_is_refused() -> None:
    with pytest.raises(LookupError):
        renewed(f"{END}", "text")
    assert renewed(f"a {START} old {END} b", "new") == f"a {START}\n\nnew\n\n{END} b"


def test_the_settings_of_the_docs_are_the_defaults(tmp_path: Path) -> None:
    ((_, block),) = FENCE.findall((DOCS / "settings.md").read_text("utf-8"))
    (tmp_path / "config.toml").write_text(block)
    assert load_settings([tmp_path / "config.toml"]) == Settings()
    assert len(tomllib.loads(block)) > 5


@pytest.mark.parametrize("page", named())
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in LINK.findall(prose(page)):
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def exit_of(words: list[str]) -> int:
    try:
        build_parser().parse_args(words)
    except SystemExit as end:
        return int(end.code or 0)
    return 0


@pytest.mark.parametrize("page", named())
def test_every_command_line_is_one_that_the_program_takes(
    page: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for words in commands(page):
        code, said = exit_of(words), capsys.readouterr().err
        assert code == 0, (words, said)


@pytest.mark.parametrize("page", named())
def test_every_make_target_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    calls = [words.split() for words in (*typed(page), *INLINE.findall(prose(page)))]
    assert {words[1] for words in calls if words[:1] == ["make"] and len(words) > 1} <= targets


def paths(text: str) -> list[str]:
    """Return the paths of the house between backticks; `a/{b,c}.py` are two."""
    found = [path for spelt in INLINE.findall(text) for path in spread(spelt)]
    return [each for each in found if each.startswith(FOLDERS) and PATH.match(each)]


def spread(path: str) -> list[str]:
    braces = BRACES.match(path)
    return [f"{braces[1]}{name}{braces[3]}" for name in braces[2].split(",")] if braces else [path]


@pytest.mark.parametrize("page", named())
def test_every_path_of_the_house_exists(page: Path) -> None:
    assert [each for each in paths(prose(page)) if not (ROOT / each).exists()] == []


def test_walks_are_as_long_as_they_say() -> None:
    walks = WALK.findall(CONTRIBUTING.read_text("utf-8"))
    lengths = [len(set(paths(way))) for _, way in walks]
    assert [int(count) for count, _ in walks] == lengths
    assert all(length <= limit for length, limit in zip(lengths, LONGEST_WALKS, strict=True))


def imports_of(path: str) -> set[str]:
    """Return the modules that a file imports, wherever in it."""
    imported = set[str]()
    for node in ast.walk(ast.parse((ROOT / path).read_text("utf-8"))):
        if isinstance(node, ast.Import):
            imported |= {name.name for name in node.names}
        if isinstance(node, ast.ImportFrom) and node.module:
            imported |= {node.module, *(f"{node.module}.{name.name}" for name in node.names)}
    return imported


def reached_from(first: str, neighbours: Mapping[str, set[str]]) -> set[str]:
    """Return the files that are reached from the first one over neighbours."""
    reached, at_hand = set[str](), {first}
    while at_hand:
        reached |= at_hand
        at_hand = {near for path in at_hand for near in neighbours[path]} - reached
    return reached


@pytest.mark.parametrize(
    "way", [pytest.param(way, id=count) for count, way in WALK.findall(CONTRIBUTING.read_text("utf-8"))]
)
def test_no_hop_of_a_walk_is_left_out(way: str) -> None:
    # Where one file leads to the next, one of them imports the other.
    files = dict.fromkeys(paths(way))
    modules = {path.removesuffix(".py").replace("/", "."): path for path in files}
    neighbours: dict[str, set[str]] = {path: set() for path in files}
    for path in files:
        for module in modules.keys() & imports_of(path):
            neighbours[path].add(modules[module])
            neighbours[modules[module]].add(path)
    first = next(iter(files))
    assert set(files) - reached_from(first, neighbours) == set()


def test_the_index_names_every_page() -> None:
    index = (DOCS / "README.md").read_text("utf-8")
    missing = [
        each.name for each in DOCS.glob("*.md") if each.name != "README.md" and f"({each.name})" not in index
    ]
    assert not missing


def test_every_command_stands_in_the_table_of_what_changes() -> None:
    commands_there = set(build_parser()._actions[-1].choices or ())
    readme = (ROOT / "README.md").read_text("utf-8")
    table = readme.partition("## What reads")[2].partition("\n## ")[0]
    assert commands_there <= set(re.findall(r"[a-z]+(?:-rm)?", " ".join(INLINE.findall(table))))


def test_pictures_are_small_png_and_shown() -> None:
    shown = "".join(each.read_text("utf-8") for each in PAGES)
    pictures = list((DOCS / "pictures").iterdir())
    assert pictures
    for picture in pictures:
        assert picture.read_bytes().startswith(PNG), picture.name
        assert picture.stat().st_size <= MOST_OF_A_PICTURE, picture.name
        assert f"pictures/{picture.name}" in shown, picture.name


def fields_of(value: object) -> set[str]:
    if isinstance(value, Mapping):
        return set(value) | {name for each in value.values() for name in fields_of(each)}
    return {name for each in value for name in fields_of(each)} if isinstance(value, list) else set()


def test_every_field_of_the_json_is_documented(capsys: pytest.CaptureFixture[str]) -> None:
    main(["glance", "--demo", "--json"])
    fields = fields_of(json.loads(capsys.readouterr().out))
    section = (DOCS / "json-and-metrics.md").read_text("utf-8").partition("## Metrics")[0]
    documented = {each.removesuffix("[]") for each in INLINE.findall(section)}
    assert sorted(fields - documented) == []
    assert {"networks", "leaked_is_exact", "holders"} <= fields


def test_every_metric_is_documented(capsys: pytest.CaptureFixture[str]) -> None:
    main(["glance", "--demo", "--prometheus"])
    metrics = set(re.findall(r"^# TYPE (\w+)", capsys.readouterr().out, re.MULTILINE))
    section = (DOCS / "json-and-metrics.md").read_text("utf-8").partition("## Metrics")[2]
    documented = {each.partition("{")[0] for each in INLINE.findall(section)}
    assert metrics
    assert sorted(metrics - documented) == []


EXAMPLE = re.compile(
    r"^\*\*A[n]? [^*]+\*\*.*?`(?P<path>[\w/]+\.py)`.*?\n```python\n(?P<code>.*?)^```",
    re.MULTILINE | re.DOTALL,
)
IN_FILE = re.compile(r"`(?P<name>\w+)`\s+in\s+`(?P<path>[\w./]+\.py)`")


EXAMPLES = dict(EXAMPLE.findall(CONTRIBUTING.read_text("utf-8")))


def pasted(path: str) -> dict[str, Any]:
    """Return what is in a file once its example has been pasted there."""
    module = import_module(path.removesuffix(".py").replace("/", "."))
    names = dict(vars(module))
    exec(compile(EXAMPLES[path], path, "exec"), names)  # noqa: S102 - it is what a contributor would paste there
    return names


@pytest.mark.parametrize("path", EXAMPLES)
def test_every_example_works_where_it_is_said_to_go(path: str) -> None:
    assert pasted(path)


def test_the_examples_do_what_they_say(capsys: pytest.CaptureFixture[str]) -> None:
    closed = replace(network("proxy"), attachable=False)
    (finding,) = pasted("console/diagnosis/findings/networks.py")["find_closed"]((closed,))
    assert finding.code == "network-closed"
    check = pasted("console/diagnosis/quiescence/swarm.py")["check_nodes"](swarm([], []))
    assert (check.code, check.state) == ("nodes", CheckState.QUIET)
    assert pasted("screens/cli/commands/validate.py")["version_command"](Namespace()) == 0
    assert capsys.readouterr().out == "1.0"
    action = pasted("console/runbook/actions/wait.py")["Pause"]()
    every = action.parameters.model_fields["every"].get_default()
    plan = asyncio.run(action.plan(None, action.parameters.model_construct(every=every)))
    assert plan.summary.startswith("Pause for ")


def test_there_is_an_example_of_each_thing_that_plugs_in() -> None:
    said = CONTRIBUTING.read_text("utf-8")
    assert len(said.splitlines()) < 150
    for thing in (
        "finding",
        "cause",
        "journal signature",
        "quiescence check",
        "predicate",
        "action",
        "command",
        "pane",
    ):
        assert re.search(rf"^\*\*A[n]? [\w ]*{thing}\*\*", said, re.MULTILINE), thing


def test_every_registry_stands_in_the_file_that_is_named() -> None:
    for name, path in IN_FILE.findall(CONTRIBUTING.read_text("utf-8")):
        assert re.search(rf"\b{name}\b", (ROOT / path).read_text("utf-8")), (name, path)


@pytest.mark.parametrize("page", named())
def test_what_is_written_by_hand_is_plain_english(page: Path) -> None:
    said = page.read_text("utf-8")
    by_hand = said.partition(START)[0] + said.partition(END)[2]
    assert PRIVATE.findall(by_hand) == []
