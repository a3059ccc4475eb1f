"""YAML as data with places: what scalars mean, and where everything stands."""

import io
import string
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from console.runbook.language.tree import MAX_FLAWS, YamlNode, read_tree
from console.runbook.language.values import Json, SourcePosition

Keys = st.text(string.ascii_lowercase, min_size=1, max_size=8).filter(
    lambda each: each not in ("null", "true", "false")
)
Scalars = st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(string.printable, max_size=20)
Data = st.recursive(
    Scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(Keys, inner, max_size=4),
    max_leaves=20,
)


def tree(text: str) -> YamlNode:
    root, flaws = read_tree(text)
    assert flaws == ()
    assert root is not None
    return root


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None), ("~", None), ("null", None), ("Null", None), ("true", True), ("FALSE", False),
        ("yes", "yes"), ("no", "no"), ("on", "on"), ("off", "off"), ("y", "y"),
        ("12", 12), ("-3", -3), ("+3", 3), ("0", 0), ("0o17", 15), ("0x1F", 31), ("1_000", "1_000"),
        ("1.5", 1.5), ("1.", 1.0), (".5", 0.5), ("1e3", 1000.0), ("1e", "1e"), ("1:30", "1:30"),
        ("2026-06-12", "2026-06-12"), ("1.44.0", "1.44.0"), ("=", "="), ("10.10.0.0/16", "10.10.0.0/16"),
        ("'12'", "12"), ('"true"', "true"), ("''", ""),
    ],
)  # fmt: skip
def test_a_scalar_means_what_yaml_1_2_says(text: str, value: Json) -> None:
    found = tree(f"a: {text}\n").plain()
    assert found == {"a": value}
    assert isinstance(found, dict)
    assert type(found["a"]) is type(value)


@given(Data)
@example({"a": "on"})
@example({"a": ["0644", "1e3", "~", "null", "<<", "*a", "&a", "!a", "- a", "a: b", "#"]})
def test_what_another_program_writes_is_read_as_it_was_meant(data: Json) -> None:
    out = io.StringIO()
    writer = YAML(typ="safe", pure=True)
    writer.default_flow_style = False
    writer.dump({"top": data}, out)
    assert tree(out.getvalue()).plain() == {"top": data}


def lines_of(
    data: Any, indent: str, path: tuple[Any, ...], places: dict[tuple[Any, ...], SourcePosition]
) -> list[str]:
    """Write data in block style, by hand, and note where each value begins (line counted from the part's own first)."""
    lines: list[str] = []
    items = data.items() if isinstance(data, dict) else enumerate(data)
    for key, each in items:
        head = f"{indent}{key}:" if isinstance(data, dict) else f"{indent}-"
        if isinstance(each, dict | list) and each:
            inner_places: dict[tuple[Any, ...], SourcePosition] = {}
            inner = lines_of(each, indent + "  ", (*path, key), inner_places)
            places[*path, key] = SourcePosition(len(lines) + 2, len(indent) + 3)
            places |= {
                one: SourcePosition(at.line + len(lines) + 1, at.column) for one, at in inner_places.items()
            }
            lines += [head, *inner]
        else:
            places[*path, key] = SourcePosition(len(lines) + 1, len(head) + 2)
            lines.append(f"{head} {each if each not in ({}, []) else str(each)}")
    return lines


Blocks = st.recursive(
    st.integers(0, 99),
    lambda inner: (
        st.lists(inner, min_size=1, max_size=4) | st.dictionaries(Keys, inner, min_size=1, max_size=4)
    ),
    max_leaves=15,
)


@given(st.dictionaries(Keys, Blocks, min_size=1, max_size=4), st.sampled_from(["\n", "\r\n"]))
def test_everything_stands_where_it_was_written(data: dict[str, Any], line_end: str) -> None:
    places: dict[tuple[Any, ...], SourcePosition] = {}
    text = line_end.join(lines_of(data, "", (), places)) + line_end
    root = tree(text)
    assert {path: node.place for path, node in root.walk() if path} == places


def test_a_path_that_leads_nowhere_leads_to_what_is_nearest() -> None:
    root = tree("a:\n  b: [1, 2]\n")
    assert root.place_of(("a", "b", 1)) == SourcePosition(2, 10)
    assert root.place_of(("a", "b", 7)) == SourcePosition(2, 6)
    assert root.place_of(("a", "x", "y")) == SourcePosition(2, 3)
    assert root.place_of(("a", "b"), is_about_key=True) == SourcePosition(2, 3)
    assert root.place_of(("a", "x"), is_about_key=True) == SourcePosition(2, 3)


def test_flaws_are_told_up_to_a_number() -> None:
    root, flaws = read_tree("[" + "!a x, " * 500 + "]")
    assert root is None
    assert len(flaws) == MAX_FLAWS


@given(st.text(max_size=200) | st.text("{}[]:,-?&*!|>'\"%@`# \n\tab<~01\\", max_size=60))
@example("? ? ?\n: :\n")
@example("%YAML 99999999999999999999.1\n---\n")
@example('"\\UFFFFFFFF"')
@example("a: !<")
@example("- |9\n a")
def test_whatever_the_text_there_is_an_answer(text: str) -> None:
    root, flaws = read_tree(text)
    assert (root is None) or not flaws
    assert all(
        each.message.isprintable() and each.place.line >= 1 and each.place.column >= 1 for each in flaws
    )
