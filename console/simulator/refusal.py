"""How the simulated engine says no."""

from console.errors import SimulatorError


class Refusal(SimulatorError):
    """The engine's own error: its text, and the HTTP `status` it comes with."""

    def __init__(self, sentence: str, status: int) -> None:
        super().__init__(sentence)
        self.status = status


NO_SWARM = (
    'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm '
    "and try again."
)
"""What an engine outside any swarm answers (moby, daemon/cluster/errors.go)."""

NOT_MANAGER = (
    "This node is not a swarm manager. Worker nodes can't be used to view or modify cluster state. Please run this "
    "command on a manager node or promote the current node to a manager."
)
"""What a worker answers (moby, daemon/cluster/errors.go)."""


def not_found(kind: str, reference: str) -> Refusal:
    """Return the refusal for an object that does not exist."""
    return Refusal(f"{kind} {reference} not found", 404)


def failed_precondition(sentence: str) -> Refusal:
    """Return what swarmkit's FailedPrecondition becomes on the way through the engine."""
    return Refusal(f"rpc error: code = FailedPrecondition desc = {sentence}", 400)
