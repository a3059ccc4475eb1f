"""The predicates in `requires`, `probe`, `verify` and in parameters that are made of predicates."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pydantic import BaseModel

from console.runbook.actions.predicates import PREDICATES
from console.runbook.tree import Flaw, Node
from console.runbook.values import Call, Json, Place

FORM = "must be predicates by name, such as  - network.unique: proxy"


@dataclass(frozen=True, slots=True)
class Entry:
    """One predicate, or the name of a step, as it stands in a file."""

    name: str
    place: Place
    parameters: Node
    is_bare: bool = False
    """Whether only its name stands there."""

    @property
    def is_step(self) -> bool:
        """Whether it is written as a step is: predicates have a dot in their name, and steps have none."""
        return self.is_bare and "." not in self.name

    def call(self) -> Call:
        """Return it as a call, its parameters as a mapping."""
        plain = in_full(self.name, self.parameters).plain()
        return Call(self.name, plain if isinstance(plain, dict) else {}, self.place)


def entries_of(node: Node) -> Iterator[Entry | Flaw]:
    """Yield the entries of a mapping, or of a list of mappings and names, and what can be none."""
    items: Iterable[Node] = node.value if isinstance(node.value, list) else (node,)
    if node.value is None:
        return
    for item in items:
        if isinstance(item.value, dict):
            for name, parameters in item.value.items():
                yield Entry(name, item.keys.get(name, item.place), parameters)
        elif isinstance(item.value, str) and item is not node:
            yield Entry(item.value, item.place, Node({}, item.place), is_bare=True)
        else:
            yield Flaw(item.place, FORM)


def calls_in(value: Json) -> tuple[Call, ...]:
    """Return the predicates in a parameter that was checked."""
    return tuple(each.call() for each in entries_of(Node.of(value)) if isinstance(each, Entry))


def in_full(name: str, parameters: Node) -> Node:
    """Return the parameters of a predicate as a mapping: anything else is the value of its first parameter."""
    if isinstance(parameters.value, dict):
        return parameters
    if parameters.value is None or name not in PREDICATES:
        return Node({}, parameters.place)
    first = first_parameter(PREDICATES[name].parameters)
    return Node({first: parameters}, parameters.place, {first: parameters.place})


def first_parameter(model: type[BaseModel]) -> str:
    """Return the name of a model's first parameter."""
    return next((field.alias or name for name, field in model.model_fields.items()), "")
