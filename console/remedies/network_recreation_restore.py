"""Brings back everything that is parked or disconnected, on the network as it is now."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

from console.errors import EngineRefused, VipconsoleError
from console.remedies.changes import Change
from console.remedies.network_recreation_containers import connect
from console.remedies.network_recreation_job import POLL_S, Job, NetworkGone, RecreationFailed
from console.remedies.network_recreation_label import Parked
from console.remedies.network_recreation_plan import in_order
from console.remedies.network_recreation_record import ContainerRecord
from console.remedies.network_recreation_spec import is_parked, restore
from console.swarm.definitions import NetworkDefinition
from console.swarm.overlays import SpecifiedService
from console.swarm.parse import PARKED_LABEL
from console.text import listed, plural

GIVEN_WITHIN_S = 5.0
"""For so long services wait until containers have the addresses that they were given by hand."""
MOST_PACE_S = 2.0
"""No service waits longer than this for the one before it to begin, however many tasks that has."""
BACK_WITHIN_S = 300.0
"""For so long bringing back is tried before it is said what could not be brought back."""


class Restoring:
    """Brings everything back on one network."""

    def __init__(self, job: Job, network: NetworkDefinition) -> None:
        self._job = job
        self._means = job.means
        self._network = network
        self._turn = asyncio.Lock()
        self._failed: dict[str, str] = {}
        """By name, what the engine said last."""

    async def run(self) -> None:
        """Bring back services in their order, and containers; those with an address of their own before anybody takes it.

        Raises NetworkGone when the network is not there after all, and RecreationFailed with the names of what could
        not be brought back in time.
        """
        containers = self._job.record.containers
        given = [each for each in containers if each.is_given and each.fits(*self._network.ipv4)]
        end_s = self._means.clock.monotonic() + BACK_WITHIN_S
        while True:
            self._failed.clear()
            await replace(self._means.steady, patience_s=GIVEN_WITHIN_S).each(given, self._connect)
            look = await self._means.look()
            self._job.note(look)
            parked = self._job.parked(look)
            if parked:
                await self._means.say(f"bringing back {plural(len(parked), 'service')}")
            known = {each.record.id: each for each in parked}
            order = [known[each.id] for each in in_order([each.record for each in parked], self._job.first)]
            others = [partial(self._connect, each) for each in containers if each not in given]
            jobs = [partial(self._start, each, max(1, len(look.nodes))) for each in order[:-1]]
            # Containers wait for nobody's turn. The last label goes last: until then it tells of them.
            await self._all([*jobs[:1], *others, *jobs[1:]])
            await self._all([partial(self._restore, each) for each in order[-1:]])
            if not self._failed:
                return
            if self._means.clock.monotonic() >= end_s:
                names = listed(sorted(self._failed), 8)
                raise RecreationFailed(
                    f"{names} could not be brought back: {next(iter(self._failed.values()))}",
                    "Resume the run to try again; `way-back.sh` of the run does it by hand.",
                )
            await self._means.clock.sleep(POLL_S)

    async def _all(self, jobs: Iterable[Callable[[], Awaitable[None]]]) -> None:
        await self._means.steady.each(jobs, lambda job: job())

    async def _start(self, parked: Parked, nodes: int) -> None:
        """Bring back a service, and let its tasks get ahead of those of the next."""
        async with self._turn:
            await self._restore(parked)
            tasks = nodes if parked.record.replicas is None else parked.record.replicas
            pace_s = min(MOST_PACE_S, self._means.pace_s * tasks / nodes)
            if pace_s:
                await self._means.clock.sleep(pace_s)

    async def _restore(self, parked: Parked) -> None:
        means, service_id, network_id = self._means, parked.service.id, self._network.id
        gone = {parked.network.id, self._job.name, *self._job.gone} - {network_id}

        def change(spec: dict[str, Any]) -> None:
            # Whoever deployed it anew in between has brought it back in his own way.
            if is_parked(spec):
                restore(spec, parked.record, network_id, gone)

        async def is_made() -> bool:
            now = await means.reader.service(service_id)
            return now is None or not is_parked(dict(now.spec))

        async def act() -> None:
            await means.changer.update_service(service_id, change)

        state = {"name": parked.service.name, "label": parked.service.label(PARKED_LABEL)}
        try:
            await means.steady.make(
                Change("service", service_id, "restore", state, act, is_made, is_way_back=True)
            )
        except EngineRefused as error:
            if f"network {network_id} not found" in error.sentence:
                raise NetworkGone(error.sentence) from error
            self._failed[parked.service.name] = error.sentence
        except VipconsoleError as error:
            self._failed[parked.service.name] = error.sentence

    async def _connect(self, container: ContainerRecord) -> None:
        try:
            await connect(self._job, self._network, container)
        except VipconsoleError as error:
            self._failed[container.name] = error.sentence


class Settling:
    """Makes what a rollback would bring harmless: the previous specification of a restored service is the parked one.

    An update that changes nothing puts the present specification in its place. No task is replaced for it.
    """

    def __init__(self, job: Job) -> None:
        self._means = job.means

    async def run(self) -> None:
        """Settle every service that a rollback would park. Whoever looks afterwards sees those that could not be settled."""
        look = await self._means.look()
        left = [each for each in look.services if rolls_back_to_parked(each)]
        if left:
            await self._means.say(f"making a rollback of {plural(len(left), 'service')} harmless")

        async def settle(service: SpecifiedService) -> None:
            with suppress(VipconsoleError):
                await self._settle(service)

        await self._means.steady.each(left, settle)

    async def _settle(self, service: SpecifiedService) -> None:
        means = self._means

        async def is_made() -> bool:
            now = await means.reader.service(service.id)
            return now is None or not rolls_back_to_parked(now)

        async def act() -> None:
            await means.changer.update_service(service.id, lambda _: None)

        state = {"name": service.name}
        await means.steady.make(
            Change("service", service.id, "settle", state, act, is_made, is_way_back=True)
        )


def rolls_back_to_parked(service: SpecifiedService) -> bool:
    """Whether a rollback would park a service that is not parked now."""
    return is_parked(dict(service.previous)) and not is_parked(dict(service.spec))
