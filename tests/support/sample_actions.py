"""Small actions on a simulated swarm, for runs whose runner is killed: one that looks, one that changes, one that parks.

Each writes its calls to a file, so that a test sees what happened in which order.
"""

import gc
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel

from console.errors import EngineNotFound, StepFailed
from console.runbook.actions.registry import ACTIONS
from console.runbook.contracts import ActionPlan, Answer, CheckResult, Context, Parameters
from console.runbook.language.values import Effect, Json

EDITION = "edition"
MARKED = "marked"
SWAPPED = "swapped"
RUNBOOK = """\
schema: vipconsole.runbook/1
id: swept
title: Look, mark, swap, look
steps:
  - {id: look, uses: test.look}
  - {id: mark, uses: test.mark}
  - {id: gate, uses: test.look, checkpoint: true}
  - {id: swap, uses: test.swap, with: {services: [a, b]}, requires: [look, gate], confirm: swap, on_failure: ask}
  - {id: check, uses: test.look, requires: [mark, swap]}
"""


def record_call(line: str) -> None:
    """Append a line to the file that `CALLS_FILE` names; it is there whatever becomes of this process."""
    where = os.environ.get("CALLS_FILE")
    if where:
        descriptor = os.open(where, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.write(descriptor, f"{line}\n".encode())
        os.close(descriptor)


def read_calls(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


class Nothing(Parameters):
    """No parameters."""


class Look:
    name: ClassVar[str] = "test.look"
    effect: ClassVar[Effect] = Effect.READ
    parameters: ClassVar[type[BaseModel]] = Nothing
    may_retry: ClassVar[bool] = True
    no_undo_because: ClassVar[str] = "It changes nothing."

    async def plan(self, context: Context, parameters: Nothing) -> ActionPlan:
        return ActionPlan("Look.", reads=("services",))

    async def probe(self, context: Context, parameters: Nothing) -> CheckResult:
        return CheckResult(Answer.NO, "It has to be seen each time.")

    async def act(self, context: Context, parameters: Nothing) -> Mapping[str, Json]:
        names = await _names(context)
        await context.say(f"{len(names)} services")
        return {"services": names}

    async def verify(self, context: Context, parameters: Nothing, outputs: Mapping[str, Json]) -> CheckResult:
        return CheckResult(Answer.YES, "The snapshot was taken.")

    async def undo(self, context: Context, parameters: Nothing, outputs: Mapping[str, Json]) -> None:
        """Nothing was changed."""


class Mark:
    """Creates a service, once: a second one of its name the engine refuses."""

    name: ClassVar[str] = "test.mark"
    effect: ClassVar[Effect] = Effect.CHANGE
    parameters: ClassVar[type[BaseModel]] = Nothing
    may_retry: ClassVar[bool] = False
    no_undo_because: ClassVar[str] = ""

    async def plan(self, context: Context, parameters: Nothing) -> ActionPlan:
        return ActionPlan("Create a service.", changes=(f"create the service {MARKED}",))

    async def probe(self, context: Context, parameters: Nothing) -> CheckResult:
        record_call("probe mark")
        is_there = MARKED in await _names(context)
        return CheckResult(
            Answer.YES if is_there else Answer.NO, "It is there." if is_there else "It is not there."
        )

    async def act(self, context: Context, parameters: Nothing) -> Mapping[str, Json]:
        record_call(f"call create {MARKED}")
        await context.world.changer().create_service(spec(MARKED))
        return {}

    async def verify(self, context: Context, parameters: Nothing, outputs: Mapping[str, Json]) -> CheckResult:
        return await self.probe(context, parameters)

    async def undo(self, context: Context, parameters: Nothing, outputs: Mapping[str, Json]) -> None:
        record_call(f"call remove {MARKED}")
        await context.world.changer().remove_service(MARKED)


class SwapParameters(Parameters):
    services: list[str]


class Swap:
    """Parks services, one after the other, does something in between, and takes them back."""

    name: ClassVar[str] = "test.swap"
    effect: ClassVar[Effect] = Effect.OUTAGE
    parameters: ClassVar[type[BaseModel]] = SwapParameters
    may_retry: ClassVar[bool] = False
    no_undo_because: ClassVar[str] = ""

    async def plan(self, context: Context, parameters: SwapParameters) -> ActionPlan:
        basis: dict[str, Json] = {
            each: await _edition(context, each) or "old" for each in parameters.services
        }
        return ActionPlan("Swap.", changes=tuple(f"swap {each}" for each in parameters.services), basis=basis)

    async def probe(self, context: Context, parameters: SwapParameters) -> CheckResult:
        record_call("probe swap")
        editions = [await _edition(context, each) for each in parameters.services]
        is_done = set(editions) == {"new"} and SWAPPED in await _names(context)
        return CheckResult(Answer.YES if is_done else Answer.NO, f"They are {editions}.")

    async def act(self, context: Context, parameters: SwapParameters) -> Mapping[str, Json]:
        if FAIL in os.environ:
            raise StepFailed("It was told to fail.")
        is_parked = SWAPPED in await _names(context)
        for each in parameters.services:
            if not is_parked:
                await _become(context, each, "parked")
        if not is_parked:
            record_call(f"call create {SWAPPED}")
            await context.world.changer().create_service(spec(SWAPPED))
        for each in parameters.services:
            await _become(context, each, "new")
        return {"swapped": len(parameters.services)}

    async def verify(
        self, context: Context, parameters: SwapParameters, outputs: Mapping[str, Json]
    ) -> CheckResult:
        return await self.probe(context, parameters)

    async def undo(self, context: Context, parameters: SwapParameters, outputs: Mapping[str, Json]) -> None:
        record_call(f"call remove {SWAPPED}")
        await context.world.changer().remove_service(SWAPPED)
        for each in parameters.services:
            await _become(context, each, "old")


FAIL = "CALLS_FAIL"
"""While this is in the environment, the swap fails."""


@contextmanager
def install() -> Iterator[None]:
    """Let runbooks of this process name these actions. The registry itself is closed, and is as it was afterwards."""
    (actions,) = gc.get_referents(ACTIONS)
    before = dict(actions)
    actions.update({action.name: action for action in (Look(), Mark(), Swap())})
    try:
        yield
    finally:
        actions.clear()
        actions.update(before)


async def _become(context: Context, service: str, edition: str) -> None:
    if await _edition(context, service) == edition:
        return
    record = await context.change_recorder.before(
        "service", service, edition, {EDITION: await _edition(context, service)}
    )

    def change(spec: dict[str, Any]) -> None:
        spec["Labels"] = {**(spec.get("Labels") or {}), EDITION: edition}

    record_call(f"call {service} becomes {edition}")
    await context.world.changer().update_service(service, change)
    await context.change_recorder.after(record, {EDITION: edition})


async def _edition(context: Context, service: str) -> str:
    def inspection(client: Any) -> Any:
        return client.send("GET", f"/services/{service}")

    try:
        found = await context.world.connection.ask(f"inspect the service {service}", inspection)
    except EngineNotFound:
        return ""
    return str((found["Spec"].get("Labels") or {}).get(EDITION, "old"))


async def _names(context: Context) -> list[Json]:
    def listing(client: Any) -> Any:
        return client.send("GET", "/services")

    services = await context.world.connection.ask("list the services", listing)
    return sorted(each["Spec"]["Name"] for each in services)


def spec(name: str) -> dict[str, Any]:
    return {
        "Name": name,
        "TaskTemplate": {"ContainerSpec": {"Image": "busybox"}},
        "Mode": {"Replicated": {"Replicas": 0}},
    }
