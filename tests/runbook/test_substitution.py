"""Placeholders: one pass, typed, and nothing but what is written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.errors import RunbookError
from console.runbook.language.substitution import (
    Names,
    Reference,
    Source,
    is_whole,
    missing_references,
    references,
    substitute,
    substitute_call,
    substitute_text,
)
from console.runbook.language.values import Call, Json

Values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=20)
    | st.sampled_from(["${vars.a}", "$${", "${"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)
Plain = st.text(max_size=20).filter(lambda each: "${" not in each and not each.endswith("$"))


def names(**variables: Json) -> Names:
    return Names(variables, {"build": {"system": "/nix/store/x", "count": 3}}, {"id": "r1"})


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${vars.a}", "x"),
        ("--subnet ${vars.a}", "--subnet x"),
        ("${vars.a}${vars.a}", "xx"),
        ("${steps.build.outputs.count}", 3),
        ("${steps.build.outputs.count} left", "3 left"),
        ("${run.id}", "r1"),
        ("${vars.yes}", True),
        ("it is ${vars.yes}", "it is true"),
        ("${vars.list}", ["a"]),
        ("$${vars.a}", "${vars.a}"),
        ("$$${vars.a}", "$${vars.a}"),
        ("$HOME ~ $(id) `id` {{a}}", "$HOME ~ $(id) `id` {{a}}"),
    ],
)
def test_a_placeholder_becomes_its_value(text: str, value: Json) -> None:
    assert substitute(text, names(a="x", yes=True, list=["a"])) == value


def test_the_whole_tree_is_filled_and_nothing_is_changed_in_place() -> None:
    data: Json = {"a": ["${vars.a}", {"b": "${vars.a}!"}], "c": 5, "d": None}
    assert substitute(data, names(a="x")) == {"a": ["x", {"b": "x!"}], "c": 5, "d": None}
    assert data == {"a": ["${vars.a}", {"b": "${vars.a}!"}], "c": 5, "d": None}


@given(Values)
def test_a_value_is_put_in_as_it_is_and_never_looked_at_again(value: Json) -> None:
    assert substitute(["${vars.a}"], names(a=value)) == [value]


@given(Plain, st.text(max_size=20), Plain)
def test_what_is_around_stays_as_it_is(before: str, value: str, after: str) -> None:
    assert substitute(f"{before}|${{vars.a}}|{after}", names(a=value)) == f"{before}|{value}|{after}"


@given(st.text("${}vars.teps-_ \n", max_size=30))
def test_whatever_is_written_is_filled_or_refused(text: str) -> None:
    try:
        found = list(references(text))
    except RunbookError:
        found = None
    if found is None or found:
        with pytest.raises(RunbookError) as raised:
            substitute(text, Names())
        assert raised.value.sentence.isprintable()
    else:
        assert substitute(text, Names()) == text.replace("$${", "${")


@pytest.mark.parametrize(
    "text",
    ["${", "${}", "${a}", "${vars}", "${vars.}", "${vars.a.b}", "${ vars.a }", "${steps.a.b}", "${steps.a.outputs}",
     "${vars.a:-b}", "${vars.${vars.a}}", "${env.HOME}", "${HOME}", "${vars.a\n}", "${VARS.a}"],
)  # fmt: skip
def test_what_only_looks_like_a_placeholder_is_refused(text: str) -> None:
    with pytest.raises(RunbookError, match="not a valid placeholder"):
        list(references({"a": [text]}))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("${vars.b}", "has no value"),
        ("x ${steps.build.outputs.nothing}", "has no value"),
        ("${steps.nobody.outputs.count}", "has no value"),
        ("x ${vars.list}", "is a list and cannot be part of a text"),
        ("x ${vars.map}", "is a mapping and cannot"),
        ("x ${vars.none}", "is empty and cannot"),
    ],
)
def test_what_has_no_value_or_cannot_stand_there_is_refused(text: str, why: str) -> None:
    with pytest.raises(RunbookError, match=why):
        substitute(text, names(list=["a"], map={"a": 1}, none=None))


def test_a_word_stays_a_text() -> None:
    assert substitute_text("${vars.n}", names(n=16)) == "16"


def test_it_is_known_what_is_not_filled_yet() -> None:
    call = Call("a", {"x": "${vars.a} ${steps.later.outputs.y}", "z": ["${steps.build.outputs.count}"]})
    later = Reference(Source.OUTPUTS, "y", "later")
    assert missing_references(call, names(a="x")) == (later,)
    assert str(later) == "${steps.later.outputs.y}"
    filled = Names({"a": "x"}, {"build": {"count": 3}, "later": {"y": 1}})
    assert substitute_call(call, filled).parameters == {"x": "x 1", "z": [3]}


@pytest.mark.parametrize(
    ("text", "whole"), [("${vars.a}", True), (" ${vars.a}", False), ("$${", False), ("a", False), ("", False)]
)
def test_a_whole_placeholder_can_be_of_any_type(text: str, *, whole: bool) -> None:
    assert is_whole(text) is whole
