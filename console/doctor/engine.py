"""Examines the engine: its socket, its place in the swarm, whether it counts addresses, and whether it is this host's own."""

import asyncio
import time
from collections.abc import Iterator

from console.doctor.values import DoctorArea, Examination, Patient, failed, passed, unexamined, warned
from console.errors import Result, Unknown, VipconsoleError, known, unknown_from
from console.host.identity import why_engine_is_foreign
from console.swarm.model import Engine, Network, Node, SwarmState
from console.swarm.reader import SwarmReader
from console.text import clean, listed, plural

AREA = DoctorArea.ENGINE


async def examine_engine(
    patient: Patient,
) -> tuple[Result[Engine], float | None, tuple[Examination, ...]]:
    """Return the engine, or why it cannot be asked, by how many seconds its clock is ahead of this host's, and what was found."""
    reader, network = patient.reader, patient.settings.network
    if isinstance(reader, VipconsoleError):
        return unknown_from(reader), None, (failed(AREA, "address", reader),)
    deadline_s = patient.settings.snapshot.deadline_s
    asked_s = time.time()
    try:
        engine = await asyncio.wait_for(reader.engine(), deadline_s)
    except VipconsoleError as error:
        return unknown_from(error), None, (failed(AREA, "swarm", error),)
    except TimeoutError:
        silence = Unknown(
            f"The engine at {reader.host} did not answer within {deadline_s:g} s.",
            "`systemctl status docker`, then `journalctl -u docker -e`.",
        )
        return silence, None, (failed(AREA, "swarm", silence),)
    lag_s = _clock_lag_s(engine, asked_s, time.time())
    swarm = await reader.lists(deadline_s)
    return (
        engine,
        lag_s,
        (
            passed(
                AREA,
                "swarm",
                f"{reader.host} answers: {engine.name}, a manager of {plural(engine.managers, 'manager')} "
                f"and {plural(engine.nodes, 'node')}.",
            ),
            _version(engine, network),
            *_leader(engine, swarm.nodes),
            *_networks(swarm, network),
            *_lists(swarm),
            *await _shared(reader, swarm, network),
            await _place(reader.host, engine),
        ),
    )


def _version(engine: Engine, network: str) -> Examination:
    api = ".".join(map(str, engine.api_version))
    if engine.counts_addresses:
        return passed(
            AREA,
            "version",
            f"Docker {engine.version} (API {api}) counts addresses: a glance knows how many leaked.",
        )
    return passed(
        AREA,
        "version",
        f"Docker {engine.version} (API {api}) does not count addresses: leaks show while somebody watches, or in a census.",
        f"`vipconsole record` watches; `vipconsole census {clean(network)}` lists what leaked. Docker 29 counts.",
    )


def _leader(engine: Engine, nodes: Result[tuple[Node, ...]]) -> Iterator[Examination]:
    if isinstance(nodes, Unknown):
        yield unexamined(AREA, "leader", nodes)
        return
    leader = next((node for node in nodes if node.is_leader), None)
    if leader is None:
        yield failed(
            AREA,
            "leader",
            Unknown(
                "The swarm has no leader: nothing is allocated or scheduled.",
                "`docker node ls` on the managers. If the quorum is lost, follow Docker's guide to recovering it.",
            ),
        )
    elif leader.id == engine.node_id:
        yield passed(AREA, "leader", "This node leads the swarm: its dockerd allocates, and logs what fails.")
    else:
        yield warned(
            AREA,
            "leader",
            f"{leader.hostname} leads the swarm: its dockerd logs what fails, this one does not.",
            f"Run vipconsole on {leader.hostname}, or name it in a [[node]] of the settings (docs/nodes.md).",
        )


def _networks(swarm: SwarmState, network: str) -> Iterator[Examination]:
    if isinstance(swarm.networks, Unknown):
        yield unexamined(AREA, "network", swarm.networks)
        return
    overlays = [overlay for overlay in swarm.networks if overlay.is_overlay and not overlay.ingress]
    if any(overlay.name == network for overlay in overlays):
        yield passed(
            AREA,
            "network",
            f"{clean(network)} is there, the network that stacks share; {plural(len(overlays), 'overlay')} in all.",
        )
    else:
        yield warned(
            AREA,
            "network",
            f"There is no overlay {clean(network)}, which is set as the network that stacks share.",
            f'Set `network = "…"` in the settings. {_others(overlays)}',
        )


def _others(overlays: list[Network]) -> str:
    names = sorted(overlay.name for overlay in overlays)
    if not names:
        return "This swarm has no overlay of its own."
    return f"Overlays: {listed(names[:5])}{' and others' if len(names) > 5 else ''}."


def _lists(swarm: SwarmState) -> Iterator[Examination]:
    for subject, found in (("services", swarm.services), ("tasks", swarm.tasks)):
        if isinstance(found, Unknown):
            yield unexamined(AREA, subject, found)


async def _shared(reader: SwarmReader, swarm: SwarmState, network: str) -> tuple[Examination, ...]:
    """Return that the network that stacks share cannot be inspected: some proxies allow its list alone."""
    if not any(overlay.name == network for overlay in known(swarm.networks, ())):
        return ()
    try:
        await reader.attachments(network)
    except VipconsoleError as error:
        return (unexamined(AREA, "attachments", error),)
    return ()


async def _place(host: str, engine: Engine) -> Examination:
    refusal = await asyncio.to_thread(why_engine_is_foreign, host, engine.name)
    if refusal is None:
        return passed(
            AREA, "place", "It is this host's own engine: its log, systemd and routes belong to it."
        )
    return warned(
        AREA,
        "place",
        f"This host's log, systemd and routes are not used. {refusal.reason}",
        "Run vipconsole on the host of the engine.",
    )


def _clock_lag_s(engine: Engine, asked_s: float, answered_s: float) -> float:
    """Return by how many seconds the engine's clock is ahead of this host's, which read so before and after it was asked."""
    told_s = engine.time.timestamp()
    return told_s - min(max(told_s, asked_s), answered_s)
