"""Makes a run of a runbook: its folder, its header, its first event. Nothing of the world is changed by it."""

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from console import __version__
from console.errors import Declined, RunbookError
from console.host.audit import Who
from console.host.identity import boot_id
from console.runbook.planning import head_of
from console.runbook.run import events as e
from console.runbook.run.header import Header, StepHead
from console.runbook.run.view import RunView
from console.runbook.runner.place import where_this_is
from console.runbook.runner.world import RunWorld
from console.runbook.source import read_bytes
from console.runbook.store.folders import create_run, keep_runbook, new_run_id
from console.runbook.values import Json, Runbook
from console.settings import kept
from console.text import listed


async def begin_run(
    state: Path, runbook: Runbook, variables: Mapping[str, Json], world: RunWorld, who: Who
) -> Path:
    """Make the folder of a new run and return it. Raises HostError, RunbookError, and an EngineError or SwarmError."""
    clock = world.clock
    place = await where_this_is(world.reader)
    source = str(await asyncio.to_thread(Path(runbook.source).absolute))
    data = await asyncio.to_thread(_unchanged, runbook)
    now = clock.now()
    header = Header(
        run_id=await asyncio.to_thread(new_run_id, state, runbook.id, now),
        runbook_id=runbook.id,
        title=runbook.title,
        digest=runbook.digest,
        source=source,
        host=world.host,
        machine_id=place.machine_id,
        boot_id=boot_id(),
        cluster_id=place.engine.cluster_id,
        node_id=place.engine.node_id,
        engine_name=place.engine.name,
        engine_version=place.engine.version,
        tool_version=__version__,
        variables=variables,
        settings=kept(world.settings),
    )
    heads = tuple(head_of(each) for each in runbook.steps)
    return await asyncio.to_thread(create_run, state, e.Began(header, heads, who), data, now)


def accepted(
    view: RunView, folder: Path, runbook: Runbook, variables: Mapping[str, Json], who: Who
) -> e.Accepted:
    """Return the event with which a changed runbook takes the place of the one that was planned, and keep it; blocks.

    Raises Declined where it does not fit what was done already.
    """
    heads = tuple(head_of(each) for each in runbook.steps)
    why = _misfit(view, heads)
    if why:
        raise Declined(why, "Undo what was done, or abandon the run, and begin another one.")
    keep_runbook(folder, runbook.digest, _unchanged(runbook))
    return e.Accepted(who, runbook.digest, heads, variables)


def _misfit(view: RunView, heads: Sequence[StepHead]) -> str:
    """Return why other steps cannot go on where a run is, a sentence, or nothing."""
    touched = [at for at, each in enumerate(view.steps) if each.is_settled or each.has_begun]
    before = view.steps[: touched[-1] + 1] if touched else ()
    for at, each in enumerate(before):
        if at >= len(heads) or heads[at].id != each.id or heads[at].action != each.head.action:
            ids = listed([one.id for one in before], 10)
            return (
                f"The changed runbook does not begin with the steps that were begun ({ids}), in this order and with the "
                f"same actions: {each.id} is missing, moved, or does something else."
            )
    return ""


def variables_again(view: RunView, runbook: Runbook) -> Mapping[str, Json]:
    """Return the variables of a changed runbook: as they were set, and as it says where it has new ones.

    Raises RunbookError for a new one that has no default.
    """
    known = {each.name: view.header.variables.get(each.name, each.default) for each in runbook.variables}
    unset = [name for name, value in known.items() if value is None]
    if unset:
        raise RunbookError(f"The changed runbook has variables without a value: {listed(unset)}.")
    return known


def _unchanged(runbook: Runbook) -> bytes:
    data = read_bytes(Path(runbook.source))
    if hashlib.sha256(data).hexdigest() != runbook.digest:
        raise RunbookError(f"The runbook {runbook.source} was changed while it was read.", "Try it again.")
    return data
