"""The calls of a borrowing on a simulated swarm, one by one, as an operator would make them."""

from typing import Any

from console.simulator.host.temporary import SimulatedTemporaryEngine
from tests.contract.calls import Calls
from tests.support.engines import Simulation

HERE = "ci-host"
THERE = "vipconsole-temporary"


class Borrowing:
    """The sockets of the real manager and of the temporary one, and the calls of a borrowing."""

    def __init__(self, running: Simulation, temporary: SimulatedTemporaryEngine) -> None:
        self.model = running.model
        self.running = running
        self.temporary = temporary
        self.real = Calls(running.socket)
        self.other = Calls(running.socket.with_name("temporary.sock"))

    def close(self) -> None:
        self.real.client.close()
        self.other.client.close()

    def pass_time(self, seconds: float) -> None:
        self.running.running.run(lambda model: model.advance(seconds))

    def join(self) -> None:
        token = self.real.call("GET", "/swarm")["JoinTokens"]["Manager"]
        self.other.call(
            "POST",
            "/swarm/join",
            {"RemoteAddrs": ["192.0.2.10:2377"], "JoinToken": token, "Availability": "drain"},
        )

    def change(self, through: Calls, host: str, **fields: object) -> None:
        node = next(each for each in through.call("GET", "/nodes") if each["Description"]["Hostname"] == host)
        path = f"/nodes/{node['ID']}/update?version={node['Version']['Index']}"
        through.call("POST", path, {**node["Spec"], **fields})

    def pause_here(self) -> None:
        self.change(self.other, HERE, Availability="pause")

    def demote_here(self) -> None:
        self.change(self.other, HERE, Role="worker")

    def promote_here(self) -> None:
        self.change(self.other, HERE, Role="manager")

    def activate_here(self) -> None:
        if self.shown(self.other, HERE)["Spec"]["Role"] == "worker":
            raise AssertionError("a worker is not made active")
        self.change(self.other, HERE, Availability="active")

    def demote_there(self) -> None:
        self.change(self.real, THERE, Role="worker")

    def leave_there(self) -> None:
        self.other.call("POST", "/swarm/leave")

    def remove_there(self) -> None:
        node = self.shown(self.real, THERE)["ID"]
        self.real.call("DELETE", f"/nodes/{node}?force=1")

    def state(self, through: Calls, host: str) -> str:
        return str(self.shown(through, host)["Status"]["State"])

    def shown(self, through: Calls, host: str) -> dict[str, Any]:
        nodes = through.call("GET", "/nodes")
        return dict(next(each for each in nodes if each["Description"]["Hostname"] == host))
