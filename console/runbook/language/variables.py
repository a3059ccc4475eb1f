"""What the variables of a runbook can be, and how they are set for a run."""

import re
from collections.abc import Callable, Iterable, Mapping
from ipaddress import IPv4Network

from console.durations import seconds_of
from console.errors import UsageError
from console.runbook.language.checking import display_text
from console.runbook.language.values import CIDR4, MEANINGS, NETWORK, Json, Runbook, Variable
from console.text import clean, listed, nearest

_NETWORK = re.compile(NETWORK)


def problem_with(kind: str, value: Json) -> str:
    """Return what a value of this kind must be and is not, as a sentence's end, or nothing."""
    return _CHECKS[kind](value)


def values_of(runbook: Runbook, assignments: Mapping[str, str]) -> dict[str, Json]:
    """Return the values of all variables of a run, by name: those that are given (as typed), else their defaults.

    A list is given with commas between. Raises UsageError for a variable that does not exist, a value that is none of
    its kind, and a variable that must be set and is not.
    """
    variables = {variable.name: variable for variable in runbook.variables}
    for name in assignments:
        if name not in variables:
            hint = f"Its variables: {listed(list(variables))}." if variables else "It has no variables."
            raise UsageError(f"The runbook has no variable {clean(name)}{nearest(name, variables)}.", hint)
    values = {
        name: _parse(variable, assignments[name]) if name in assignments else variable.default
        for name, variable in variables.items()
    }
    unset = [name for name, value in values.items() if value is None]
    if unset:
        verb = "has" if len(unset) == 1 else "have"
        raise UsageError(f"{listed(unset)} {verb} no value.", f"Give --set {unset[0]}=VALUE.")
    return values


def parse_assignments(texts: Iterable[str]) -> dict[str, str]:
    """Return what `NAME=VALUE`, given again and again, sets. Raises UsageError for anything else, and for a name twice."""
    assignments: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise UsageError(f"{clean(text)} sets no variable.", "Write it as NAME=VALUE.")
        if name in assignments:
            raise UsageError(f"{clean(name)} is set twice.", "Give it once.")
        assignments[name] = value
    return assignments


def _parse(variable: Variable, text: str) -> Json:
    value: Json = text
    if variable.kind == "integer" and re.fullmatch(r"[-+]?[0-9]{1,15}", text):
        value = int(text)
    elif variable.kind == "boolean" and text in ("true", "false"):
        value = text == "true"
    elif variable.kind == "list":
        value = [part.strip() for part in text.split(",") if part.strip()]
    problem = problem_with(variable.kind, value)
    if problem:
        raise UsageError(f"The variable {variable.name} {problem}, and {display_text(text)} is not.")
    return value


def _string(value: Json) -> str:
    return "" if isinstance(value, str) else "must be a text"


def _integer(value: Json) -> str:
    return "" if isinstance(value, int) and not isinstance(value, bool) else "must be a whole number"


def _boolean(value: Json) -> str:
    return "" if isinstance(value, bool) else "must be true or false"


def _duration(value: Json) -> str:
    try:
        seconds_of(value if isinstance(value, str) else "")
    except ValueError as error:
        return str(error)
    return ""


def _network(value: Json) -> str:
    is_name = isinstance(value, str) and _NETWORK.fullmatch(value) is not None
    return "" if is_name else MEANINGS[NETWORK]


def _cidr4(value: Json) -> str:
    try:
        if isinstance(value, str) and re.fullmatch(CIDR4, value):
            IPv4Network(value)
            return ""
    except ValueError:
        pass
    return MEANINGS[CIDR4]


def _file(value: Json) -> str:
    is_path = isinstance(value, str) and value != "" and value.isprintable()
    return "" if is_path else "must be the path of a file"


def _list(value: Json) -> str:
    is_list = isinstance(value, list) and all(isinstance(item, str) for item in value)
    return "" if is_list else "must be a list of texts"


_CHECKS: Mapping[str, Callable[[Json], str]] = {
    "string": _string,
    "integer": _integer,
    "boolean": _boolean,
    "duration": _duration,
    "network": _network,
    "cidr4": _cidr4,
    "file": _file,
    "list": _list,
}
KINDS = tuple(_CHECKS)
"""Every kind of variable."""
