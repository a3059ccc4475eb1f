"""Stacks as `docker stack` deploys and removes them."""

from collections.abc import Iterable

from tests.contract.world import World
from tests.engine.lab import Engine
from tests.engine.namespaces import LabError


def remove_stacks(engine: Engine, world: World, names: Iterable[str]) -> None:
    """Run `docker stack rm`, and again while it is refused because tasks are not marked for removal yet.

    That takes some milliseconds, on a loaded machine more.
    """

    def are_removed() -> bool:
        try:
            engine.docker("stack", "rm", *names)
        except LabError as refused:
            if "is in use by task" not in str(refused):
                raise
            return False
        return True

    names = tuple(names)
    world.wait_until(are_removed, "`docker stack rm` is not refused", 60)
