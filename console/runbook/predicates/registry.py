"""The registry of predicates: a new one is a module and a line here."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from console.errors import RunbookError
from console.runbook.contracts import CheckResult, Context, Predicate
from console.runbook.language.checking import parameters_for
from console.runbook.language.values import Call
from console.runbook.predicates.host import HttpRoutes, JournalCleanSince, UnitsOk
from console.runbook.predicates.networks import (
    AttachedAsBefore,
    AttachedIncludes,
    NetworkHeadroomMin,
    NetworkIs,
    NetworkUnique,
)
from console.runbook.predicates.nixos import NixParses, SystemIs, UnitsUnaffected
from console.runbook.predicates.services import NoStuckNew, ServicesConverged
from console.text import clean, nearest

_ALL: tuple[Predicate[Any], ...] = (
    ServicesConverged(),
    NoStuckNew(),
    NetworkIs(),
    NetworkUnique(),
    NetworkHeadroomMin(),
    AttachedAsBefore(),
    AttachedIncludes(),
    HttpRoutes(),
    UnitsOk(),
    JournalCleanSince(),
    NixParses(),
    SystemIs(),
    UnitsUnaffected(),
)

PREDICATES: Mapping[str, Predicate[Any]] = MappingProxyType({predicate.name: predicate for predicate in _ALL})
"""By name."""


def predicate_by_name(name: str) -> Predicate[Any]:
    """Return a predicate. Raises RunbookError where there is none of this name."""
    if name not in PREDICATES:
        raise RunbookError(
            f"Unknown predicate {clean(name)}{nearest(name, PREDICATES)}.",
            "`vipconsole schema` lists all predicates.",
        )
    return PREDICATES[name]


async def answer_to(context: Context, call: Call) -> CheckResult:
    """Return whether a predicate holds now; everything in its call is substituted. Raises RunbookError for a wrong call."""
    predicate = predicate_by_name(call.name)
    return await predicate.check(context, parameters_for(call, predicate.parameters))
