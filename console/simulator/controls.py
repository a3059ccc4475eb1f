"""What an operator of the simulation may do under `/_simulator/`: let time pass, restart, leak, let calls fail."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from console.errors import SimulatorError
from console.simulator.api import Request, Response
from console.simulator.engine import SimulatedEngine
from console.simulator.joining import AnyEngine
from console.simulator.objects import Json

KINDS = ("refuse", "hang", "cut", "garbage", "lose_answer", "slow_body")
"""`refuse`: the connection is dropped unread, as by a dying daemon. `hang`: no answer ever. `cut`: half an answer, then
the connection ends. `garbage`: an answer that is no JSON. `lose_answer`: the call is carried out, then the connection
is dropped. `slow_body`: the answer trickles over `seconds`. Besides these, `status:503` and its like answer with
that status and do nothing."""

_STATUS = re.compile(r"^status:([45]\d\d)$")
PREFIX = "/_simulator/"


@dataclass(slots=True)
class Fault:
    """A fault for calls of a `method` (`*`: any) whose path, without version, matches the glob `path`."""

    method: str
    path: str
    kind: str
    times: int
    seconds: float = 2.0
    skip: int = 0
    """How many matching calls pass before the first that fails."""

    @property
    def status(self) -> int:
        """The HTTP status of a `status:…` fault, else 0."""
        match = _STATUS.match(self.kind)
        return int(match[1]) if match else 0

    def matches(self, method: str, path: str) -> bool:
        """Return whether it is a fault for such a call."""
        return self.method in ("*", method) and fnmatchcase(path, self.path)


class Faults:
    """The faults that wait for their call."""

    def __init__(self) -> None:
        self._waiting: list[Fault] = []

    def add(self, description: Mapping[str, Any]) -> None:
        """Add a fault as described by a control call; raise SimulatorError where it makes no sense."""
        kind = str(description.get("kind", ""))
        fault = Fault(
            method=str(description.get("method", "*")).upper(),
            path=str(description.get("path", "*")),
            kind=kind,
            times=int(description.get("times", 1)),
            seconds=float(description.get("seconds", 2.0)),
            skip=int(description.get("skip", 0)),
        )
        if kind not in KINDS and not fault.status:
            raise SimulatorError(
                f"Unknown fault {kind!r}.", f"Known faults: {', '.join(KINDS)} and status:5xx."
            )
        self._waiting.append(fault)

    def clear(self) -> None:
        """Forget all faults."""
        self._waiting.clear()

    def meets(self, method: str, path: str) -> bool:
        """Return whether this call would meet a fault, and count nothing."""
        return any(fault.skip <= 0 and fault.matches(method, path) for fault in self._waiting)

    def take(self, method: str, path: str) -> Fault | None:
        """Return the fault that this call meets, one of its times used up."""
        for fault in self._waiting:
            if fault.matches(method, path):
                if fault.skip > 0:
                    fault.skip -= 1
                    continue
                fault.times -= 1
                if fault.times <= 0:
                    self._waiting.remove(fault)
                return fault
        return None


def control(engine: AnyEngine, faults: Faults, call: Request) -> Response:
    """Carry out a control call; what makes no sense is answered with 400 and a `message`.

    A second engine has faults of its own, and all else is done through the first.
    """
    name = call.path.removeprefix(PREFIX)
    try:
        if _set_faults(faults, call, name):
            return Response(200, {"now": engine.now.isoformat()})
        if isinstance(engine, SimulatedEngine):
            return _act(engine, call, name)
        return Response(404, {"message": "page not found"})
    except (SimulatorError, TypeError, KeyError, ValueError) as error:
        return Response(400, {"message": str(error)})


def _set_faults(faults: Faults, call: Request, name: str) -> bool:
    if name != "faults" or call.method not in ("POST", "DELETE"):
        return False
    if call.method == "DELETE":
        faults.clear()
    else:
        for description in call.body if isinstance(call.body, list) else [call.body or {}]:
            faults.add(description)
    return True


def _act(engine: SimulatedEngine, call: Request, name: str) -> Response:
    body: Json = call.body if isinstance(call.body, dict) else {}
    match call.method, name:
        case "POST", "advance":
            engine.advance(float(body["seconds"]))
        case "POST", "down":
            # For so many seconds of this machine's time.
            engine.go_down(float(body["seconds"]))
        case "POST", "restart":
            engine.restart()
        case "POST", "stop":
            engine.stop()
        case "POST", "temporary":
            return Response(200, engine.temporary(body))
        case "POST", "lead":
            engine.lead(str(body["node"]))
        case "POST", "node":
            engine.set_node(
                str(body["node"]),
                state=str(body.get("state", "")),
                availability=str(body.get("availability", "")),
            )
        case "POST", "trap":
            engine.set_trap(unallocated_breaks_names=bool(body["unallocated_breaks_names"]))
        case "GET", "state":
            return Response(200, engine.truth())
        case _:
            return Response(404, {"message": "page not found"})
    return Response(200, {"now": engine.now.isoformat()})
