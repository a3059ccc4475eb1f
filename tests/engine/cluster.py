"""Several private engines in one swarm, on a switch of their own."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from tests.engine.lab import Engine, require_engine
from tests.engine.switch import Switch


@contextmanager
def swarm_of(*roles: str) -> Iterator[list[Engine]]:
    """Give engines `node1`, `node2`, …: the first leads the swarm, the others join as `manager` or `worker`."""
    require_engine()
    with ExitStack() as ending:
        switch = ending.enter_context(Switch())
        engines: list[Engine] = []
        for number in range(1, len(roles) + 2):
            engine = Engine(f"node{number}", switch=switch, address=f"10.99.0.{number + 1}")
            ending.callback(engine.close)
            engine.start()
            engines.append(engine)
        engines[0].create_swarm()
        for engine, role in zip(engines[1:], roles, strict=True):
            engine.join_swarm(engines[0], role)
        yield engines
