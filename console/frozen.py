"""`@frozen`: a dataclass that cannot be changed, whose methods are written when they are first called.

`dataclass` writes and compiles six methods for every class as it is imported, 0.7 ms in all. A command imports some two
hundred classes, and makes values of half of them. All else is as it is there: fields, `replace`, patterns, slots,
equality, hashes, copies.
"""

from collections.abc import Callable, Mapping
from dataclasses import MISSING, FrozenInstanceError, dataclass, field, fields
from types import new_class
from typing import Any, TypeVar, dataclass_transform

T = TypeVar("T")
_WRITTEN: Mapping[str, Mapping[str, bool]] = {
    "__eq__": {"eq": True},
    "__hash__": {"eq": True, "unsafe_hash": True},
    "__repr__": {"repr": True},
}
"""The methods, and what `dataclass` is asked for to write one of them and few others."""
_NONE = {"init": False, "repr": False, "eq": False}
_OPTIONS = ("default", "default_factory", "init", "repr", "hash", "compare", "kw_only")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def frozen(kind: type[T]) -> type[T]:
    """Make a class a dataclass with slots whose values never change, and can be compared and hashed."""
    if not kind.__doc__:
        # Else `dataclass` describes the signature, which takes as long as twenty classes.
        kind.__doc__ = kind.__name__
    missing = [name for name in ("__init__", *_WRITTEN) if kind.__dict__.get(name) is None]
    made = dataclass(**_NONE, slots=True)(kind)
    for name in missing:
        setattr(made, name, _first_call(made, name))
    for name, method in _SHARED.items():
        setattr(made, name, method)
    return made


def _first_call(kind: type[Any], name: str) -> Callable[..., Any]:
    """Return what stands for a method until it is called."""

    def method(self: Any, *arguments: Any, **named: Any) -> Any:
        _write(kind, name)
        return getattr(kind, name)(self, *arguments, **named)

    return method


def _write(kind: type[Any], name: str) -> None:
    """Give a class a method for its fields."""
    method = _init_of(kind) if name == "__init__" else _written_by_dataclass(kind, name)
    method.__qualname__ = f"{kind.__qualname__}.{name}"
    setattr(kind, name, method)


def _init_of(kind: type[Any]) -> Callable[..., None]:
    """Return what fills a new value, in a quarter of the time that `dataclass` takes to write it: a glance calls thirty."""
    known: dict[str, Any] = {"__set": object.__setattr__, "__missing": MISSING}
    by_place, by_name, lines = ["self"], list[str](), list[str]()
    for each in fields(kind):
        parameter = value = each.name
        if each.default_factory is not MISSING:
            known[f"__make_{each.name}"] = each.default_factory
            parameter += "=__missing"
            value = f"__make_{each.name}()"
            if each.init:
                value += f" if {each.name} is __missing else {each.name}"
        elif each.default is not MISSING:
            known[f"__default_{each.name}"] = each.default
            parameter += f"=__default_{each.name}"
            value = each.name if each.init else f"__default_{each.name}"
        elif not each.init:
            # `__post_init__` fills it.
            continue
        if each.init:
            (by_name if each.kw_only else by_place).append(parameter)
        lines.append(f"__set(self, {each.name!r}, {value})")
    if hasattr(kind, "__post_init__"):
        lines.append("self.__post_init__()")
    parameters = ", ".join([*by_place, *(["*", *by_name] if by_name else [])])
    exec(f"def __init__({parameters}):\n " + "\n ".join(lines or ["pass"]), known)  # noqa: S102 - as `dataclass` does
    method: Callable[..., None] = known["__init__"]
    return method


def _written_by_dataclass(kind: type[Any], name: str) -> Callable[..., Any]:
    """Return the method that `dataclass` writes for such fields."""

    def fill(namespace: dict[str, Any]) -> None:
        # Else it would describe the signature, which takes as long as a method.
        namespace["__doc__"] = " "
        namespace["__annotations__"] = {each.name: each.type for each in fields(kind)}
        for each in fields(kind):
            options = {option: getattr(each, option) for option in _OPTIONS}
            given = {option: value for option, value in options.items() if value is not MISSING}
            namespace[each.name] = field(**given)

    written: type[Any] = dataclass(**{**_NONE, **_WRITTEN[name]})(new_class(kind.__name__, (), {}, fill))
    method: Callable[..., Any] = getattr(written, name)
    return method


def _refuse_to_set(self: Any, name: str, _: Any) -> None:
    raise FrozenInstanceError(f"cannot assign to {name!r} of {type(self).__name__}")


def _refuse_to_delete(self: Any, name: str) -> None:
    raise FrozenInstanceError(f"cannot delete {name!r} of {type(self).__name__}")


def _state(self: Any) -> list[Any]:
    return [getattr(self, each.name) for each in fields(self)]


def _restore(self: Any, state: list[Any]) -> None:
    for each, value in zip(fields(self), state, strict=True):
        object.__setattr__(self, each.name, value)


_SHARED: Mapping[str, Callable[..., Any]] = {
    "__setattr__": _refuse_to_set,
    "__delattr__": _refuse_to_delete,
    # Else a copy would be filled by assigning.
    "__getstate__": _state,
    "__setstate__": _restore,
}
