"""Variables: what each kind can be, and how they are set for a run."""

import pytest

from console.errors import UsageError
from console.runbook.language.values import Json, Runbook, Variable
from console.runbook.language.variables import KINDS, parse_assignments, problem_with, values_of


def runbook(*variables: Variable) -> Runbook:
    return Runbook("test", "A test", "", variables, (), "0" * 64, "test.yaml")


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("string", "", ""),
        ("string", "a=b", "a=b"),
        ("integer", "-3", -3),
        ("boolean", "true", True),
        ("boolean", "false", False),
        ("duration", "1.5h", "1.5h"),
        ("network", "proxy_2", "proxy_2"),
        ("cidr4", "10.10.0.0/16", "10.10.0.0/16"),
        ("file", "nix/modules/swarm.nix", "nix/modules/swarm.nix"),
        ("list", "a, b,,c", ["a", "b", "c"]),
        ("list", "", []),
    ],
)
def test_a_value_is_taken_as_its_kind(kind: str, text: str, value: Json) -> None:
    assert values_of(runbook(Variable("x", kind, None)), {"x": text}) == {"x": value}


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("integer", "three"), ("integer", "1.5"), ("integer", ""), ("integer", "9" * 20), ("integer", "\u0663"),
        ("boolean", "yes"), ("boolean", "1"), ("duration", "60"), ("duration", "1w"), ("duration", "1 h"),
        ("network", "-proxy"), ("network", "a b"), ("network", ""), ("cidr4", "10.10.0.1/16"), ("cidr4", "10.10.0.0"),
        ("cidr4", "fd00::/64"), ("cidr4", "10.0.0.0/255.0.0.0"), ("cidr4", "10.0.0.0/33"), ("file", ""), ("file", "a\nb"),
    ],
)  # fmt: skip
def test_what_is_none_of_its_kind_is_refused(kind: str, text: str) -> None:
    with pytest.raises(UsageError, match=r"^The variable x must be .* is not\.$"):
        values_of(runbook(Variable("x", kind, None)), {"x": text})


def test_defaults_hold_where_nothing_is_set() -> None:
    variables = (Variable("a", "string", "x"), Variable("b", "integer", 3), Variable("c", "list", ["y"]))
    assert values_of(runbook(*variables), {"b": "4"}) == {"a": "x", "b": 4, "c": ["y"]}


def test_a_variable_without_a_default_must_be_set() -> None:
    variables = (Variable("a", "string", None), Variable("b", "string", None))
    with pytest.raises(UsageError, match="a, b have no value") as raised:
        values_of(runbook(*variables), {})
    assert raised.value.hint == "Give --set a=VALUE."


def test_a_variable_that_does_not_exist_is_told_with_the_nearest_that_does() -> None:
    with pytest.raises(UsageError, match=r"no variable subnt \(did you mean subnet\?\)"):
        values_of(runbook(Variable("subnet", "cidr4", "10.0.0.0/8")), {"subnt": "x"})


def test_pairs_are_read_and_a_name_is_set_once() -> None:
    assert parse_assignments(["a=b=c", "d="]) == {"a": "b=c", "d": ""}
    with pytest.raises(UsageError, match="sets no variable"):
        parse_assignments(["a"])
    with pytest.raises(UsageError, match="is set twice"):
        parse_assignments(["a=1", "a=2"])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("value", [None, {}, [1], 1.5, {"a": "b"}])
def test_no_kind_takes_what_no_variable_can_be(kind: str, value: Json) -> None:
    assert problem_with(kind, value).startswith("must be ")
