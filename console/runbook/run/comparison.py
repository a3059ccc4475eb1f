"""What a network and its services were before a run and are after it, from the outputs of its steps. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from console.frozen import frozen
from console.runbook.language.values import Effect
from console.runbook.run.view import StepView

NOT_KNOWN = "unknown"


@frozen
class NetworkState:
    """A network as a step saw it."""

    at: datetime
    network: str
    subnet: str
    services: str
    """How many of its services run, of how many."""


@frozen
class Comparison:
    """A network before and after; None where nothing tells."""

    network: str
    before: NetworkState | None
    after: NetworkState | None

    @property
    def subnets(self) -> str:
        """Both subnets, for people."""
        return _both(
            None if self.before is None else self.before.subnet,
            None if self.after is None else self.after.subnet,
        )

    @property
    def services(self) -> str:
        """How many services run, before and after, for people."""
        return _both(
            None if self.before is None else self.before.services,
            None if self.after is None else self.after.services,
        )


def comparisons(steps: Iterable[StepView]) -> tuple[Comparison, ...]:
    """Return each network of which steps tell anything.

    Before is what was seen before anything was taken down; after is what was seen last, unless something was taken down
    since without a result.
    """
    steps = tuple(steps)
    outages = [span for step in steps if step.head.effect is Effect.OUTAGE for span in step.act_spans]
    first_at = min((span.began_at for span in outages), default=None)
    lost_at = max((span.began_at for span in outages if not span.has_succeeded), default=None)
    states = sorted(
        (state for step in steps for state in _states(step)), key=lambda state: (state.network, state.at)
    )
    networks = dict.fromkeys(state.network for state in states)
    return tuple(
        _comparison(network, [state for state in states if state.network == network], first_at, lost_at)
        for network in networks
    )


def _comparison(
    network: str, states: list[NetworkState], first_at: datetime | None, lost_at: datetime | None
) -> Comparison:
    before = [state for state in states if first_at is None or state.at <= first_at]
    after = [state for state in states if lost_at is None or state.at > lost_at]
    return Comparison(network, before[-1] if before else None, after[-1] if after else None)


def _states(step: StepView) -> Iterator[NetworkState]:
    """Yield what a step's acts and undos returned about networks: a stored snapshot, or a recreation."""
    for span in step.act_spans:
        if not span.has_succeeded or span.ended_at is None:
            continue
        outputs: Mapping[str, Any] = span.outputs
        services, networks = _services(outputs.get("services")), outputs.get("network")
        for account in networks if isinstance(networks, list | tuple) else ():
            subnets = ", ".join(str(subnet) for subnet in account["subnets"])
            yield NetworkState(span.ended_at, str(account["name"]), subnets or NOT_KNOWN, services)
        parameters: Mapping[str, Any] = {} if step.preparation is None else step.preparation.call.parameters
        network = parameters.get("network")
        if isinstance(network, str) and "subnet" in outputs and "outages" in outputs:
            yield NetworkState(span.ended_at, network, str(outputs["subnet"]), services)


def _services(counts: Any) -> str:
    if not isinstance(counts, Mapping):
        return NOT_KNOWN
    return f"{counts['running']} of {counts['all']}"


def _both(before: str | None, after: str | None) -> str:
    if before is not None and before == after and before != NOT_KNOWN:
        return f"{before}, as before"
    return f"{before or NOT_KNOWN} -> {after or NOT_KNOWN}"
