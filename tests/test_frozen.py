"""Frozen values are what `dataclass(frozen=True, slots=True)` makes, only later."""

import copy
import pickle
import re
from dataclasses import FrozenInstanceError, asdict, field, fields, make_dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from console.frozen import frozen


@frozen
class Place:
    """A value with everything that fields can have."""

    name: str
    size: int = 3
    tags: tuple[str, ...] = field(default_factory=tuple)
    note: str = field(default="", repr=False, compare=False)
    kind: str = field(default="x", kw_only=True)
    seen: list[str] = field(default_factory=list, kw_only=True, hash=False)
    fixed: int = field(default=7, init=False)
    own: list[str] = field(default_factory=list, init=False, hash=False)
    length: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", self.name.strip())
        object.__setattr__(self, "length", len(self.name))


KNOWN: Any = make_dataclass(
    "Place",
    [
        ("name", str),
        ("size", int, 3),
        ("tags", tuple, field(default_factory=tuple)),
        ("note", str, field(default="", repr=False, compare=False)),
        ("kind", str, field(default="x", kw_only=True)),
        ("seen", list, field(default_factory=list, kw_only=True, hash=False)),
        ("fixed", int, field(default=7, init=False)),
        ("own", list, field(default_factory=list, init=False, hash=False)),
        ("length", int, field(init=False)),
    ],
    namespace={"__post_init__": Place.__post_init__},
    frozen=True,
    slots=True,
)
"""The same, made by the library."""


@frozen
class Farther(Place):
    """One that has a field more."""

    far: bool = True


@frozen
class Own:
    """One that brings methods of its own."""

    name: str

    def __repr__(self) -> str:
        return "own"


@pytest.mark.parametrize(
    "given",
    [{"name": " a "}, {"name": "a", "size": 4, "tags": ("t",), "note": "s", "kind": "y"}],
)
def test_a_value_is_what_the_library_makes(given: dict[str, Any]) -> None:
    value = Place(**given)
    known = KNOWN(**given)
    assert repr(value) == repr(known)
    assert asdict(value) == asdict(known)
    assert hash(value) == hash(known)
    assert value == Place(**given)
    assert value != known
    assert replace(value, size=9) == Place(**{**given, "size": 9})
    assert [each.name for each in fields(Place)] == [each.name for each in fields(KNOWN)]


def test_no_two_values_share_what_a_factory_makes() -> None:
    one, other = Place("a"), Place("a")
    assert one.seen is not other.seen
    assert one.own is not other.own
    assert Place("a", seen=one.seen).seen is one.seen


def test_what_is_missing_is_named() -> None:
    with pytest.raises(
        TypeError, match=re.escape("Place.__init__() missing 1 required positional argument: 'name'")
    ):
        Place()  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="unexpected keyword argument 'fixed'"):
        Place("a", fixed=8)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="takes from 2 to 5 positional arguments"):
        Place("a", 3, (), "", "x")  # type: ignore[call-arg]


def test_what_is_not_compared_makes_no_difference() -> None:
    assert Place("a", note="one") == Place("a", note="other")
    assert len({Place("a", note="one"), Place("a", note="other"), Place("b")}) == 2


def test_a_wrong_argument_is_refused_by_the_first_call_and_by_the_next() -> None:
    @frozen
    class Fresh:
        name: str

    for _ in range(2):
        with pytest.raises(TypeError, match="unexpected keyword argument 'nam'"):
            Fresh(nam="a")  # type: ignore[call-arg]


def test_a_value_that_is_compared_before_any_other_is_made_compares() -> None:
    @frozen
    class Fresh:
        name: str

    # A copy is made without its __init__.
    value = Fresh.__new__(Fresh)
    object.__setattr__(value, "name", "a")
    assert value == Fresh("a")


def test_nothing_can_be_changed_and_nothing_added() -> None:
    value = Place("a")
    with pytest.raises(FrozenInstanceError, match="'name' of Place"):
        value.name = "b"  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        value.more = 1  # type: ignore[attr-defined]
    with pytest.raises(FrozenInstanceError):
        del value.name
    assert not hasattr(value, "__dict__")


def test_copies_are_equal() -> None:
    value = Place("a", 4, ("t",), "s")
    for made in (copy.copy(value), copy.deepcopy(value), pickle.loads(pickle.dumps(value))):  # noqa: S301 - written just now
        assert (made, made.note) == (value, "s")


def test_patterns_take_it_apart() -> None:
    match Place("a", 4):
        case Place(name, size):
            assert (name, size) == ("a", 4)


def test_one_that_has_more_is_another_kind() -> None:
    farther = Farther("a", far=False)
    assert (farther.name, farther.size, farther.far) == ("a", 3, False)
    assert farther != Place("a")
    assert repr(farther).startswith("Farther(name='a', size=3")


def test_methods_of_its_own_are_kept() -> None:
    assert repr(Own("a")) == "own"
    assert Own("a") == Own("a")


def test_the_program_has_no_other_kind_of_frozen_value() -> None:
    folders = (Path(__file__).parents[1] / name for name in ("console", "screens"))
    others = [
        path.name
        for folder in folders
        for path in folder.rglob("*.py")
        if "@dataclass(frozen=True, slots=True)" in path.read_text("utf-8")
    ]
    assert not others
