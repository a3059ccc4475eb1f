"""One `[[node]]` of the settings, and what can be wrong with it."""

from collections.abc import Iterator
from dataclasses import dataclass

from console.nodes.address import NAME, problem_with_host, problem_with_journal
from console.text import clean

KEY = "node"
"""Its key in a settings file."""


@dataclass(frozen=True, slots=True)
class NodeSettings:
    """Another node's engine that snapshots ask too."""

    # A text may be empty here, which the settings forbid elsewhere: it is the same as one that is left out.
    name: str = ""
    """What the node is called in findings, such as its host name."""
    host: str = ""
    """Where its engine is reached: `ssh://user@host`, `tcp://host:port` or `unix:///path`."""
    context: str = ""
    """Or the docker context that names its engine."""
    journal: str = ""
    """How its dockerd's journal is read: `ssh://user@host`, an absolute path of a recording or a directory, or `none`. Where
    it is left out: as the engine is reached, if that is by ssh; else not at all."""


def contradictions_of(nodes: tuple[NodeSettings, ...]) -> Iterator[str]:
    """Yield what is wrong with nodes although each key by itself is right; people count them from 1."""
    names = [node.name for node in nodes]
    for place, node in enumerate(nodes):
        for problem in _problems(node):
            yield f"[[{KEY}]] {place + 1}: {problem}"
        if node.name and node.name in names[:place]:
            yield f"[[{KEY}]] {names.index(node.name) + 1} and {place + 1} are both called {clean(node.name, 63)}"


def _problems(node: NodeSettings) -> Iterator[str]:
    if not node.name:
        yield "name is missing"
    elif not NAME.fullmatch(node.name):
        yield f"name must be letters, digits, dots, dashes and underscores, not {clean(node.name, 100)}"
    if bool(node.host) == bool(node.context):
        yield "it needs one of host and context" + (", not both" if node.host else "")
    elif node.host and (problem := problem_with_host(node.host)):
        yield f"host must be {problem}"
    if problem := problem_with_journal(node.journal):
        yield f"journal must be {problem}"
