"""What an operator of the simulation may do, under `/_simulator/`: let time pass, restart, lead, break things."""

from collections.abc import Callable

from console.errors import SimulatorError
from console.simulator.api import Answer, Call
from console.simulator.engine import SimulatedEngine
from console.simulator.faults import Faults
from console.simulator.objects import Json

PREFIX = "/_simulator/"


def control(engine: SimulatedEngine, faults: Faults, go_down: Callable[[float], None], call: Call) -> Answer:
    """Carry out a control call; what makes no sense is answered with 400 and a `message`.

    `go_down` shuts the engine's socket for so many seconds of this machine's time.
    """
    try:
        if (call.method, call.path) == ("POST", PREFIX + "down"):
            go_down(float(call.body["seconds"]))
            return Answer(200, {"now": engine.now.isoformat()})
        return _act(engine, faults, call, call.path.removeprefix(PREFIX))
    except (SimulatorError, TypeError, KeyError, ValueError) as error:
        return Answer(400, {"message": str(error)})


def _act(engine: SimulatedEngine, faults: Faults, call: Call, name: str) -> Answer:
    body: Json = call.body if isinstance(call.body, dict) else {}
    match call.method, name:
        case "POST", "advance":
            engine.advance(float(body["seconds"]))
        case "POST", "restart":
            engine.restart()
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
        case "POST", "faults":
            for each in call.body if isinstance(call.body, list) else [body]:
                faults.add(each)
        case "DELETE", "faults":
            faults.clear()
        case "GET", "state":
            return Answer(200, engine.truth())
        case _:
            return Answer(404, {"message": "page not found"})
    return Answer(200, {"now": engine.now.isoformat()})
