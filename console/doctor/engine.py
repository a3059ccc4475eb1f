"""Examines the engine: its socket, its place in the swarm, whether it counts addresses, and whether it is this host's own."""

import asyncio
from collections.abc import Iterator

from console.doctor.values import DoctorArea, Examination, Patient, failed, passed, unexamined, warned
from console.errors import Result, Unknown, VipconsoleError, known, unknown_from
from console.host.identity import why_engine_is_foreign
from console.swarm.model import Engine, Network, Node, SwarmState
from console.text import clean, listed, plural

AREA = DoctorArea.ENGINE


async def examine_engine(patient: Patient) -> tuple[Result[Engine], tuple[Examination, ...]]:
    """Return the engine, or why it cannot be asked, and what was found."""
    reader, network = patient.reader, patient.settings.network
    deadline_s = patient.settings.snapshot.deadline_s
    try:
        engine = await asyncio.wait_for(reader.engine(), deadline_s)
    except VipconsoleError as error:
        return unknown_from(error), (failed(AREA, "swarm", error),)
    except TimeoutError:
        silence = Unknown(
            f"The engine at {reader.host} did not answer within {deadline_s:g} s.",
            "`systemctl status docker`, then `journalctl -u docker -e`.",
        )
        return silence, (failed(AREA, "swarm", silence),)
    swarm = await reader.lists(deadline_s)
    return engine, (
        passed(
            AREA,
            "swarm",
            f"{reader.host} answers: {engine.name}, a manager of {plural(engine.managers, 'manager')} "
            f"and {plural(engine.nodes, 'node')}.",
        ),
        _version(engine, network),
        *_leader(engine, swarm.nodes),
        *_networks(swarm, network),
        await _place(reader.host, engine),
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


def clock_lag_s(engine: Result[Engine], now_s: float) -> float | None:
    """Return by how many seconds the engine's clock is ahead of this host's; None where it does not answer."""
    found = known(engine, None)
    return None if found is None else found.time.timestamp() - now_s
